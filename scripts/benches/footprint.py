"""What readings of a process over time come to. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final, NamedTuple

from scripts.benches.process_tree import Held

_HOUR_S: Final = 3600.0


class Footprint(NamedTuple):
    """``rss``, ``pss``: the median, in bytes; ``rss_max``: the most that was seen. ``cpu_s``: what
    it used in ``lasted_s``. ``growth``: bytes an hour, of the straight line that fits the resident
    memory best; ``drift``: by how many bytes the last quarter's median lies above the first's."""

    rss: int
    rss_max: int
    pss: int
    cpu_s: float
    lasted_s: float
    growth: float
    drift: float
    processes: int

    @property
    def cpu_share(self) -> float:
        """1.0 is one core."""
        return self.cpu_s / self.lasted_s


def of(readings: Sequence[Held]) -> Footprint:
    """Sum up two readings or more, oldest first."""
    times = [reading.at_s for reading in readings]
    rss = [float(reading.rss) for reading in readings]
    quarter = max(1, len(readings) // 4)
    return Footprint(
        rss=round(statistics.median(rss)),
        rss_max=round(max(rss)),
        pss=round(statistics.median(reading.pss for reading in readings)),
        cpu_s=readings[-1].cpu_s - readings[0].cpu_s,
        lasted_s=times[-1] - times[0],
        growth=statistics.linear_regression(times, rss).slope * _HOUR_S,
        drift=statistics.median(rss[-quarter:]) - statistics.median(rss[:quarter]),
        processes=max(reading.processes for reading in readings),
    )
