"""What programs write, made harmless; and orders, read as they were written."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from forge_agent.work import confinement, orders, output
from forge_agent.work.orders import Order
from forge_agent.work.output import LONGEST_LINE, Lines, Pace, harmless
from tests.process import PATIENCE_S


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"plain\ttext\n", "plain\ttext\n"),
        ("größer".encode(), "größer"),
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"\x1b]8;;http://evil/\x1b\\link\x1b]8;;\x07", "link"),
        (b"\x1bP+q544e\x1b\\after", "after"),
        (b"\x1bcreset", "reset"),
        (b"10 %\r20 %\r\ndone", "10 %\n20 %\ndone"),
        (b"a\x00b\x08c\x7f", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c" + "\ufffd"),
        ("\x9b31mred".encode(), "red"),
        ("\u202egnp.exe".encode(), "\N{REPLACEMENT CHARACTER}gnp.exe"),
        (b"cut \x1b", "cut "),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
    ],
)
def test_what_terminals_obey_is_taken_out(written: bytes, shown: str) -> None:
    assert harmless(written) == shown


def read(content: bytes) -> tuple[bool, list[bytes]]:
    lines = Lines()
    ended_well = lines.read_all(io.BytesIO(content))
    found = []
    while (line := lines.take(0)) is not None:
        found.append(line)
    assert lines.at_end
    return ended_well, found


def test_lines_are_taken_as_they_come() -> None:
    content = b'{"a": 1}\n\n  \r\n{"b": 2}\r\nlast without end'
    assert read(content) == (True, [b'{"a": 1}', b'{"b": 2}', b"last without end"])


def test_a_line_may_be_long_but_not_too_long() -> None:
    longest = b"x" * LONGEST_LINE
    assert read(longest + b"\n") == (True, [longest])
    assert read(b"1\n" + longest + b"x\n2\n") == (False, [b"1"])


def test_a_thread_rests_until_it_has_kept_to_its_share() -> None:
    spent_s, now_s = 0.0, 100.0
    pace = Pace(lambda: spent_s, lambda: now_s)
    assert pace.rest_s() == 0
    spent_s, now_s = 0.9, now_s + 0.9  # so much at once is free
    assert pace.rest_s() == 0
    spent_s, now_s = 1.9, now_s + 1.0
    rest_s = pace.rest_s()
    assert rest_s > 10
    now_s += rest_s
    assert pace.rest_s() == 0
    spent_s, now_s = 2.0, now_s + 1000.0  # a long rest makes good for no more than at first
    assert pace.rest_s() == 0
    spent_s += 1.1
    assert pace.rest_s() > 1


def test_a_flood_is_taken_slowly_until_the_end_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_AT_ONCE_S", 0.0)
    monkeypatch.setattr(output, "_SHARE", 1e-9)
    lines, count = Lines(), 40
    reading, writing = os.pipe()
    with open(reading, "rb") as source, open(writing, "wb", buffering=0) as flood:  # noqa: PTH123
        reader = threading.Thread(target=lines.read_all, args=(source,))
        reader.start()
        flood.write(b"x\n" * count)
        assert lines.take(PATIENCE_S) == b"x"
        assert lines.take(0.01) is None  # there are more, but it is not their time
        lines.hurry()
        assert [lines.take(PATIENCE_S) for _ in range(count - 1)] == [b"x"] * (count - 1)
        flood.close()
        reader.join(PATIENCE_S)
    assert lines.at_end


def test_what_is_left_at_the_end_is_taken_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_AT_ONCE_S", 0.0)
    monkeypatch.setattr(output, "_SHARE", 1e-9)
    assert read(b"x\n" * 60) == (True, [b"x"] * 60)


def test_an_order_comes_as_it_was_given() -> None:
    order = Order(
        argv=("/bin/sh", "x y.sh"),
        env={"HOME": "/ü"},
        work_dir=Path("/w"),
        document_bytes=5,
        report_fd=7,
        programs=(Path("/p"),),
        readable=(Path("/r"),),
        wall_s=1.5,
        memory_mib=3,
    )
    source = io.BytesIO(orders.encode(order) + b"12345" + orders.TERM)
    assert orders.read(source.read) == (order, b"12345", orders.TERM)


@pytest.mark.parametrize("content", [b"", b"{}", b"\n", b"[]\n", b"{}\n", b'{"nothing": 1}\n'])
def test_what_is_no_order_is_refused(content: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        orders.read(io.BytesIO(content).read)


def test_an_order_without_its_document_is_refused() -> None:
    order = Order(("/bin/sh",), {}, Path("/w"), document_bytes=5, report_fd=1)
    with pytest.raises(ValueError, match="ended early"):
        orders.read(io.BytesIO(orders.encode(order) + b"123").read)


def test_a_path_is_exposed_by_what_lies_above_it(tmp_path: Path) -> None:
    state = tmp_path / "home" / "state"
    (state / "plugins" / "one").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "home")
    protected = [state, tmp_path / "agent.toml"]
    assert confinement.exposed([tmp_path / "other", state / "plugins" / "one"], protected) is None
    for path in (state, tmp_path / "home", tmp_path / "link", tmp_path, Path("/")):
        assert confinement.exposed([path], protected) == path


def test_what_is_granted_shows_nothing_protected_and_lies_in_nothing(tmp_path: Path) -> None:
    state = tmp_path / "home" / "state"
    state.mkdir(parents=True)
    data = tmp_path / "collector"
    (data / "backups").mkdir(parents=True)
    (data / "fleet.db").touch()
    (tmp_path / "link").symlink_to(data / "fleet.db")
    for path in (
        *(tmp_path / "home", state, state / "token"),
        *(data, data / "fleet.db", data / "backups", tmp_path / "link"),
    ):
        assert confinement.is_protected(path, [state]), path
    assert not confinement.is_protected(tmp_path / "home" / "media", [state])
