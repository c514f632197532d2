"""Measures one run: where things stood when counting began, and what was used since."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scripts.simulation import usage
from scripts.simulation.admin import Admin, AdminError
from scripts.simulation.agents import Agent
from scripts.simulation.report import Report, Storage
from scripts.simulation.tally import Tally
from scripts.simulation.usage import Meter, ProcessMeter, Share, Usage

_CHECKPOINT_S: Final = 1.5  # the collector folds its log in once a second
_DATABASE: Final = "forge_database_bytes"
_LOG: Final = "forge_database_log_bytes"


@dataclass(slots=True)
class _Standing:
    at: float
    machine_cpu_s: float
    simulator: Usage | None
    collector: Usage | None
    database_bytes: float | None


class Measurement:
    """``begin``, after a warm-up perhaps once more, then ``end``, then ``report``."""

    def __init__(self, admin: Admin, collector: Meter, tally: Tally) -> None:
        self._admin = admin
        self._collector = collector
        self._simulator = ProcessMeter()
        self._tally = tally

    async def begin(self) -> None:
        figures = await self._figures()
        self._before = await self._standing(figures.get(_DATABASE))

    async def begin_again_after(self, seconds: float) -> None:
        """Leave out of the figures what happens until then."""
        await asyncio.sleep(seconds)
        await self.begin()
        self._tally.begin_anew()

    async def end(self) -> None:
        """Stop the clock; the pushes are over."""
        after = await self._standing(None)
        self._seconds = after.at - self._before.at
        self._simulator_share = usage.between(self._before.simulator, after.simulator)
        self._collector_share = usage.between(self._before.collector, after.collector)
        self._machine_cpu_s = after.machine_cpu_s - self._before.machine_cpu_s

    async def report(self, agents: Sequence[Agent], interval_s: float, connections: int) -> Report:
        tally = self._tally
        storage = await self._storage()
        return Report(
            nodes=len(agents),
            interval_s=interval_s,
            seconds=self._seconds,
            connections=connections,
            values_per_snapshot=sum(agent.values for agent in agents) / max(1, len(agents)),
            pushes_sent=tally.sent,
            pushes_acknowledged=tally.acknowledged,
            pushes_per_s=tally.acknowledged / self._seconds,
            bytes_sent=tally.bytes_sent,
            acknowledged_ms=tally.acknowledging.percentiles(),
            late_ms=tally.late.percentiles(),
            from_due_ms=tally.whole.percentiles(),
            errors=dict(tally.errors),
            error_examples=tally.examples,
            simulator=self._simulator_share,
            collector=self._collector_share,
            collector_us_per_push=_us_per_push(self._collector_share, tally),
            others_cpu_share=self._others_cpu_share(),
            cores=os.cpu_count() or 1,
            storage=storage,
        )

    def _others_cpu_share(self) -> float | None:
        """Return the cores' worth of CPU that all else on this machine used."""
        if not self._collector.is_here or not self._simulator_share or not self._collector_share:
            return None
        ours = self._simulator_share.cpu_s + self._collector_share.cpu_s
        return max(0.0, self._machine_cpu_s - ours) / self._seconds

    async def _standing(self, database_bytes: float | None) -> _Standing:
        simulator, collector = await self._simulator.read(), await self._collector.read()
        return _Standing(
            time.monotonic(), usage.machine_cpu_s(), simulator, collector, database_bytes
        )

    async def _storage(self) -> Storage | None:
        await asyncio.sleep(_CHECKPOINT_S)
        figures, before = await self._figures(), self._before.database_bytes
        if _DATABASE not in figures or before is None:
            return None
        grown, pushes = figures[_DATABASE] - before, self._tally.acknowledged
        return Storage(
            database_bytes=int(figures[_DATABASE]),
            log_bytes=int(figures.get(_LOG, 0)),
            bytes_per_snapshot=grown / pushes if pushes else None,
        )

    async def _figures(self) -> dict[str, float]:
        """Return the collector's figures, none of them when it does not answer."""
        try:
            return await self._admin.metrics()
        except AdminError:
            return {}


def _us_per_push(share: Share | None, tally: Tally) -> float | None:
    return share.cpu_s / tally.acknowledged * 1e6 if share and tally.acknowledged else None
