"""Text from outside, made fit for a terminal."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 300


def printable(text: str, longest: int = _LONGEST) -> str:
    """Return the text in one line, shortened, without what a terminal would obey."""
    line = " ".join(text[: 4 * longest].split())
    shown = line if len(line) <= longest else line[: longest - 1] + "…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in shown)
