"""The fleet live in the terminal, redrawn as its stream tells of changes."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import Final

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from forge_shared.messages import FleetFrame
from forgectl import fleet, output
from forgectl.client import Client, decoded
from forgectl.fleet import Fleet

EVENTS: Final = "/api/fleet/events"
_REDRAWN_PER_S: Final = 2  # what was seen how long ago changes without any news
_PRINTED_EVERY_S: Final = 5.0
_LINES_ABOVE_ROWS: Final = 3


def once(client: Client) -> Fleet:
    """Return the fleet as it is."""
    shown = Fleet()
    with closing(client.events(EVENTS)) as events:
        shown.take(decoded(next(events), FleetFrame))
    return shown


def as_json(client: Client) -> None:
    """Print each frame of the stream as it comes, one a line."""
    with closing(client.events(EVENTS)) as events:
        for data in events:
            click.echo(data.decode())


def printed(client: Client) -> None:
    """Print the fleet again and again, for a reader that is no terminal."""
    shown, console = Fleet(), output.console()
    printed_s = -_PRINTED_EVERY_S
    with closing(client.events(EVENTS)) as events:
        for data in events:
            shown.take(decoded(data, FleetFrame))
            if time.monotonic() - printed_s >= _PRINTED_EVERY_S:
                printed_s = time.monotonic()
                console.print(fleet.table(shown.rows(shown.now_ms), console))
                console.file.write("\n")
                console.file.flush()


def redrawn(client: Client) -> None:
    """Redraw the fleet on the whole terminal until it is interrupted, and find a collector that
    went away again; raises ClientError when there never was one, or it refuses."""
    screen = _Screen(output.console(), client.url)
    with (
        Live(
            get_renderable=screen.drawn,
            console=screen.console,
            screen=True,
            refresh_per_second=_REDRAWN_PER_S,
        ),
        closing(client.lasting_events(EVENTS, screen.lost)) as events,
    ):
        for data in events:
            screen.take(decoded(data, FleetFrame))


class _Screen:
    """What is drawn. Live draws in a thread of its own."""

    def __init__(self, console: Console, url: str) -> None:
        self.console = console
        self._url = url
        self._lock = threading.Lock()
        self._fleet = Fleet()
        self._taken_s = time.monotonic()
        self._trouble = ""

    def take(self, frame: FleetFrame) -> None:
        with self._lock:
            self._fleet.take(frame)
            self._taken_s = time.monotonic()
            self._trouble = ""

    def lost(self, reason: str) -> None:
        with self._lock:
            self._trouble = reason

    def drawn(self) -> Group:
        with self._lock:
            now_ms = self._fleet.now_ms + round((time.monotonic() - self._taken_s) * 1000)
            rows = self._fleet.rows(now_ms)
            trouble = self._trouble
        room = max(1, self.console.height - _LINES_ABOVE_ROWS)
        head = Text(f"{self._url}   {fleet.summary(rows)}", no_wrap=True, overflow="ellipsis")
        if trouble:
            head = Text(output.printable(trouble), "red", no_wrap=True, overflow="ellipsis")
        return Group(head, "", fleet.table(rows, self.console, most_rows=room))
