"""The fleet in the terminal: what its stream tells, put together, and drawn as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from forge_shared.condition import Condition, condition
from forge_shared.messages import Card, CardFacts, FleetFrame, Node, Status
from forgectl import figures, fitting
from forgectl.fitting import Column
from forgectl.output import printable

_STYLES: Final = {
    Condition.ONLINE.value: "green",
    Condition.DEGRADED.value: "yellow",
    Condition.OFFLINE.value: "red",
    Condition.OFF.value: "dim",
}
_THERE: Final = frozenset({Condition.ONLINE.value, Condition.DEGRADED.value})
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
    jobs: str
    os: str
    note: str

    @property
    def is_there(self) -> bool:
        return self.status in _THERE


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
        jobs=str(card.jobs or ""),
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


def _status_style(row: Row) -> str:
    return _STYLES[row.status]


def _row_style(row: Row) -> str:
    return "" if row.is_there else "dim"


_COLUMNS: Final = (
    # Where even what stays does not fit, ids are cut before figures are.
    Column[Row]("NODE", lambda row: row.id, may_be_cut=True),
    Column[Row]("NAME", lambda row: row.name, 3),
    Column[Row]("STATUS", lambda row: row.status, style=_status_style),
    Column[Row]("CPU", lambda row: row.cpu, is_figure=True),
    Column[Row]("MEMORY", lambda row: row.memory, 8, is_figure=True),
    Column[Row]("LOAD", lambda row: row.load, 2, is_figure=True),
    Column[Row]("DISK", lambda row: row.disk, 5, is_figure=True),
    Column[Row]("RX", lambda row: row.received, 1, is_figure=True),
    Column[Row]("TX", lambda row: row.sent, 1, is_figure=True),
    Column[Row]("SEEN", lambda row: row.seen, 7, is_figure=True),
    Column[Row]("JOBS", lambda row: row.jobs, 6, is_figure=True),
    Column[Row]("OS", lambda row: row.os, 0),
    Column[Row]("NOTE", lambda row: row.note, 4),
)


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
    return fitting.table(rows, columns, console, most_rows=most_rows, row_style=_row_style)


def _used(rows: Sequence[Row]) -> Iterator[tuple[str, bool]]:
    """Yield the columns that may have nothing to tell, and whether they do."""
    yield "NAME", any(row.name != row.id for row in rows)
    yield "JOBS", any(row.jobs for row in rows)
    yield "NOTE", any(row.note for row in rows)
