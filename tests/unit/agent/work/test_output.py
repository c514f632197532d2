"""What programs write, made harmless; and orders, read as they were written."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from forge_agent.work import confinement, orders
from forge_agent.work.orders import Order
from forge_agent.work.output import LONGEST_LINE, Lines, harmless


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
