"""How many bytes, as people type it: a number and a unit."""

from __future__ import annotations

import re
from typing import Final

HELP: Final = "a number of bytes, or a number and a unit: 512MiB, 8GiB, 8GB"

_UNIT_BYTES: Final[dict[str, int]] = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)},
}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,3})?) ?([kmgt]?i?b?)")


def read_bytes(text: str) -> int:
    """Return a size in bytes; raises ValueError."""
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None or match[2] not in _UNIT_BYTES:
        raise ValueError(f"{text!r} is not {HELP}.")
    return int(float(match[1]) * _UNIT_BYTES[match[2]])


def told(size: int) -> str:
    """Return a size exactly, in the largest unit that does it."""
    exact = [power for power in range(5) if size % 1024**power == 0]
    return f"{size // 1024 ** exact[-1]} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[exact[-1]]}"
