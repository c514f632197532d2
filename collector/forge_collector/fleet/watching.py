"""Nodes that somebody watches: each one's newest snapshot goes out as it comes.

There is something here for watched nodes alone, so that a fleet nobody watches costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from forge_collector.fleet import rules
from forge_collector.http.streams import event
from forge_shared import codec, metrics
from forge_shared.messages import Point

EVENT_NAME: Final = "snapshot"
# A little less than the usual interval: no turn comes to the millisecond.
_RHYTHM_MS: Final = rules.PUSH_INTERVAL_S * 1000 - 500


class Watches:
    """The nodes that are watched."""

    def __init__(self) -> None:
        self._watches: dict[str, Watch] = {}

    def __len__(self) -> int:
        return len(self._watches)

    def get(self, node_id: str) -> Watch | None:
        return self._watches.get(node_id)

    @contextmanager
    def open(self, node_id: str, latest: Point | None) -> Iterator[AsyncIterator[bytes]]:
        """Watch a node for as long as the block lasts; gives its events, encoded, beginning with
        the latest that is known."""
        watch = self._watches.get(node_id)
        if watch is None:
            watch = self._watches[node_id] = Watch()
            watch.tell(latest)
        watch.watchers += 1
        try:
            yield watch.frames()
        finally:
            watch.watchers -= 1
            # A node that was forgotten and came back has another watch by now.
            if not watch.watchers and self._watches.get(node_id) is watch:
                del self._watches[node_id]

    def end(self, node_id: str) -> None:
        """End the streams of a node that is no more."""
        watch = self._watches.pop(node_id, None)
        if watch is not None:
            watch.end()


class Watch:
    """One watched node: its newest event, encoded once for all who watch.

    Nothing queues: who was slow finds the newest, not what it missed.
    """

    def __init__(self) -> None:
        self.watchers = 0
        self._frame = b""
        self._told = 0
        self._is_over = False
        self._news = asyncio.Event()
        self._thinned_ts = 0
        self._sum = 0.0
        self._count = 0

    def tell(self, point: Point | None) -> None:
        if point is None:
            return
        self._frame = event(EVENT_NAME, codec.encode(point))
        self._told += 1
        self._wake()

    def end(self) -> None:
        self._is_over = True
        self._wake()

    def thinned(self, ts: int, value: float) -> float | None:
        """Take a value each second; return one in the usual rhythm, the mean since the last, when
        it is time for it. So a sparkline spans the same time, watched or not."""
        self._sum += value
        self._count += 1
        if abs(ts - self._thinned_ts) < _RHYTHM_MS:
            return None
        mean = metrics.rounded(rules.SPARKLINE_METRIC, self._sum / self._count)
        self._thinned_ts, self._sum, self._count = ts, 0.0, 0
        return mean

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield the newest event, then each that is the newest when it is asked for, to the end."""
        seen = 0
        while not self._is_over:
            if seen == self._told:
                await self._news.wait()
            else:
                seen = self._told
                yield self._frame

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
