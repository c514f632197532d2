"""The fleet in the terminal: as a table, piped, and live on a real terminal."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.forgectl.conftest import Forgectl
from tests.integration.forgectl.terminal import terminal
from tests.process import (
    ADMIN_SECRET,
    CollectorProcess,
    environment,
    running_collector,
)

ENV: Final = {"FORGE_TOKEN": ADMIN_SECRET}
BOOT: Final = "0190b8a4-7a5f-4c3e-9d21-5e0b6a7c8d9"
_LEAVES_ALTERNATE_SCREEN: Final = b"\x1b[?1049l"
_WATCH: Final = ("nodes", "--watch")


def push(collector: CollectorProcess, token: str, node_id: str, seq: int, **values: float) -> None:
    snapshot = {
        "seq": seq,
        "boot_id": f"{BOOT}0",
        "ts": round(time.time() * 1000),
        "values": {name.replace("_", "."): value for name, value in values.items()},
        "host": {"os": "Debian \x1b[31mGNU/Linux 12 (bookworm)"},
    }
    with collector.client(token) as node:
        assert node.push(node_id, snapshot).status == 200


@pytest.fixture(scope="module")
def fleet(collector: CollectorProcess) -> dict[str, str]:
    """Two nodes that were heard, and their tokens."""
    tokens = {node_id: collector.mint(node_id=node_id) for node_id in ("attic", "nas-2")}
    for node_id, token in tokens.items():
        push(collector, token, node_id, 0, cpu_pct=12.5, mem_pct=40)
    return tokens


def test_a_table_of_the_fleet(forgectl: Forgectl, fleet: dict[str, str]) -> None:
    assert fleet
    done = forgectl("nodes", **ENV)
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows = done.stdout.splitlines()
    assert header.split()[:4] == ["NODE", "STATUS", "CPU", "MEMORY"]
    assert [row.split()[:6] for row in rows] == [
        [node_id, "online", "12.5", "%", "40.0", "%"] for node_id in ("attic", "nas-2")
    ]
    assert "\x1b" not in done.stdout
    narrow = forgectl("nodes", COLUMNS="24", **ENV).stdout
    assert narrow.split("\n")[0].split() == ["NODE", "STATUS", "CPU"]


def test_the_fleet_as_json(
    forgectl: Forgectl, collector: CollectorProcess, fleet: dict[str, str]
) -> None:
    assert fleet
    listed = json.loads(forgectl("nodes", "--json", **ENV).stdout)
    with collector.client() as admin:
        assert [node["id"] for node in listed["nodes"]] == [
            node["id"] for node in admin.get("/api/fleet")["nodes"]
        ]
    assert listed["nodes"][0]["latest"]["values"]["cpu.pct"] == 12.5


def test_a_viewer_may_look_and_a_node_may_not(
    forgectl: Forgectl, collector: CollectorProcess, fleet: dict[str, str]
) -> None:
    viewer = collector.mint(role="viewer", name="who looks")
    assert "nas-2" in forgectl("nodes", FORGE_TOKEN=viewer).stdout
    refused = forgectl("nodes", FORGE_TOKEN=fleet["attic"])
    assert refused.returncode == 1
    assert "needs the role" in refused.stderr


def test_an_option_in_the_wrong_place_is_said(forgectl: Forgectl) -> None:
    done = forgectl("nodes", "--json", "history", "nas-2", **ENV)
    assert done.returncode == 2
    assert "go after history" in done.stderr


@contextmanager
def piped(collector: CollectorProcess, home: Path, *options: str) -> Iterator[Any]:
    """forgectl nodes --watch, read through a pipe; interrupted in the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "forgectl", *_WATCH, *options],
        env=environment(FORGE_URL=collector.url, HOME=str(home), **ENV),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    # A reader that waits for ever would hold the tests up.
    timer = threading.Timer(20, process.kill)
    timer.start()
    try:
        yield process
    finally:
        timer.cancel()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert (process.returncode, said) == (0, b"")


def test_watching_as_json_is_a_frame_a_line(
    collector: CollectorProcess, fleet: dict[str, str], tmp_path: Path
) -> None:
    with piped(collector, tmp_path, "--json") as process:
        first = json.loads(process.stdout.readline())
        assert first["full"]
        assert {node["id"] for node in first["nodes"]} >= {"attic", "nas-2"}
        push(collector, fleet["attic"], "attic", 1, cpu_pct=77)
        # Silence may have made nodes degraded meanwhile: then that comes in a frame before it.
        frames = (json.loads(process.stdout.readline()) for _ in range(5))
        told = (node for frame in frames for node in frame["nodes"] if node["id"] == "attic")
        assert any(node["values"]["cpu.pct"] == 77 for node in told)


def test_watching_through_a_pipe_prints_tables(
    collector: CollectorProcess, fleet: dict[str, str], tmp_path: Path
) -> None:
    assert fleet
    with piped(collector, tmp_path) as process:
        assert process.stdout.readline().startswith(b"NODE")
        assert process.stdout.readline().startswith(b"attic")


def test_watching_on_a_terminal_follows_the_fleet_and_leaves_it_as_it_was(
    collector: CollectorProcess, fleet: dict[str, str], tmp_path: Path
) -> None:
    with terminal(collector.url, tmp_path, *_WATCH) as shown:
        shown.wait_for(r"attic +online")
        shown.wait_for(r"2 nodes: 2 online")
        push(collector, fleet["nas-2"], "nas-2", 2, cpu_pct=88.8)
        shown.wait_for(r"nas-2 +online +88\.8 %")
        # What the node named itself is text.
        assert b"\x1b[31mGNU" not in shown.written
        assert shown.interrupt() == 0
        assert _LEAVES_ALTERNATE_SCREEN in shown.written
        assert b"Traceback" not in shown.written


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_watching_outlives_the_collector(tmp_path: Path) -> None:
    port = ("--port", str(free_port()))
    with running_collector(tmp_path / "data", *port) as collector:
        token = collector.mint(node_id="nas-2")
        push(collector, token, "nas-2", 0, cpu_pct=1)
        with terminal(collector.url, tmp_path, *_WATCH) as shown:
            shown.wait_for(r"nas-2 +online")
            collector.stop()
            shown.wait_for(r"ended the stream|broke off|No collector answers")
            shown.wait_for(r"nas-2 +online")  # what was known stays
            with running_collector(tmp_path / "data", *port) as again:
                shown.wait_for(r"1 node: 1 online")
                push(again, token, "nas-2", 1, cpu_pct=55.5)
                shown.wait_for(r"nas-2 +online +55\.5 %")
                assert shown.interrupt() == 0


def test_watching_nothing_ends_with_one_sentence(tmp_path: Path) -> None:
    with terminal("http://127.0.0.1:9", tmp_path, *_WATCH) as shown:
        assert shown.process.wait(20) == 1
        shown._reader.join(5)
        after = shown.written.rpartition(_LEAVES_ALTERNATE_SCREEN)[2]
        assert b"No collector answers" in after
        assert b"Traceback" not in after


def test_a_node_is_edited(
    forgectl: Forgectl, collector: CollectorProcess, fleet: dict[str, str]
) -> None:
    assert fleet
    done = forgectl("nodes", "edit", "attic", "--ephemeral", "--tag", "home", "--tag", "pc", **ENV)
    assert (done.returncode, done.stdout) == (0, "attic: attic, tags home pc, normally off\n")
    assert forgectl("nodes", "edit", "attic", "--name", "Attic \x1b[2J", **ENV).returncode == 1
    done = forgectl("nodes", "edit", "attic", "--name", "Attic", "--no-tags", **ENV)
    assert done.stdout == "attic: Attic, normally off\n"
    assert collector.node("attic")["ephemeral"] is True
    done = forgectl("nodes", "edit", "attic", "--no-ephemeral", "--name", "attic", **ENV)
    assert done.stdout == "attic: attic\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("attic",), 2, "Say what to change"),
        (("attic", "--tag", "a", "--no-tags"), 2, "--tag or --no-tags"),
        (("attic", "--tag", "no tag"), 1, "a tag begins with"),
        (("nobody", "--ephemeral"), 1, "nobody"),
    ],
)
def test_an_edit_that_cannot_be_says_why(
    forgectl: Forgectl, fleet: dict[str, str], arguments: tuple[str, ...], code: int, said: str
) -> None:
    assert fleet
    done = forgectl("nodes", "edit", *arguments, **ENV)
    assert done.returncode == code
    assert said in done.stderr
