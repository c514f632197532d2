"""One sample of everything: the families in a fixed order, each for itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from forge_agent.core import rates
from forge_agent.core.rates import Baseline, Reading
from forge_agent.log import Log
from forge_agent.sampling import cpu, disks, host, memory, network, sensors

Family = Callable[[], Reading]

FAMILIES: Final[dict[str, Family]] = {
    "cpu": cpu.read,
    "memory": memory.read,
    "disks": disks.read,
    "network": network.read,
    "sensors": sensors.read,
    "host": host.read,
}


class Sampler:
    """Reads all families, and turns counters into rates since its last sample.

    One sampler is one cadence: who samples at another rhythm needs another one, or each would
    shorten the other's intervals.
    """

    def __init__(self, log: Log, families: dict[str, Family] = FAMILIES) -> None:
        self._log = log
        self._families = families
        self._said: set[str] = set()  # families whose failure was logged
        self._before: dict[str, Baseline] = {}

    def sample(self, wall_ms: int, monotonic_s: float) -> dict[str, float]:
        """Return values by key; a family that fails is left out, and said once."""
        found: dict[str, float] = {}
        for family, read in self._families.items():
            reading = self._read(family, read)
            if reading is None:
                continue
            after = Baseline(wall_ms, monotonic_s, reading)
            before = self._before.get(family)
            self._before[family] = after
            found |= reading.gauges
            if before is not None:
                found |= rates.rates(before, after)
        return found

    def _read(self, family: str, read: Family) -> Reading | None:
        try:
            return read()
        except Exception as error:  # noqa: BLE001 a driver's surprise must not silence the rest
            if family not in self._said:
                self._said.add(family)
                reason = f"{type(error).__name__}: {error}"
                self._log.event("sampling_failed", family=family, reason=reason)
            return None
