"""Reads the machine as an agent does, at a steady pace, and writes the readings as they are."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

from forge_agent.core.rates import Reading
from forge_agent.sampling.sampler import Family

_DECIMALS: Final = 6


def record(
    out: TextIO,
    interval_s: float,
    until: Callable[[], bool],
    families: Mapping[str, Family],
) -> int:
    """Write one line a reading until told to stop; return how many.

    Counters are written, not rates: whoever reads the recording may look at the machine at any
    multiple of the interval, beginning at any of its readings, as an agent would have.
    """
    written = 0
    turn_s = time.monotonic()
    while not until():
        out.write(json.dumps(_line(families), separators=(",", ":")) + "\n")
        out.flush()
        written += 1
        missed = max(0, (time.monotonic() - turn_s) // interval_s)
        turn_s += (missed + 1) * interval_s
        time.sleep(max(0.0, turn_s - time.monotonic()))
    return written


def _line(families: Mapping[str, Family]) -> dict[str, Any]:
    wall_ms, monotonic_s = int(time.time() * 1000), time.monotonic()
    whole = merged([read() for read in families.values()])
    return {
        "ts": wall_ms,
        "monotonic_s": round(monotonic_s, _DECIMALS),
        "gauges": {key: round(value, _DECIMALS) for key, value in whole.gauges.items()},
        "totals": dict(whole.totals),
        "shares": {
            key: [round(part, _DECIMALS), round(of, _DECIMALS)]
            for key, (part, of) in whole.shares.items()
        },
    }


def merged(readings: list[Reading]) -> Reading:
    return Reading(
        {key: value for reading in readings for key, value in reading.gauges.items()},
        {key: value for reading in readings for key, value in reading.totals.items()},
        {key: value for reading in readings for key, value in reading.shares.items()},
    )
