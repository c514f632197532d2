"""The fleet in the terminal: what its stream tells, put together, and drawn as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from forge_shared.condition import Condition, condition
from forge_shared.messages import Card, CardFacts, FleetFrame, Node, Status
from forgectl import figures
from forgectl.output import printable

_STYLES: Final = {
    Condition.ONLINE.value: "green",
    Condition.DEGRADED.value: "yellow",
    Condition.OFFLINE.value: "red",
    Condition.OFF.value: "dim",
}
_LONGEST_CELL: Final = 40
_BOUNDLESS: Final = 10_000
_NO_FACTS: Final = CardFacts(
    name="",
    os="",
    platform="",
    tags=[],
    ephemeral=False,
    cpu_cores=0,
    mem_total_bytes=0,
    agent_version="",
    first_seen=0,
    clock_offset_ms=None,
)


class Fleet:
    """Every node, as its last card showed it. ``now_ms``: the last frame's."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._cards: dict[str, Card] = {}

    def take(self, frame: FleetFrame) -> None:
        """Take note of a frame."""
        self.now_ms = frame.now
        if frame.full:
            self._cards.clear()
        for node_id in frame.gone:
            self._cards.pop(node_id, None)
        for card in frame.nodes:
            known = self._cards.get(card.id)
            # Facts come when they are news.
            facts = card.facts or (known.facts if known is not None else None) or _NO_FACTS
            self._cards[card.id] = msgspec.structs.replace(card, facts=facts)

    def rows(self, now_ms: int) -> list[Row]:
        """Return the nodes by name, with how long ago each was seen by then."""
        rows = [_row(card, now_ms) for card in self._cards.values()]
        return sorted(rows, key=lambda row: (row.name.casefold(), row.id))


class Row(NamedTuple):
    """A node in words."""

    id: str
    name: str
    status: str
    cpu: str
    memory: str
    load: str
    disk: str
    received: str
    sent: str
    seen: str
    os: str
    note: str


def _row(card: Card, now_ms: int) -> Row:
    facts, values = card.facts or _NO_FACTS, card.values
    return Row(
        id=card.id,
        name=printable(facts.name or card.id),
        status=condition(card.status, ephemeral=facts.ephemeral).value,
        cpu=figures.percent(values.get("cpu.pct")),
        memory=figures.percent(values.get("mem.pct")),
        load=figures.load(values.get("load.1m")),
        disk=figures.percent(values.get("disk.pct")),
        received=figures.bytes_per_s(values.get("net.rx_bytes_per_s")),
        sent=figures.bytes_per_s(values.get("net.tx_bytes_per_s")),
        seen=f"{figures.span(now_ms - card.last_seen)} ago",
        os=printable(figures.brief_os(facts.os)),
        note=", ".join(_notes(card, facts)),
    )


def _notes(card: Card, facts: CardFacts) -> Iterator[str]:
    """Yield what else there is to know of a node."""
    if facts.shares_token_of is not None:
        yield (
            "its token is used by others too"
            if facts.shares_token_of == card.id
            else f"shares the token of {facts.shares_token_of}"
        )
    unreplayed = card.values.get("agent.spool_bytes")
    if unreplayed is not None and card.status is Status.ONLINE:
        yield f"catching up: {figures.size(unreplayed)} left"


def described(node: Node) -> str:
    """Return what people may change of a node, in a line."""
    tags = f", tags {' '.join(node.tags)}" if node.tags else ""
    off = ", normally off" if node.ephemeral else ""
    return f"{node.id}: {node.name}{tags}{off}"


class _Column(NamedTuple):
    """``leaves``: which columns make room where the terminal is narrow, the lowest first."""

    title: str
    cell: Callable[[Row], str]
    leaves: int
    is_figure: bool = True


_COLUMNS: Final = (
    _Column("NODE", lambda row: row.id, 10, is_figure=False),
    _Column("NAME", lambda row: row.name, 3, is_figure=False),
    _Column("STATUS", lambda row: row.status, 9, is_figure=False),
    _Column("CPU", lambda row: row.cpu, 8),
    _Column("MEMORY", lambda row: row.memory, 7),
    _Column("LOAD", lambda row: row.load, 2),
    _Column("DISK", lambda row: row.disk, 5),
    _Column("RX", lambda row: row.received, 1),
    _Column("TX", lambda row: row.sent, 1),
    _Column("SEEN", lambda row: row.seen, 6),
    _Column("OS", lambda row: row.os, 0, is_figure=False),
    _Column("NOTE", lambda row: row.note, 4, is_figure=False),
)


_COLUMNS_THAT_LEAVE: Final = 8  # by rank; the node, its status and its CPU stay


def summary(rows: Sequence[Row]) -> str:
    """Return how many nodes there are, and how they are."""
    counted = Counter(row.status for row in rows)
    states = [f"{counted[status]} {status}" for status in _STYLES if counted[status]]
    nodes = "1 node" if len(rows) == 1 else f"{len(rows):,} nodes"
    return ": ".join([nodes, ", ".join(states)]) if states else "no nodes yet"


def table(rows: Sequence[Row], console: Console, *, most_rows: int | None = None) -> Table:
    """Return the fleet as a table that fits: columns leave where the terminal is too narrow, and
    rows beyond ``most_rows`` are counted only."""
    idle = {title for title, is_used in _used(rows) if not is_used}
    columns = [column for column in _COLUMNS if column.title not in idle]
    longest_cell = _LONGEST_CELL if console.is_terminal else None
    drawn = _drawn(rows, columns, most_rows, longest_cell)
    for rank in range(_COLUMNS_THAT_LEAVE):
        if _width(drawn, console) <= console.width:
            break
        columns = [column for column in columns if column.leaves != rank]
        drawn = _drawn(rows, columns, most_rows, longest_cell)
    return drawn


def _used(rows: Sequence[Row]) -> Iterator[tuple[str, bool]]:
    """Yield the columns that may have nothing to tell, and whether they do."""
    yield "NAME", any(row.name != row.id for row in rows)
    yield "NOTE", any(row.note for row in rows)


def _width(drawn: Table, console: Console) -> int:
    """Return how wide a table would be that nothing cuts."""
    return Measurement.get(console, console.options.update(max_width=_BOUNDLESS), drawn).maximum


def _drawn(
    rows: Sequence[Row],
    columns: Sequence[_Column],
    most_rows: int | None,
    longest_cell: int | None,
) -> Table:
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(
            column.title,
            justify="right" if column.is_figure else "left",
            # Where even what stays does not fit, ids are cut before figures are.
            no_wrap=column.title != "NODE",
            overflow="ellipsis",
            max_width=longest_cell,
        )
    shown = rows if most_rows is None or len(rows) <= most_rows else rows[: max(0, most_rows - 1)]
    for row in shown:
        is_there = row.status in {"online", "degraded"}
        drawn.add_row(
            *(_cell(column, row) for column in columns), style=None if is_there else "dim"
        )
    if len(shown) < len(rows):
        drawn.add_row(Text(f"… {len(rows) - len(shown):,} more", style="dim"))
    return drawn


def _cell(column: _Column, row: Row) -> Text:
    text = column.cell(row)
    return Text(text, style=_STYLES[text] if column.title == "STATUS" else "")
