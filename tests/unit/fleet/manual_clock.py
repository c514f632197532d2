"""A clock that stands still until a test moves it."""

from __future__ import annotations

from typing import Final

START_MS: Final = 1_800_000_000_000  # 2027-01-15, in the middle of what a ts may be


class ManualClock:
    """Both clocks of a collector; the monotonic one counts from its own start."""

    def __init__(self, unix_ms: int = START_MS) -> None:
        self.unix_ms = unix_ms
        self.elapsed_ms = 1_000

    def now_ms(self) -> int:
        return self.unix_ms

    def monotonic_ms(self) -> int:
        return self.elapsed_ms

    def advance(self, ms: int) -> None:
        """Let time pass, on both clocks."""
        self.unix_ms += ms
        self.elapsed_ms += ms

    def set_wall(self, unix_ms: int) -> None:
        """Let the wall clock alone jump."""
        self.unix_ms = unix_ms
