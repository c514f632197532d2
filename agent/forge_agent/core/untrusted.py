"""What comes from outside: text made fit for a terminal, JSON that may be anything."""

from __future__ import annotations

import json
from typing import Any, Final

_LONGEST: Final = 300


def printable(text: str, longest: int = _LONGEST) -> str:
    """Return the text in one line, shortened, without what a terminal would obey."""
    line = " ".join(text[: 4 * longest].split())
    shown = line if len(line) <= longest else line[: longest - 1] + "…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in shown)


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body holds; an empty one where it holds none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
