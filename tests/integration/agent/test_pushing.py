"""A real agent and a collector that works."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from forge_shared import __version__
from forge_shared.messages import Host, Snapshot
from tests.integration.agent.conftest import StartAgent
from tests.integration.agent.fake_collector import FakeCollector, status
from tests.integration.agent.running import TOKEN, RunningAgent
from tests.process import environment, wait_for


def test_pushes_arrive_as_the_protocol_says(collector: FakeCollector, agent: RunningAgent) -> None:
    pushes = agent.pushed(3)
    assert collector.refused == []
    assert [push.snapshots[0].seq for push in pushes[:3]] == [0, 1, 2]
    assert len({push.snapshots[0].boot_id for push in pushes}) == 1
    for push in pushes:
        assert push.path == "/api/ingest/n1"
        assert push.headers["authorization"] == f"Bearer {TOKEN}"
        assert push.headers["content-type"] == "application/json"
        assert push.headers["user-agent"] == f"forge-agent/{__version__}"
        assert push.headers["host"] == f"127.0.0.1:{collector.port}"
        assert abs(int(push.headers["forge-sent-at"]) - time.time() * 1000) < 60_000
        assert abs(push.snapshots[0].ts - time.time() * 1000) < 60_000


def test_a_snapshot_holds_what_this_machine_has(agent: RunningAgent) -> None:
    values = agent.pushed(1)[0].snapshots[0].values
    assert {
        *("cpu.pct", "cpu.user_pct", "cpu.system_pct", "cpu.core_pct/0"),
        *("mem.pct", "mem.total_bytes", "swap.total_bytes", "disk.pct//"),
        *("proc.count", "uptime.s", "agent.spool_bytes", "agent.dropped_snapshots"),
    } <= set(values)
    assert any(key.startswith("net.rx_bytes_per_s/") for key in values)


def test_the_interval_the_collector_names_is_kept(
    collector: FakeCollector, agent: RunningAgent
) -> None:
    times_s = [push.received_s for push in agent.pushed(5)]
    # The first turn is at once, and the second one in phase; then they keep the rhythm.
    gaps_s = [later - earlier for earlier, later in pairwise(times_s[2:])]
    assert all(0.5 < gap_s < 1.5 for gap_s in gaps_s), gaps_s


def test_the_machines_facts_come_with_the_first_push(
    collector: FakeCollector, start_agent: StartAgent
) -> None:
    agent = start_agent("--interval", "1")
    host = agent.pushed(1)[0].snapshots[0].host
    assert host is not None
    assert (host.agent_version, host.interval_s) == (__version__, 1)
    assert host.platform == sys.platform
    assert host.cpu_cores == os.cpu_count()
    assert host.hostname
    assert host.mem_total_bytes > 0


def test_the_cpu_model_is_asked_once_a_boot(
    collector: FakeCollector, start_agent: StartAgent
) -> None:
    def host_with_model() -> Host | None:
        hosts = (snapshot.host for push in collector.pushes for snapshot in push.snapshots)
        return next((host for host in hosts if host and host.cpu_model), None)

    first = start_agent()
    model = wait_for(host_with_model, "the CPU's model").cpu_model
    first.stop()
    assert model in (first.state / "cpu-model.json").read_text()
    del collector.pushes[:]
    first.start()
    host = first.pushed(1)[0].snapshots[0].host
    assert host is not None
    assert host.cpu_model == model


def test_a_url_may_have_a_path(collector: FakeCollector, start_agent: StartAgent) -> None:
    agent = start_agent("--url", f"{collector.url}/forge/")
    assert agent.pushed(1)[0].path == "/forge/api/ingest/n1"


def test_the_token_is_in_no_log_and_no_command_line(agent: RunningAgent) -> None:
    agent.said("connected")
    assert TOKEN not in Path(f"/proc/{agent.process.pid}/cmdline").read_text()
    agent.stop()
    assert TOKEN not in agent.log_path.read_text()
    started, connected, stopped = agent.log_path.read_text().splitlines()
    assert '"level":"info","event":"started"' in started
    assert '"connected"' in connected
    assert '"stopped"' in stopped


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    reader, terminal_end = pty.openpty()
    yield reader, terminal_end
    os.close(reader)


def test_a_terminal_shows_each_push(
    collector: FakeCollector, terminal: tuple[int, int], tmp_path: Path
) -> None:
    reader, terminal_end = terminal
    command = [*(sys.executable, "-m", "forge_agent"), "run", "--node-id", "n1"]
    process = subprocess.Popen(
        [*command, "--state-dir", str(tmp_path / "state")],
        env=environment(CENTRAL_URL=collector.url, BEARER_TOKEN=TOKEN),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=terminal_end,
        stderr=terminal_end,
    )
    os.close(terminal_end)
    shown = ""
    try:
        deadline_s = time.monotonic() + 20
        while shown.count("pushed") < 2 and time.monotonic() < deadline_s:
            if select.select([reader], [], [], 1)[0]:
                shown += os.read(reader, 4096).decode()
        collector.answer = status(500, "\x1b[2J\x07evil")
        while "offline" not in shown and time.monotonic() < deadline_s:
            if select.select([reader], [], [], 1)[0]:
                shown += os.read(reader, 4096).decode()
    finally:
        process.kill()
        process.wait()
    pattern = r"^✓ pushed  cpu=\d+\.\d%  mem=\d+%  \(every [15]s\)\r$"
    assert re.search(pattern, shown, re.MULTILINE), shown
    assert "offline: 500 \N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}evil" in shown
    assert "\x1b" not in shown


def test_a_boot_that_another_pushes_as_is_left_to_it(
    collector: FakeCollector, start_agent: StartAgent
) -> None:
    """As after a copy of a machine's memory, or a way back to an older state of it."""
    first = start_agent("--interval", "1").pushed(1)[0].snapshots[0]
    for seq in range(1, 100):
        collector.stored[first.boot_id, seq] = first

    def of_another_boot() -> list[Snapshot]:
        found = [push.snapshots[0] for push in list(collector.pushes) if push.snapshots]
        return [snapshot for snapshot in found if snapshot.boot_id != first.boot_id]

    wait_for(lambda: bool(of_another_boot()), "the agent to begin a new boot")
    anew = of_another_boot()[0]
    assert anew.seq == 0
    assert anew.host is not None  # a boot tells the facts itself
    assert len(collector.pushes) == 1 + 3 + 1
