"""temp.* and battery.*, on machines that have them."""

from __future__ import annotations

from typing import Final

import psutil

from forge_agent.core import values
from forge_agent.core.rates import Reading

# Unconnected sensors show the ends of their range.
_PLAUSIBLE_CELSIUS: Final = (-50.0, 150.0)


def read() -> Reading:
    return Reading({**_temperatures(), **_battery()})


def _temperatures() -> dict[str, float]:
    # psutil has it on Linux and FreeBSD only.
    find = getattr(psutil, "sensors_temperatures", None)
    gauges: dict[str, float] = {}
    low, high = _PLAUSIBLE_CELSIUS
    for chip, sensors in (find() if find else {}).items():
        for number, sensor in enumerate(sensors):
            if sensor.current is not None and low < sensor.current < high:
                key = values.key("temp.celsius", f"{chip}/{sensor.label or number}")
                if key in gauges:  # a second chip of the same name
                    key = values.key("temp.celsius", f"{chip}/{sensor.label or ''}#{number}")
                gauges[key] = sensor.current
    return gauges


def _battery() -> dict[str, float]:
    find = getattr(psutil, "sensors_battery", None)
    battery = find() if find else None
    if battery is None:
        return {}
    gauges: dict[str, float] = {"battery.pct": battery.percent}
    if battery.power_plugged is not None:
        gauges["battery.on_ac"] = int(battery.power_plugged)
    return gauges
