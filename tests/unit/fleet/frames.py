"""The fleet stream as a client sees it: frames decoded, and the state that they add up to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, NamedTuple

import msgspec
import pytest

from forge_collector.fleet import watching
from forge_collector.fleet.live import EVENT_NAME, LiveFleet
from forge_collector.fleet.rules import SPARKLINE_POINTS
from forge_shared.messages import Card, CardFacts, FleetFrame, Point


class Event(NamedTuple):
    """One event of the stream, taken apart."""

    id: str
    frame: FleetFrame


def read_event(encoded: bytes) -> Event:
    """Take an encoded event apart, and hold it to the format."""
    assert encoded.endswith(b"\n\n")
    fields = dict(line.split(b": ", 1) for line in encoded[:-2].split(b"\n"))
    assert list(fields) == [b"id", b"event", b"data"]
    assert fields[b"event"] == EVENT_NAME.encode()
    frame = msgspec.json.decode(fields[b"data"], type=FleetFrame, strict=True)
    return Event(fields[b"id"].decode(), frame)


def read_snapshot(encoded: bytes) -> Point:
    """Take an event of a watched node apart."""
    assert encoded.endswith(b"\n\n")
    fields = dict(line.split(b": ", 1) for line in encoded[:-2].split(b"\n"))
    assert list(fields) == [b"event", b"data"]
    assert fields[b"event"] == watching.EVENT_NAME.encode()
    return msgspec.json.decode(fields[b"data"], type=Point, strict=True)


async def is_quiet(reading: Coroutine[Any, Any, object]) -> bool:
    """Tell whether who reads would have to wait. The stream cannot be read on afterwards."""
    task = asyncio.ensure_future(reading)
    for _ in range(3):
        await asyncio.sleep(0)
    if task.done():
        return False
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return True


class Shown(NamedTuple):
    """A card as a client shows it, built from the frames it got."""

    card: Card
    facts: CardFacts
    cpu: list[int | float]


class Client:
    """Applies frames as the page does: forget the gone, then take the cards."""

    def __init__(self, live: LiveFleet) -> None:
        self._live = live
        self.cards: dict[str, Shown] = {}
        self.last_event_id: str | None = None
        self._frames: AsyncIterator[bytes] | None = None

    async def next(self) -> FleetFrame:
        """Take the next frame; it must be there already, or come."""
        if self._frames is None:
            self._frames = self._live.frames(self.last_event_id)
        event = read_event(await anext(self._frames))
        self.last_event_id = event.id
        self.apply(event.frame)
        return event.frame

    def reconnect(self, *, remember: bool = True) -> None:
        """Lose the connection; without a memory, as a page that was loaded anew."""
        self._frames = None
        if not remember:
            self.cards, self.last_event_id = {}, None

    def apply(self, frame: FleetFrame) -> None:
        if frame.full:
            self.cards = {}
        for node_id in frame.gone:
            self.cards.pop(node_id, None)
        for card in frame.nodes:
            before = self.cards.get(card.id)
            facts = card.facts or (before.facts if before else None)
            assert facts is not None, f"{card.id} came without facts to a client that has none"
            cpu = [*(before.cpu if before else []), *card.cpu][-SPARKLINE_POINTS:]
            self.cards[card.id] = Shown(
                msgspec.structs.replace(card, cpu=[], facts=None), facts, cpu
            )
