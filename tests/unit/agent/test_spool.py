"""The spool on real files."""

from __future__ import annotations

import errno
import io
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_agent.core import spooling
from forge_agent.log import Log
from forge_agent.spool import Spool

MIB = 1024 * 1024


class Disk:
    """A spool folder and what its spools say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = io.StringIO()

    def spool(self, limit_bytes: int = 256 * MIB) -> Spool:
        return Spool(self.folder, limit_bytes, Log(self.said, human=False))

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.said.getvalue().splitlines()]

    def files(self) -> list[Path]:
        return sorted(self.folder.iterdir())


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "spool")


def line(number: int, size: int = 0) -> bytes:
    return json.dumps({"seq": number, "pad": "x" * size}).encode() + b"\n"


def drained(spool: Spool, lines: int = 500) -> list[bytes]:
    """Answer everything; return the lines in the order they were read."""
    read: list[bytes] = []
    while (batch := spool.next_batch(lines)) is not None:
        found = batch.body.splitlines(keepends=True)
        assert len(found) == batch.lines
        read += found
        spool.answered(batch)
    return read


def test_lines_come_back_in_order_and_leave_nothing(disk: Disk) -> None:
    spool = disk.spool()
    for number in range(1234):
        spool.append(line(number))
    assert spool.waiting_bytes == sum(len(line(number)) for number in range(1234))
    assert drained(spool) == [line(number) for number in range(1234)]
    assert spool.waiting_bytes == 0
    assert disk.files() == []
    spool.append(line(7))
    assert drained(spool) == [line(7)]
    spool.close()


def test_an_unanswered_batch_comes_again_also_after_a_restart(disk: Disk) -> None:
    spool = disk.spool()
    for number in range(10):
        spool.append(line(number))
    first = spool.next_batch(4)
    assert first is not None
    assert spool.next_batch(4) == first
    spool.answered(first)
    assert spool.next_batch(1) != first
    spool.close()
    again = disk.spool()
    assert drained(again) == [line(number) for number in range(10)]


def test_new_lines_go_to_a_new_segment_after_a_restart(disk: Disk) -> None:
    first = disk.spool()
    first.append(line(0))
    first.close()
    second = disk.spool()
    second.append(line(1))
    second.close()
    assert len(disk.files()) == 2
    assert drained(disk.spool()) == [line(0), line(1)]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_files_are_their_owners(disk: Disk) -> None:
    spool = disk.spool()
    spool.append(line(0))
    spool.close()
    assert stat.S_IMODE(disk.folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in disk.files()] == [0o600]


def test_segments_are_bounded(disk: Disk) -> None:
    spool = disk.spool()
    for number in range(100):
        spool.append(line(number, 100_000))
    spool.close()
    assert len(disk.files()) == 3
    assert all(path.stat().st_size <= spooling.SEGMENT_BYTES for path in disk.files())


@given(st.integers(1, 39))
def test_a_torn_last_line_is_cut_off(tmp_path_factory: pytest.TempPathFactory, torn: int) -> None:
    disk = Disk(tmp_path_factory.mktemp("torn") / "spool")
    spool = disk.spool()
    for number in range(3):
        spool.append(line(number, 30))
    spool.close()
    segment = disk.files()[0]
    os.truncate(segment, segment.stat().st_size - torn)
    again = disk.spool()
    again.append(line(3))
    assert drained(again) == [line(0, 30), line(1, 30), line(3)]
    assert disk.events() == ["torn_line"]


def test_a_file_of_nothing_but_a_torn_line_goes(disk: Disk) -> None:
    disk.folder.mkdir()
    (disk.folder / "0000000007.ndjson").write_bytes(b'{"seq":')
    spool = disk.spool()
    assert spool.waiting_bytes == 0
    spool.append(line(8))
    assert drained(spool) == [line(8)]
    assert disk.files() == []


def test_damaged_lines_are_sent_and_blank_ones_are_not(disk: Disk) -> None:
    disk.folder.mkdir()
    long = b"\0" * (spooling.BATCH_BYTES * 2) + b"\n"
    content = b"\n" + line(0) + b"\0\0garbage\n" + b" \t\n" + long + line(1) + b"\n \n"
    (disk.folder / "0000000001.ndjson").write_bytes(content)
    (disk.folder / "0000000002.ndjson").write_bytes(line(2))
    (disk.folder / "notes.txt").write_bytes(b"not ours")
    assert drained(disk.spool()) == [line(0), b"\0\0garbage\n", long, line(1), line(2)]
    assert [path.name for path in disk.files()] == ["notes.txt"]


def test_above_the_limit_the_oldest_go_and_are_counted(disk: Disk) -> None:
    spool = disk.spool(limit_bytes=MIB)
    for number in range(3000):
        spool.append(line(number, 1000))
        assert spool.waiting_bytes <= MIB
    spool.close()
    assert sum(path.stat().st_size for path in disk.files()) <= MIB
    left = drained(disk.spool(MIB))
    assert left == [line(number, 1000) for number in range(3000 - len(left), 3000)]
    assert len(left) + spool.dropped == 3000
    assert len(left) > 800
    assert disk.events() == ["spool_full"]


def test_what_was_answered_is_not_counted_as_dropped(disk: Disk) -> None:
    spool = disk.spool(limit_bytes=MIB)
    for number in range(1000):
        spool.append(line(number, 1000))
    batch = spool.next_batch(50)
    assert batch is not None
    spool.answered(batch)
    late = spool.next_batch(10)
    assert late is not None
    for number in range(1000, 1200):
        spool.append(line(number, 1000))
    spool.answered(late)  # of a segment that is gone by now
    assert len(drained(spool)) + spool.dropped + 50 == 1200


def full_disk(monkeypatch: pytest.MonkeyPatch, room: int) -> list[int]:
    """Let the next writes fit into ``room`` bytes, the one that does not being cut in the middle;
    return a list whose only entry is the room left."""
    left = [room]
    write = os.write

    def limited(fd: int, data: memoryview) -> int:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(fd, data[: left[0]])
        left[0] -= written
        return written

    monkeypatch.setattr(os, "write", limited)
    return left


def test_a_full_disk_undoes_half_a_line_and_is_said_once(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = disk.spool()
    spool.append(line(0))
    left = full_disk(monkeypatch, 5)
    spool.append(line(1))
    spool.append(line(2))
    assert spool.dropped == 2
    left[0] = 10**6
    spool.append(line(3))
    spool.close()
    assert disk.events() == ["disk_full", "disk_recovered"]
    assert drained(disk.spool()) == [line(0), line(3)]


def test_a_full_disk_gives_up_the_oldest_segment_once(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):  # a segment each
        spool = disk.spool()
        spool.append(line(number))
        spool.close()
    spool = disk.spool()
    full_disk(monkeypatch, 0)
    spool.append(line(3))
    spool.append(line(4))
    assert spool.dropped == 3
    assert drained(spool) == [line(1), line(2)]


def test_half_a_line_that_cannot_be_undone_is_not_glued_to_the_next(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(fd: int, size: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    spool = disk.spool()
    spool.append(line(0))
    with monkeypatch.context() as patched:
        full_disk(patched, 5)
        patched.setattr(os, "ftruncate", broken)
        spool.append(line(1))
    spool.append(line(2))
    assert drained(spool) == [line(0), line(2)]
    spool.close()


def test_a_segment_that_vanished_does_not_stop_the_rest(disk: Disk) -> None:
    for number in range(2):
        spool = disk.spool()
        spool.append(line(number))
        spool.close()
    spool = disk.spool()
    disk.files()[0].unlink()
    assert drained(spool) == [line(1)]
    assert disk.events() == ["spool_unreadable"]


@given(st.lists(st.integers(0, 100), max_size=10), st.integers(0, 100), st.integers(0, 500))
def test_as_few_segments_go_as_make_room(sizes: list[int], incoming: int, limit: int) -> None:
    drops = spooling.segments_to_drop(sizes, incoming, limit)
    assert sum(sizes[drops:]) + incoming <= limit or drops == len(sizes)
    if drops:
        assert sum(sizes[drops - 1 :]) + incoming > limit


@given(st.lists(st.binary(max_size=20)), st.integers(1, 10))
def test_a_cut_is_whole_lines(pieces: list[bytes], max_lines: int) -> None:
    chunk = b"\n".join(pieces)
    cut = spooling.cut(chunk, max_lines)
    consumed = chunk[: cut.consumed]
    assert consumed == b"" or consumed.endswith(b"\n")
    kept = [text for text in consumed.split(b"\n") if text.strip()]
    assert cut.body == b"".join(text + b"\n" for text in kept)
    assert cut.lines == len(kept) <= max_lines
