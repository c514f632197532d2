"""Which instances to show: what the owner says, before what is usual."""

from __future__ import annotations

import fnmatch
import re
import sys
from collections.abc import Iterable
from typing import NamedTuple


class Choice:
    """The owner's patterns, such as ``eth*`` or, after ``!``, what not to show.

    The first that matches decides. On Windows the case of letters says nothing.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        flags = re.IGNORECASE if sys.platform == "win32" else 0
        self._rules = [
            (re.compile(fnmatch.translate(pattern.lstrip("!")), flags), not pattern.startswith("!"))
            for pattern in patterns
        ]

    @property
    def adds(self) -> bool:
        """Tell whether it may show more than what is usual."""
        return any(shown for _, shown in self._rules)

    def of(self, name: str) -> bool | None:
        """Return whether to show it; None: as is usual."""
        return next((shown for rule, shown in self._rules if rule.match(name)), None)


class Choices(NamedTuple):
    """What the owner says of each kind of instance."""

    interfaces: Choice = Choice()
    disks: Choice = Choice()
    mounts: Choice = Choice()
