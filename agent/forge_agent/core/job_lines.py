"""What a job's program says, line by line, made fit to be told to others."""

from __future__ import annotations

import math
from typing import Any, Final

# The bounds of the collector's own messages.
_MOST_INCUMBENTS: Final = 1000
_LONGEST_PROGRESS: Final = 256
_LONGEST_ERROR: Final = 1024
_LONGEST_CODE: Final = 64


class News:
    """Progress and incumbents since somebody was last told."""

    def __init__(self) -> None:
        self.progress: dict[str, Any] = {}
        self._told: dict[str, Any] = {}
        self._incumbents: list[dict[str, Any]] = []

    def take_progress(self, line: dict[str, Any]) -> bool:
        """Return whether it says anything new."""
        before = dict(self.progress)
        fraction = number(line.get("fraction"))
        if fraction is not None:
            self.progress["fraction"] = min(1.0, max(0.0, fraction))
        if isinstance(line.get("message"), str):
            self.progress["message"] = _text(line["message"], _LONGEST_PROGRESS)
        return self.progress != before

    def take_incumbent(self, line: dict[str, Any], at_ms: int) -> bool:
        """Return whether it says anything new."""
        objective = number(line.get("objective"))
        if objective is None:
            return False
        found = {"objective": objective, "bound": number(line.get("bound"))}
        gap = number(line.get("gap"))
        found["gap"] = None if gap is None else max(0.0, gap)
        found = {name: value for name, value in found.items() if value is not None}
        before = {name: self.progress.get(name) for name in ("objective", "bound", "gap")}
        self.progress = {
            **{name: self.progress[name] for name in self.progress if name not in before},
            **found,
        }
        found.pop("gap", None)
        self._incumbents.append({"at": at_ms, **found})
        # The latest are kept, and the very first: that is where the curve begins.
        if len(self._incumbents) > _MOST_INCUMBENTS:
            del self._incumbents[1]
        return before != {name: self.progress.get(name) for name in before}

    @property
    def has_incumbents(self) -> bool:
        return bool(self._incumbents)

    @property
    def is_told_otherwise(self) -> bool:
        """Whether others think that it is where it is not any more."""
        return bool(self._told) and self.progress != self._told

    @property
    def waiting(self) -> bool:
        return bool(self._incumbents) or self.progress != self._told

    def tell(self) -> dict[str, Any]:
        """Return what is new, as fields of a lease in a heartbeat; it counts as told."""
        told: dict[str, Any] = {}
        if self.progress != self._told:
            told["progress"] = dict(self.progress)
        if self._incumbents:
            told["incumbents"] = self._incumbents
        self._told, self._incumbents = dict(self.progress), []
        return told

    def take_back(self, told: dict[str, Any]) -> None:
        """Keep for later what could not be told."""
        if "progress" in told:
            self._told = {}
        self._incumbents = (told.get("incumbents", []) + self._incumbents)[-_MOST_INCUMBENTS:]


def error_of(line: dict[str, Any]) -> dict[str, Any]:
    """Return a program's own word for why it failed."""
    code, message = line.get("code"), line.get("message")
    return {
        "code": _text(code, _LONGEST_CODE) if isinstance(code, str) and code else "failed",
        "message": _text(message, _LONGEST_ERROR) if isinstance(message, str) else "",
        "retryable": line.get("retryable") is not False,
    }


def _text(text: str, longest: int) -> str:
    """Return text that can be sent: JSON can name halves of characters, and UTF-8 cannot."""
    return text[:longest].encode(errors="replace").decode()


def number(value: object) -> float | None:
    """Return a finite number; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # an integer too large for a float
        return None
