"""Load averages of a machine with more or fewer tasks, as Linux would have computed them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# kernel/sched/loadavg.c: fixed point with 11 bits; a decay of 1/e in 1, 5 and 15 minutes, in steps
# of 5 s.
_ONE: Final = 1 << 11
_DECAY: Final[Mapping[str, int]] = {"load.1m": 1884, "load.5m": 2014, "load.15m": 2037}
_SHORTEST: Final = "load.1m"


def scaled(gauges: Mapping[str, Floats], activity: float) -> dict[str, Floats]:
    """Return the averages had there been ``activity`` times as many tasks; nothing where there are
    none (Windows)."""
    if any(name not in gauges or np.isnan(gauges[name]).any() for name in _DECAY):
        return {}
    tasks = _tasks(gauges[_SHORTEST])
    more = np.diff(np.floor(np.cumsum(tasks * activity)), prepend=0)
    return {
        name: _average(gauges[name][0] * activity, more, decay) for name, decay in _DECAY.items()
    }


def _tasks(average: Floats) -> Floats:
    """Return how many tasks each reading of the one-minute average was told of: one update lies
    between two readings, 5 s apart."""
    decay = _DECAY[_SHORTEST] / _ONE
    told = (average[1:] - average[:-1] * decay) / (1 - decay)
    return np.concatenate([[0.0], np.maximum(np.round(told), 0)])


def _average(first: float, tasks: Floats, decay: int) -> Floats:
    load = round(first * _ONE)
    found = [load]
    for count in tasks[1:].astype(int).tolist():
        active = count * _ONE
        load = load * decay + active * (_ONE - decay) + (_ONE - 1 if active >= load else 0)
        load //= _ONE
        found.append(load)
    return np.array(found) / _ONE
