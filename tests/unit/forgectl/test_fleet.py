"""The fleet from its frames, and as a table that fits."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from forge_shared.messages import Card, CardFacts, FleetFrame, Status
from forgectl import fleet
from forgectl.fleet import Fleet

NOW = 1_800_000_000_000
FACTS = CardFacts(
    name="",
    os="Debian GNU/Linux 12 (bookworm)",
    platform="linux",
    tags=[],
    ephemeral=False,
    cpu_cores=4,
    mem_total_bytes=2**33,
    agent_version="1",
    first_seen=NOW,
    clock_offset_ms=None,
)
VALUES = {
    "cpu.pct": 3.2,
    "mem.pct": 42.0,
    "load.1m": 0.5,
    "disk.pct": 61.5,
    "net.rx_bytes_per_s": 1_200_000,
    "net.tx_bytes_per_s": 900,
}


def card(node_id: str, *, facts: CardFacts | None = FACTS, **changes: object) -> Card:
    plain = Card(node_id, Status.ONLINE, NOW - 2000, dict(VALUES), facts=facts)
    return msgspec.structs.replace(plain, **changes)


def named(name: str, **changes: object) -> CardFacts:
    return msgspec.structs.replace(FACTS, name=name, **changes)


def of(*cards: Card) -> Fleet:
    shown = Fleet()
    shown.take(FleetFrame(full=True, now=NOW, nodes=list(cards), gone=[]))
    return shown


def drawn(
    shown: Fleet, width: int, *, is_terminal: bool = False, most_rows: int | None = None
) -> list[str]:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=is_terminal, color_system=None, legacy_windows=False
    )
    console.print(fleet.table(shown.rows(NOW), console, most_rows=most_rows))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_frame_changes_what_it_names_and_keeps_facts() -> None:
    shown = of(card("a"), card("b"))
    changed = card("b", facts=None, values={"cpu.pct": 99.0})
    shown.take(FleetFrame(full=False, now=NOW + 1000, nodes=[changed], gone=["a"]))
    (row,) = shown.rows(NOW + 3000)
    assert (row.id, row.cpu, row.memory, row.os) == ("b", "99.0 %", "-", "Debian 12")
    assert row.seen == "5 s ago"
    assert shown.now_ms == NOW + 1000


def test_a_full_frame_begins_anew_and_who_came_back_is_there() -> None:
    shown = of(card("a"), card("b"))
    shown.take(FleetFrame(full=False, now=NOW, nodes=[card("a")], gone=["a"]))
    assert [row.id for row in shown.rows(NOW)] == ["a", "b"]
    shown.take(FleetFrame(full=True, now=NOW, nodes=[card("c", facts=None)], gone=[]))
    assert [row.id for row in shown.rows(NOW)] == ["c"]


def test_nodes_stand_by_name() -> None:
    shown = of(card("z", facts=named("Apple")), card("m"), card("b", facts=named("apple")))
    assert [row.id for row in shown.rows(NOW)] == ["b", "z", "m"]


def test_a_machine_that_is_normally_off_is_off_not_offline() -> None:
    shown = of(
        card("a", status=Status.OFFLINE, facts=named("", ephemeral=True)),
        card("b", status=Status.OFFLINE),
        card("c", facts=named("", ephemeral=True)),
        card("d", status=Status.DEGRADED, facts=named("", ephemeral=True)),
    )
    assert [row.status for row in shown.rows(NOW)] == ["off", "offline", "online", "off"]
    assert fleet.summary(shown.rows(NOW)) == "4 nodes: 1 online, 1 offline, 2 off"
    assert fleet.summary([]) == "no nodes yet"


def test_what_else_there_is_to_know_stands_in_a_column_of_its_own() -> None:
    catching_up = {"agent.spool_bytes": 12_300_000}
    shown = of(
        card("a", values=catching_up, facts=named("", shares_token_of="b")),
        card("b", facts=named("", shares_token_of="b")),
        card("c", values=catching_up, status=Status.OFFLINE),
    )
    notes = [row.note for row in shown.rows(NOW)]
    assert notes == [
        "shares the token of b, catching up: 12.3 MB left",
        "its token is used by others too",
        "",
    ]
    assert drawn(shown, 200)[0].split()[-1] == "NOTE"
    assert "NOTE" not in drawn(of(card("a")), 200)[0]


def test_running_jobs_have_a_column_while_there_are_any() -> None:
    header, *rows = drawn(of(card("a", jobs=3), card("b")), 200)
    assert "JOBS" in header.split()
    assert [row.split()[-3:] for row in rows] == [["3", "Debian", "12"], ["ago", "Debian", "12"]]
    assert "JOBS" not in drawn(of(card("a")), 200)[0]


def test_strangers_strings_cannot_steer_the_terminal() -> None:
    shown = of(card("a", facts=named("\x1b[2Jx\u202ey\n", os="\x07evil\x9b")))
    text = "\n".join(drawn(shown, 200))
    assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e"}
    assert len(text.splitlines()) == 2


def test_a_pipe_gets_everything() -> None:
    shown = of(card("n" * 64, facts=named("N" * 64, os="O" * 256)))
    header, row = drawn(shown, 10_000)
    assert header.split() == [
        *("NODE", "NAME", "STATUS", "CPU", "MEMORY", "LOAD", "DISK", "RX", "TX", "SEEN", "OS")
    ]
    assert "n" * 64 in row
    assert "O" * 256 in row


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (100, "NODE STATUS CPU MEMORY LOAD DISK RX TX SEEN OS"),
        (75, "NODE STATUS CPU MEMORY LOAD DISK RX TX SEEN"),
        (60, "NODE STATUS CPU MEMORY LOAD DISK SEEN"),
        (50, "NODE STATUS CPU MEMORY DISK SEEN"),
        (30, "NODE STATUS CPU MEMORY"),
        (23, "NODE STATUS CPU"),
    ],
)
def test_columns_leave_where_the_terminal_is_narrow(width: int, titles: str) -> None:
    lines = drawn(of(card("nas-2"), card("pc")), width, is_terminal=True)
    assert lines[0].split() == titles.split()
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)


def test_names_have_a_column_when_there_are_any() -> None:
    assert "NAME" not in drawn(of(card("a")), 200)[0]
    assert "NAME" in drawn(of(card("a", facts=named("Attic"))), 200)[0]


def test_a_terminal_that_is_far_too_narrow_still_shows_a_line_a_node() -> None:
    lines = drawn(of(card("a-very-long-name-of-a-node"), card("b")), 16, is_terminal=True)
    assert len(lines) == 3
    assert max(map(len, lines)) <= 16


def test_a_long_id_is_cut_before_figures_are() -> None:
    lines = drawn(of(card("n" * 64), card("b")), 40, is_terminal=True)
    assert lines[0].split() == ["NODE", "STATUS", "CPU"]
    assert len(lines) == 3
    assert max(map(len, lines)) <= 40
    assert sum("…" in line for line in lines) == 1
    assert all("online" in line and "%" in line for line in lines[1:])


def test_rows_that_do_not_fit_are_counted() -> None:
    shown = of(*(card(f"n{number}") for number in range(9)))
    lines = drawn(shown, 100, is_terminal=True, most_rows=5)
    assert len(lines) == 6
    assert lines[-1] == "… 5 more"
    assert len(drawn(shown, 100, is_terminal=True, most_rows=9)) == 10
