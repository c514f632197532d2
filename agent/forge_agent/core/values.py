"""Making a snapshot's values ones that the collector takes."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from forge_shared import metrics

MAX_VALUES: Final = 1024  # forge_shared.codec's bound; that module needs msgspec
_SAFE_STEPS: Final = 2**53
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def key(metric: str, instance: str) -> str:
    """Return ``metric/instance``, with what the wire does not carry in an instance replaced.

    File names may hold bytes that are not text, and sensors' labels control characters: either
    would cost the whole snapshot.
    """
    text = instance.encode("utf-8", "replace").decode("utf-8")
    text = _FORBIDDEN.sub("?", text) or "?"
    room = metrics.MAX_KEY_LENGTH - len(metric) - 1
    return f"{metric}/{text if len(text) <= room else text[: room - 1] + '…'}"


def fitted(values: Mapping[str, float]) -> dict[str, int | float]:
    """Round each value to its metric's resolution, leaving out what the collector would refuse."""
    fit: dict[str, int | float] = {}
    for name in _bounded(values):
        value = values[name]
        if math.isfinite(value) and abs(value) < metrics.resolution(name) * (_SAFE_STEPS - 1):
            fit[name] = metrics.rounded(name, value)
    return fit


def _bounded(names: Mapping[str, float]) -> Iterable[str]:
    """Return the names to send: all, or on a huge machine the same 1,024 each time.

    Whole-machine values stay; then every metric keeps its first instances, so that a thousand
    cores do not push out the disks.
    """
    if len(names) <= MAX_VALUES:
        return names
    seen: Counter[str] = Counter()
    ranked: list[tuple[int, str]] = []
    for name in names:
        metric, instance = metrics.split(name)
        if instance is not None:
            seen[metric] += 1
        ranked.append((seen[metric], name))
    ranked.sort(key=lambda entry: entry[0])
    return [name for _, name in ranked[:MAX_VALUES]]
