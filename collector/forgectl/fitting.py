"""Tables that fit the terminal: where it is too narrow, the columns that tell least leave first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

STAYS: Final = 1_000

_LONGEST_CELL: Final = 40
_BOUNDLESS: Final = 10_000

R = TypeVar("R")


def _plain(_row: object) -> str:
    return ""


class Column(NamedTuple, Generic[R]):
    """``cell``: what a row shows there, printable. ``leaves``: which columns make room, the lowest
    first; those that STAY never do. ``may_be_cut``: before others, where even those do not fit;
    ``is_copied``: never, because people copy from it."""

    title: str
    cell: Callable[[R], str]
    leaves: int = STAYS
    is_figure: bool = False
    may_be_cut: bool = False
    is_copied: bool = False
    style: Callable[[R], str] = _plain


def table(
    rows: Sequence[R],
    columns: Iterable[Column[R]],
    console: Console,
    *,
    most_rows: int | None = None,
    row_style: Callable[[R], str] = _plain,
) -> Table:
    """Return a table as wide as the console at most; rows beyond ``most_rows`` are counted only."""
    shown = rows if most_rows is None or len(rows) <= most_rows else rows[: max(0, most_rows - 1)]
    left = list(columns)
    ranks = sorted({column.leaves for column in left if column.leaves != STAYS})
    drawn = _drawn(shown, left, console, row_style)
    for rank in ranks:
        if _width(drawn, console) <= console.width:
            break
        left = [column for column in left if column.leaves != rank]
        drawn = _drawn(shown, left, console, row_style)
    if len(shown) < len(rows):
        drawn.add_row(Text(f"… {len(rows) - len(shown):,} more", style="dim"))
    return drawn


def _width(drawn: Table, console: Console) -> int:
    """Return how wide a table would be that nothing cuts."""
    return Measurement.get(console, console.options.update(max_width=_BOUNDLESS), drawn).maximum


def _drawn(
    rows: Sequence[R],
    columns: Sequence[Column[R]],
    console: Console,
    row_style: Callable[[R], str],
) -> Table:
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        widest = max((len(column.cell(row)) for row in rows), default=0)
        drawn.add_column(
            column.title,
            justify="right" if column.is_figure else "left",
            no_wrap=not column.may_be_cut,
            overflow="ellipsis",
            min_width=widest if column.is_copied else None,
            max_width=_LONGEST_CELL if console.is_terminal else None,
        )
    for row in rows:
        cells = (Text(column.cell(row), style=column.style(row)) for column in columns)
        drawn.add_row(*cells, style=row_style(row) or None)
    return drawn
