"""gpu.*: NVIDIA's cards, where their driver is, and the Python binding of its library."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from forge_agent.core import values
from forge_agent.core.rates import Reading
from forge_agent.sampling.asking import Asker

_TRIED_EVERY_S: Final = 60.0
_SIGNS_OF_A_DRIVER: Final = {
    "linux": ("/proc/driver/nvidia/version", "/usr/lib/wsl/lib/libnvidia-ml.so.1"),
    "win32": (r"C:\Windows\System32\nvml.dll",),
}


class _Card(NamedTuple):
    name: str
    handle: Any
    unsupported: set[str]  # what this card does not tell: it is not asked again


class Gpus:
    """Reads all cards. Costs nothing where there is no driver: its library, which takes 3 MB, is
    loaded only then. A driver can hang as a file system can, so it is asked in the same way."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._try_at_s = 0.0
        self._nvml: Any = None
        self._cards: list[_Card] = []
        self._asker: Asker[dict[str, float]] = Asker()

    def read(self) -> Reading:
        if self._nvml is None:
            if self._clock() < self._try_at_s:
                return Reading()
            if not driver_is_there():
                self._try_at_s = self._clock() + _TRIED_EVERY_S
                return Reading()
        return Reading(self._asker.ask({"gpus": self._told_by_all}).get("gpus", {}))

    def _told_by_all(self) -> dict[str, float]:
        if self._nvml is None:
            self._open()
        gauges: dict[str, float] = {}
        for card in self._cards:
            self._read_card(card, gauges)
        if self._cards and not gauges:  # the driver was unloaded, or every card is lost
            self._close()
        return gauges

    def _open(self) -> None:
        self._try_at_s = self._clock() + _TRIED_EVERY_S
        try:
            import pynvml as nvml  # noqa: PLC0415
        except ImportError:  # the extra `gpu` is not installed
            self._try_at_s = float("inf")
            return
        try:
            nvml.nvmlInit()
            self._nvml = nvml
            self._cards = _cards(nvml)
        except nvml.NVMLError:
            self._close()
        if not self._cards:
            self._close()

    def _close(self) -> None:
        """Let go of the library, so that it can be loaded anew: cards come, drivers are updated."""
        self._try_at_s = self._clock() + _TRIED_EVERY_S
        nvml, self._nvml, self._cards = self._nvml, None, []
        if nvml is not None:
            with suppress(nvml.NVMLError):
                nvml.nvmlShutdown()

    def _read_card(self, card: _Card, gauges: dict[str, float]) -> None:
        nvml, handle = self._nvml, card.handle
        use = self._told(card, "use", nvml.nvmlDeviceGetUtilizationRates)
        if use is not None:
            gauges[values.key("gpu.pct", card.name)] = use.gpu
        memory = self._told(card, "memory", nvml.nvmlDeviceGetMemoryInfo)
        if memory is not None and memory.total:
            gauges[values.key("gpu.mem_total_bytes", card.name)] = memory.total
            gauges[values.key("gpu.mem_used_bytes", card.name)] = memory.used
        celsius = self._told(
            card, "heat", lambda _: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
        )
        if celsius is not None:
            gauges[values.key("gpu.celsius", card.name)] = celsius
        milliwatts = self._told(card, "power", nvml.nvmlDeviceGetPowerUsage)
        if milliwatts is not None:
            gauges[values.key("gpu.watts", card.name)] = milliwatts / 1000

    def _told(self, card: _Card, what: str, ask: Callable[[Any], Any]) -> Any:
        """Return an answer, or None: many a card does not tell everything, and one can get lost."""
        if what in card.unsupported:
            return None
        try:
            return ask(card.handle)
        except self._nvml.NVMLError as error:
            if error.value == self._nvml.NVML_ERROR_NOT_SUPPORTED:
                card.unsupported.add(what)
            return None


def driver_is_there() -> bool:
    return any(os.path.exists(sign) for sign in _SIGNS_OF_A_DRIVER.get(sys.platform, ()))  # noqa: PTH110


def _cards(nvml: Any) -> list[_Card]:
    """Return the cards that answer, each under a name of its own."""
    cards: list[_Card] = []
    names: set[str] = set()
    for number in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(number)
            name = nvml.nvmlDeviceGetName(handle)
        except nvml.NVMLError:  # lost, or not ours to see
            continue
        name = name if name not in names else f"{name}#{number}"
        names.add(name)
        cards.append(_Card(name, handle, set()))
    return cards
