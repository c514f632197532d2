"""What forgectl prints: tables for people, JSON for programs, and no stranger's control codes."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from forge_shared import codec

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BOUNDLESS: Final = 10_000


@contextmanager
def until_closed() -> Iterator[None]:
    """Run until whoever reads the standard output has had enough, as ``head`` has: no error."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if not _is_closed_pipe(error):
            raise
        # What is left in the buffer would fail once more as the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_closed_pipe(error: OSError) -> bool:
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table whose first column is to be copied from, and never cut: where the terminal is
    narrow, the others are broken into lines."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    cells = [[printable(cell) for cell in row] for row in rows]
    widest = max((len(row[0]) for row in cells), default=0)
    for title in columns:
        is_first = not shown.columns
        shown.add_column(
            title, overflow="fold", no_wrap=is_first, min_width=widest if is_first else None
        )
    for row in cells:
        shown.add_row(*map(Text, row))
    console().print(shown, crop=False)


def console() -> Console:
    """Return the standard output to draw on: as wide as the terminal, and boundless where it is
    none, because a program that reads it has no use for what was cut."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # the letters of a name may not be among its own
    drawn = Console()
    if not drawn.is_terminal and "COLUMNS" not in os.environ:
        drawn.width = _BOUNDLESS
    return drawn


def as_json(message: object) -> None:
    click.echo(json.dumps(json.loads(codec.encode(message)), indent=2))


def data(text: str) -> None:
    """Print lines meant for programs, as they are; on a terminal, as it can bear them."""
    if sys.stdout.isatty():
        text = "\n".join(printable(line) for line in text.split("\n"))
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def notice(text: str) -> None:
    """Tell the person at the terminal something that is not part of the output."""
    click.echo(printable(text), err=True)


def printable(text: str) -> str:
    """Return the text with what could steer a terminal replaced."""
    return _CONTROL.sub("\ufffd", text)


def local_time(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
