"""Ends of every kind: asked to stop, killed, cut off from its disk, left by its parent."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from forge_shared import codec
from tests import small_disk
from tests.integration.agent import fake_collector
from tests.integration.agent.conftest import StartAgent
from tests.integration.agent.fake_collector import FakeCollector, accept
from tests.integration.agent.running import TOKEN, RunningAgent, until_pushed
from tests.process import environment, wait_for
from tests.small_disk import SmallDisk


def test_stopping_is_quick_and_keeps_what_was_in_flight(
    collector: FakeCollector, agent: RunningAgent
) -> None:
    agent.pushed(1)
    collector.answer = fake_collector.hang
    agent.pushed(1)
    sent = len(collector.pushes)
    assert agent.stop() < 2
    assert agent.spooled_seqs()[-1] >= sent - 1
    assert set(range(sent)) <= set(agent.spooled_seqs()) | set(collector.seqs())
    assert agent.said("stopped")["spool_bytes"] > 0


def test_a_kill_loses_at_most_what_was_in_flight(
    collector: FakeCollector, start_agent: StartAgent
) -> None:
    collector.die()
    agent = start_agent("--interval", "1")
    agent.spools(2)
    before = agent.spooled_seqs()
    agent.kill()
    collector.start()
    agent.start()
    agent.said("replayed")
    boots = {boot for boot, _ in collector.stored}
    assert len(boots) == 2
    first_boot = [snapshot.seq for push in collector.pushes for snapshot in push.snapshots]
    assert set(before) <= set(first_boot)


def test_a_torn_last_line_is_cut_and_the_rest_arrives(
    collector: FakeCollector, start_agent: StartAgent
) -> None:
    collector.die()
    agent = start_agent("--interval", "1")
    agent.spools(3)
    agent.kill()
    whole = agent.spooled_seqs()
    segment = agent.spool_files()[-1]
    os.truncate(segment, segment.stat().st_size - 20)
    collector.start()
    agent.start()
    agent.said("torn_line")
    agent.said("replayed")
    assert collector.refused == []
    replay = next(push for push in collector.pushes if not push.is_live)
    assert [snapshot.seq for snapshot in replay.snapshots] == whole[:-1]


def test_a_half_replayed_segment_is_sent_again_without_doubling(
    collector: FakeCollector, start_agent: StartAgent
) -> None:
    collector.die()
    agent = start_agent("--interval", "1")
    agent.spools(3)
    agent.kill()
    spooled = agent.spooled_seqs()
    # The batch arrives, its answer does not.
    collector.answer = lambda handler, push: (
        accept(handler, push) if push.is_live else fake_collector.hang(handler, push)
    )
    collector.start()
    agent.start()
    until_pushed(collector, lambda pushes: any(not push.is_live for push in pushes))
    agent.kill()
    collector.stop_hanging.set()
    collector.answer = accept
    agent.start()
    agent.said("replayed")
    batches = [push for push in collector.pushes if not push.is_live]
    assert batches[0].lines[: len(spooled)] == batches[1].lines[: len(spooled)]


@pytest.mark.parametrize("kind", small_disk.KINDS)
def test_a_full_disk_is_survived_and_counted(
    kind: str, collector: FakeCollector, start_agent: StartAgent, tmp_path: Path
) -> None:
    make: Callable[[Path], AbstractContextManager[SmallDisk]] = small_disk.KINDS[kind]
    with make(tmp_path / "disk") as disk:
        collector.die()
        agent = start_agent("--state-dir", str(disk.path), "--interval", "1")
        agent.state = disk.path
        agent.spools(2)
        disk.fill(agent.process.pid, leave_kib=0)
        agent.said("disk_full")
        assert agent.process.poll() is None
        disk.make_room()
        agent.said("disk_recovered")
        assert len(agent.events("disk_full")) == 1
        count = len(agent.spooled_seqs())
        agent.spools(count + 1)
        agent.stop()
        lines = b"".join(path.read_bytes() for path in agent.spool_files()).splitlines()
    spooled = [codec.decode_snapshot(line) for line in lines]
    newest = spooled[-1]
    assert newest.values["agent.dropped_snapshots"] == newest.seq + 1 - len(spooled) >= 1


def test_a_second_agent_on_the_same_folder_refuses(
    collector: FakeCollector, agent: RunningAgent
) -> None:
    agent.pushed(1)
    second = subprocess.run(
        [sys.executable, "-m", "forge_agent", "run", "--state-dir", str(agent.state)],
        env=environment(NODE_ID="n1", CENTRAL_URL=collector.url, BEARER_TOKEN=TOKEN),
        cwd=agent.folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert second.returncode == 1
    assert "another agent already runs" in second.stderr
    assert "--state-dir" in second.stderr
    agent.pushed(1)


def test_a_state_folder_that_cannot_be_used_is_named(
    collector: FakeCollector, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    refused = subprocess.run(
        [*(sys.executable, "-m", "forge_agent", "run"), "--state-dir", str(tmp_path / "file/x")],
        env=environment(NODE_ID="n1", CENTRAL_URL=collector.url, BEARER_TOKEN=TOKEN),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert refused.returncode == 1
    assert "cannot be used" in refused.stderr


def test_it_ends_with_the_process_that_started_it(collector: FakeCollector, tmp_path: Path) -> None:
    starter = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'forge_agent', 'run',"
        " '--parent-pid', str(os.getpid())])\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starter],
        env=environment(
            NODE_ID="n1",
            CENTRAL_URL=collector.url,
            BEARER_TOKEN=TOKEN,
            FORGE_STATE_DIR=str(tmp_path / "state"),
        ),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        until_pushed(collector, lambda pushes: len(pushes) >= 1)
        parent.kill()
    wait_for(lambda: not _is_running(pid), "the agent to end")


def _is_running(pid: int) -> bool:
    """Tell whether a process lives; one that nobody has waited for yet does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
