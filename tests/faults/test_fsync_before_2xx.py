"""A trace of the system calls shows that the fsync comes before the 2xx."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.pushes import new_boot, snapshot
from tests.process import running_collector, wait_for

_CALLS = "read,recvfrom,recvmsg,write,writev,sendto,sendmsg,fsync,fdatasync,pwrite64"
_UNFINISHED = " <unfinished ...>"
_LINE = re.compile(r"^(?P<thread>\d+) +(?P<rest>.*)$")
_RESUMED = re.compile(r"^<\.\.\. (?P<call>\w+) resumed>(?P<rest>.*)$")
_CALL = re.compile(r"^(?P<name>\w+)\((?P<descriptor>\d+)<(?P<path>.*?)>(?P<rest>.*)$")
_RESULT = re.compile(r"= (?P<result>-?\d+)(<.*>)?( \w+ \(.*\))?$")


class Call(NamedTuple):
    """One system call that has returned, in the order of their returns."""

    name: str
    path: str
    text: str
    result: int


def read_trace(lines: Sequence[str]) -> list[Call]:
    """Join calls that others interrupted with what came of them."""
    begun: dict[str, str] = {}
    calls: list[Call] = []
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        thread, text = match["thread"], match["rest"]
        if text.endswith(_UNFINISHED):
            begun[thread] = text.removesuffix(_UNFINISHED)
            continue
        if resumed := _RESUMED.match(text):
            text = begun.pop(thread) + resumed["rest"]
        call, result = _CALL.match(text), _RESULT.search(text)
        if call and result:
            calls.append(Call(call["name"], call["path"], call["rest"], int(result["result"])))
    return calls


def index_of(calls: Sequence[Call], text: str, names: Sequence[str], path: str = "socket") -> int:
    for index, call in enumerate(calls):
        if call.name in names and path in call.path and text in call.text and call.result > 0:
            return index
    return -1


def test_a_push_is_on_disk_before_it_is_acknowledged(data: Path, tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.fail("strace is missing: this promise needs it. Install it: apt-get install strace")
    trace_path = tmp_path / "trace"
    # -D: strace is the collector's grandchild, so that the collector keeps its pid.
    # -s: pages of the log whole.
    tracing = [strace, "-D", "-f", "-y", "-s", "4200", "-e", f"trace={_CALLS}", "-o", trace_path]

    with running_collector(data, prefix=[str(part) for part in tracing]) as collector:
        with collector.client(collector.mint(node_id="n1")) as client:
            reply = client.push("n1", snapshot(new_boot(), 0))
            assert reply.status == 200
        assert collector.stop() == 0
    lines = wait_for(lambda: _when_ended(trace_path, collector.pid), "strace to write its end")

    calls = read_trace(lines)
    asked = index_of(calls, "POST /api/ingest/n1", ("read", "recvfrom", "recvmsg"))
    answers = calls[asked:]
    answered = asked + index_of(answers, "HTTP/1.1 200", ("write", "writev", "sendto", "sendmsg"))
    assert 0 <= asked < answered, "the trace shows no request, or no answer"
    between = [call for call in calls[asked:answered] if call.path.endswith("/fleet.db-wal")]
    # The snapshot itself went to the log, not just some bookkeeping; which may follow at once.
    written = [
        place
        for place, call in enumerate(between)
        if call.name == "pwrite64" and "cpu.pct" in call.text
    ]
    assert written, between
    synced = [call for call in between[max(written) :] if call.name in {"fsync", "fdatasync"}]
    assert synced, between
    assert synced[0].result == 0


def _when_ended(trace_path: Path, pid: int) -> list[str] | None:
    lines = trace_path.read_text(errors="replace").splitlines()
    return lines if any(re.match(rf"{pid} +\+\+\+ exited", line) for line in lines[-20:]) else None


def test_the_trace_is_read_right() -> None:
    lines = [
        '7 read(9<socket:[1]>, "POST /api", 99) = 9',
        '8 pwrite64(5</d/fleet.db-wal>, "x"..., 24, 0) = 24',
        "8 fdatasync(5</d/fleet.db-wal> <unfinished ...>",
        '7 write(9<socket:[1]>, "HTTP/1.1 200", 12) = 12',
        "8 <... fdatasync resumed>) = 0",
        "7 read(9<socket:[1]>, 0x7f, 99) = -1 EAGAIN (Resource temporarily unavailable)",
        "7 +++ exited with 0 +++",
    ]
    assert [(call.name, call.result) for call in read_trace(lines)] == [
        ("read", 9),
        ("pwrite64", 24),
        ("write", 12),  # before the fdatasync returned: this would be the broken promise
        ("fdatasync", 0),
        ("read", -1),
    ]
