"""Whether this machine may do jobs now: what its owner allows, and what the machine is doing."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Final, NamedTuple

# How long the machine must have been left alone before work begins (BOINC's choice as well), and
# how long others may be busy before it stops: a page that loads is no reason.
CALM_BEFORE_S: Final = 180.0
BUSY_BEFORE_S: Final = 10.0
# Between start and stop there is room, so that what the jobs themselves cause does not count.
_ROOM: Final = 2
FOR_GOOD_MS: Final = 4_102_444_800_000  # 2100: a pause until somebody ends it


class When(StrEnum):
    IDLE = "idle"
    ALWAYS = "always"


class Hours(NamedTuple):
    """A part of the day in minutes since midnight; it may go over midnight."""

    begin_min: int
    end_min: int

    def holds(self, minute: int) -> bool:
        if self.begin_min <= self.end_min:
            return self.begin_min <= minute < self.end_min
        return minute >= self.begin_min or minute < self.end_min

    def __str__(self) -> str:
        begin, end = (f"{at // 60:02}:{at % 60:02}" for at in self)
        return f"{begin}-{end}"


class Terms(NamedTuple):
    """What the owner allows. ``paused_until``: Unix ms."""

    when: When = When.IDLE
    on_battery: bool = False
    cpu_of_others_pct: int = 25
    free_memory_mib: int = 1024
    hours: Hours | None = None
    paused_until: int | None = None


class Seen(NamedTuple):
    """What the machine is doing; None: it does not tell, or nobody asked. ``now_s``: of a clock
    that goes on in suspend; ``minute``: of the day, by the owner's clock. ``cpu_of_others_pct``:
    the share of all cores that went to others than our jobs; ``input_ago_s``: since somebody last
    used a keyboard or a mouse."""

    now_s: float
    wall_ms: int
    minute: int
    cpu_of_others_pct: float | None = None
    free_memory_mib: int | None = None
    on_battery: bool | None = None
    input_ago_s: float | None = None


class Verdict(NamedTuple):
    """``reason``: why not; it changes only when the reason does."""

    may_work: bool
    reason: str = ""


class OwnerPolicy:
    """Judges again and again, and remembers for how long it has been calm."""

    def __init__(self) -> None:
        self._cpu = _Calm(calm=False)
        self._memory = _Calm(calm=None)

    def judge(self, terms: Terms, seen: Seen) -> Verdict:
        idle_matters = terms.when is When.IDLE
        if not idle_matters:
            self._cpu = _Calm(calm=False)  # nobody looks
        cpu_is_free = self._cpu.judge(
            _over(seen.cpu_of_others_pct, terms.cpu_of_others_pct), seen.now_s
        )
        memory_is_free = self._memory.judge(
            _under(seen.free_memory_mib, terms.free_memory_mib), seen.now_s
        )
        reason = _by_the_terms(terms, seen)
        if not reason and not memory_is_free:
            reason = f"less than {terms.free_memory_mib} MiB of memory are free"
        if not reason and idle_matters:
            reason = _by_others(terms, seen, cpu_is_free=cpu_is_free)
        return Verdict(not reason, reason)


def pause(terms: Terms, wall_ms: int) -> str:
    """Return until when the owner has paused work, or ""."""
    if terms.paused_until is None or wall_ms >= terms.paused_until:
        return ""
    return f"paused by the owner {_until(terms.paused_until)}"


def _by_the_terms(terms: Terms, seen: Seen) -> str:
    """Return why the owner does not want it now, or ""."""
    if paused := pause(terms, seen.wall_ms):
        return paused
    if terms.hours is not None and not terms.hours.holds(seen.minute):
        return f"outside of its hours, {terms.hours}"
    return "on battery" if seen.on_battery and not terms.on_battery else ""


def _by_others(terms: Terms, seen: Seen, *, cpu_is_free: bool) -> str:
    """Return who needs the machine, or ""."""
    if seen.input_ago_s is not None and seen.input_ago_s < CALM_BEFORE_S:
        return "somebody uses it"
    if cpu_is_free:
        return ""
    return (
        f"others use more than {terms.cpu_of_others_pct} % of the CPU, or did so within the last"
        f" {CALM_BEFORE_S / 60:.0f} min"
    )


class _Calm:
    """One measure with hysteresis. ``calm``: None: as it looks first."""

    def __init__(self, *, calm: bool | None) -> None:
        self._calm = calm
        self._since_s: float | None = None  # it has looked otherwise since then

    def judge(self, looks: _Looks, now_s: float) -> bool:
        if self._calm is None:
            self._calm = looks is _Looks.GOOD
        if looks is not (_Looks.BAD if self._calm else _Looks.GOOD):
            self._since_s = None
            return self._calm
        if self._since_s is None:
            self._since_s = now_s
        patience_s = BUSY_BEFORE_S if self._calm else CALM_BEFORE_S
        if now_s - self._since_s >= patience_s:
            self._calm, self._since_s = not self._calm, None
        return self._calm


class _Looks(StrEnum):
    GOOD = "good"
    BETWEEN = "between"
    BAD = "bad"


def _over(figure: float | None, limit: float) -> _Looks:
    """Judge a figure that should be at most the limit; one that is not known is no hindrance."""
    if figure is None or figure <= limit:
        return _Looks.GOOD
    far_over = min(_ROOM * limit, (limit + 100) / 2)  # 100 % must not be out of reach
    return _Looks.BAD if figure > far_over else _Looks.BETWEEN


def _under(figure: float | None, limit: float) -> _Looks:
    """Judge a figure that should be at least the limit."""
    if figure is None or figure >= limit:
        return _Looks.GOOD
    return _Looks.BAD if figure < limit / _ROOM else _Looks.BETWEEN


def _until(at_ms: int) -> str:
    if at_ms >= FOR_GOOD_MS:
        return "until `forge-agent work resume`"
    return time.strftime("until %H:%M", time.localtime(at_ms / 1000))
