"""One sample of everything: the families in a fixed order, each for itself."""

from __future__ import annotations

from collections.abc import Callable

from forge_agent.core import rates
from forge_agent.core.choice import Choices
from forge_agent.core.rates import Baseline, Reading
from forge_agent.log import Log
from forge_agent.sampling import cpu, disks, gpus, host, memory, mounts, network, sensors

Family = Callable[[], Reading]


def families(log: Log, choices: Choices | None = None) -> dict[str, Family]:
    """Return what is measured; a family may remember what it saw, so each sampler has its own."""
    choices = choices or Choices()
    return {
        "cpu": cpu.Cpu().read,
        "memory": memory.read,
        "mounts": mounts.FileSystems(log, choices.mounts).read,
        "disks": disks.Disks(choices.disks).read,
        "network": network.Interfaces(choices.interfaces).read,
        "sensors": sensors.read,
        "gpus": gpus.Gpus().read,
        "host": host.read,
    }


class Sampler:
    """Reads all families, and turns counters into rates since its last sample.

    One sampler is one cadence: who samples at another rhythm needs another one, or each would
    shorten the other's intervals.
    """

    def __init__(self, log: Log, measured: dict[str, Family] | None = None) -> None:
        self._log = log
        self._families = families(log) if measured is None else measured
        self._said: set[str] = set()  # families whose failure was logged
        self._before: dict[str, Baseline] = {}

    def sample(self, wall_ms: int, monotonic_s: float, slept_s: float = 0.0) -> dict[str, float]:
        """Return values by key; a family that fails is left out, and said once.

        ``slept_s``: how long the machine has been suspended, in all, as far as it tells.
        """
        found: dict[str, float] = {}
        for family, read in self._families.items():
            reading = self._read(family, read)
            if reading is None:
                continue
            after = Baseline(wall_ms, monotonic_s, reading, slept_s)
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
