"""One attempt at a job: from the document on stdin to the last line on stdout."""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from forge_prodplan import payload as payloads
from forge_prodplan import proofs
from forge_prodplan.checkpoint import Checkpoint, from_json
from forge_prodplan.errors import (
    InfeasiblePlanError,
    MalformedPayloadError,
    NoSolutionInTimeError,
    NoSolverError,
    PlanError,
    SolverError,
)
from forge_prodplan.lines import Clock, Telling, note, say, say_error
from forge_prodplan.schedule import Schedule, result, worth
from forge_prodplan.search import Bound, Broken, Ended, Event, Events, Found, Search, StopAsked
from forge_shared.plans.model import DEFAULT_TIME_LIMIT_S, Plan

_TICK_S: Final = 0.1
# A stop must be over within 5 s; CP-SAT is not always so quick.
_PATIENCE_AFTER_STOP_S: Final = 2.5
_PATIENCE_AFTER_LIMIT_S: Final = 10.0
# Before a limit beyond which the job is killed: to end the search, and to hand in its result.
_RESERVE_S: Final = 10.0


def main() -> int:
    """Run the attempt; return the exit code."""
    began = time.monotonic()
    events: Events = queue.SimpleQueue()
    _hear_signals(events)
    try:
        document = json.load(sys.stdin)
        attempt = _Attempt(document, began, events)
        code = attempt.run()
    except PlanError as error:
        say_error(error)
        code = 1
    _leave(code)


def _hear_signals(events: Events) -> None:
    def ask(_number: int, _frame: FrameType | None) -> None:
        events.put(StopAsked())

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)


def _leave(code: int) -> NoReturn:
    """End at once: CP-SAT's threads may still be at work, and nobody waits for them."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class _Attempt:
    def __init__(self, document: dict[str, Any], began: float, events: Events) -> None:
        payload = _content(document, "payload")
        found = payloads.read(payload)
        self._plan: Plan = found.plan
        proofs.check(found.plan)
        kept = _kept(document, found.plan, payload)
        self._clock = Clock(began, kept.spent_s, _limit_s(found.time_limit_s, document))
        self._telling = Telling(self._clock)
        self._best: Schedule | None = None
        self._objective: int | None = None
        self._known_bound = kept.bound
        self._proved_bound = 0
        self._stop_by: float | None = None
        self._events = events
        self._search = Search(
            found.plan,
            kept.schedule,
            events,
            until=self._clock.until,
            seed=_seed(document.get("attempt")),
        )
        if kept.schedule is not None:
            self._take(kept.schedule, 0)
        else:
            self._raise_bound(0)

    def run(self) -> int:
        """Search until it is over, and say what came of it."""
        self._search.start()
        while True:
            self._telling.tell()
            if self._objective == self._known_bound:
                # CP-SAT would prove it once more.
                return self._end(Ended("OPTIMAL", None))
            event = self._next()
            if isinstance(event, Ended):
                return self._end(event)
            if event is not None:
                self._hear(event)
            if self._is_over():
                note("the search did not stop in time")
                return self._end(Ended("UNKNOWN", None))

    def _hear(self, event: Event) -> None:
        if isinstance(event, Broken):
            raise _failed(event.error)
        if isinstance(event, Found):
            self._take(event.schedule, event.bound)
        elif isinstance(event, Bound):
            self._raise_bound(event.value)
        elif isinstance(event, StopAsked) and self._stop_by is None:
            self._stop_by = time.monotonic() + _PATIENCE_AFTER_STOP_S
            # Now, in case there is no time for more.
            self._telling.keep()

    def _next(self) -> Event | None:
        if self._stop_by is not None:
            self._search.stop()
        try:
            return self._events.get(timeout=_TICK_S)
        except queue.Empty:
            return None

    def _is_over(self) -> bool:
        by = self._clock.until + _PATIENCE_AFTER_LIMIT_S
        return time.monotonic() > (by if self._stop_by is None else self._stop_by)

    def _take(self, schedule: Schedule, bound: int) -> None:
        """Take a schedule if it is better than the best one. What it is worth is ours to say."""
        objective = worth(self._plan, schedule).objective
        if self._objective is None or objective < self._objective:
            self._best, self._objective = schedule, objective
        self._raise_bound(bound)

    def _raise_bound(self, bound: int) -> None:
        self._proved_bound = max(self._proved_bound, bound)
        if self._objective is not None:
            self._proved_bound = min(self._proved_bound, self._objective)
        self._telling.stands(self._best, self._objective, self._bound)

    @property
    def _bound(self) -> int:
        """The better of what was proved here and before. A schedule that is better than what is
        said to have been proved before shows that it was not."""
        if self._objective is not None and self._objective < self._known_bound:
            return self._proved_bound
        return max(self._known_bound, self._proved_bound)

    def _end(self, ended: Ended) -> int:
        self._raise_bound(ended.bound or 0)
        if self._stop_by is not None:
            self._telling.tell_incumbent()
            self._telling.keep_if_better()
            return 0
        if self._best is None:
            raise _failure(ended.status, self._plan, self._clock)
        self._telling.tell_end()
        # Optimal by the bound, not by CP-SAT's status, which has been wrong after interruptions.
        say("result", result=result(self._plan, self._best, self._bound))
        return 0


def _failure(status: str, plan: Plan, clock: Clock) -> PlanError:
    if status == "INFEASIBLE":
        deadlines = [job.id for job in plan.jobs if job.deadline is not None]
        named = f" (of {', '.join(deadlines[:8])}{', …' if len(deadlines) > 8 else ''})"
        return InfeasiblePlanError(
            f"it is proved that no schedule keeps all deadlines{named if deadlines else ''} and"
            " all amounts of what is used up"
        )
    if status == "UNKNOWN":
        return NoSolutionInTimeError(
            f"no schedule was found in {clock.spent_s:.0f} s, nor a proof that there is none;"
            " give it a longer time_limit_s"
        )
    return SolverError(f"CP-SAT answered {status}")


def _content(document: dict[str, Any], name: str) -> object:
    """Return a payload or a checkpoint, which lies in a file when it is large."""
    path = document.get(f"{name}_path")
    if path is None:
        return document.get(name)
    try:
        return json.loads(Path(path).read_bytes())
    except ValueError as error:
        raise MalformedPayloadError(f"{name}: is no JSON: {error}") from error


def _kept(document: dict[str, Any], plan: Plan, payload: object) -> Checkpoint:
    """Return where an earlier attempt left off."""
    try:
        found = _content(document, "checkpoint")
        if found is not None:
            return from_json(found, plan, payload)
    except (MalformedPayloadError, ValueError) as error:
        note(f"the checkpoint is not used: {error}")
    return Checkpoint(None, 0.0)


def _limit_s(option: int | None, document: dict[str, Any]) -> float:
    """Return how long to search: as the payload says, else until the job's own limit, else a
    minute; never beyond the job's own limit."""
    own = document.get("time_limit_s")
    if isinstance(own, bool) or not isinstance(own, int | float) or own <= 0:
        return option or DEFAULT_TIME_LIMIT_S
    most = max(own - _RESERVE_S, own / 2)
    return min(option, most) if option else most


def _seed(attempt: object) -> int:
    """An attempt that crashed the solver is not repeated step by step."""
    return attempt if isinstance(attempt, int) and 0 <= attempt < 2**31 else 0


def _failed(error: BaseException) -> PlanError:
    if isinstance(error, ImportError):
        return NoSolverError(
            f"OR-tools and PyJobShop, which forge-fleet[prodplan] brings, fail here: {error}"
        )
    note("".join(traceback.format_exception(error)))
    return SolverError(f"{type(error).__name__}: {error}")
