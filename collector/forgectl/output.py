"""What forgectl prints: tables for people, JSON for programs, and no stranger's control codes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from forge_shared import codec

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        shown.add_row(*(Text(printable(cell)) for cell in row))
    Console().print(shown)


def as_json(message: object) -> None:
    click.echo(json.dumps(json.loads(codec.encode(message)), indent=2))


def printable(text: str) -> str:
    """Return the text with what could steer a terminal replaced."""
    return _CONTROL.sub("\ufffd", text)


def local_time(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
