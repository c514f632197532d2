"""Progress on a terminal: one line that changes. Silent where stderr is none."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Final

from scripts.simulation.tally import Tally
from scripts.simulation.usage import Meter, between

_PERIOD_S: Final = 2.0
_REDRAW_S: Final = 0.1
_ERASE: Final = "\r\x1b[K"


class ProgressLine:
    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._drawn_at = 0.0

    def show(self, text: str) -> None:
        if self._is_shown:
            sys.stderr.write(f"{_ERASE}  {text}")
            sys.stderr.flush()

    def counter(self, what: str, total: int) -> Callable[[int], None]:
        """Return a function that shows how many are done, not more often than one can read."""

        def count(done: int) -> None:
            now = time.monotonic()
            if done == total or now - self._drawn_at > _REDRAW_S:
                self._drawn_at = now
                self.show(f"{what} {done:,} of {total:,}")

        return count

    def clear(self) -> None:
        if self._is_shown:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()

    async def follow(self, tally: Tally, collector: Meter) -> None:
        """Show how the run goes, every two seconds, until cancelled."""
        started, before, acknowledged = time.monotonic(), await collector.read(), 0
        while self._is_shown:
            await asyncio.sleep(_PERIOD_S)
            after = await collector.read()
            used = between(before, after)
            rate = max(0, tally.acknowledged - acknowledged) / _PERIOD_S
            line = (
                f"{time.monotonic() - started:4.0f} s  {tally.acknowledged:,} acknowledged  "
                f"{rate:,.0f}/s  p99 {tally.acknowledging.percentile_ms(99):.1f} ms  "
                f"{tally.failed:,} errors"
            )
            if used is not None:
                line += f"  collector {used.cpu_share:.0%}, {used.rss_bytes / 1e6:.0f} MB"
            self.show(line)
            before, acknowledged = after, tally.acknowledged
