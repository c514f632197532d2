"""CP-SAT's search, in a thread of its own, so that the main thread hears signals all the while."""

from __future__ import annotations

import math
import os
import threading
import time
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final

from forge_prodplan.dispatch import dispatched
from forge_prodplan.schedule import Schedule
from forge_shared.plans.model import Plan

# CP-SAT's subsolvers complement each other: with two of them, ft10 took twice as long on two cores
# as with four.
_FEWEST_WORKERS: Final = 4
_SHORTEST_SEARCH_S: Final = 0.5
# Of the time, for a first schedule to be a good one.
_SHARE_OF_DISPATCH: Final = 0.1
# A bound is a float near a whole number.
_ROUNDING: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Found:
    """A better schedule, and what no schedule can be better than."""

    schedule: Schedule
    bound: int


@dataclass(frozen=True, slots=True)
class Bound:
    value: int


@dataclass(frozen=True, slots=True)
class Ended:
    """``status``: OPTIMAL, FEASIBLE, INFEASIBLE, UNKNOWN or MODEL_INVALID. ``bound``: None where
    nothing was found."""

    status: str
    bound: int | None


@dataclass(frozen=True, slots=True)
class Broken:
    error: BaseException


@dataclass(frozen=True, slots=True)
class StopAsked:
    pass


Event = Found | Bound | Ended | Broken | StopAsked
# SimpleQueue, because a signal's handler may put into it at any moment.
Events = SimpleQueue[Event]


class Search:
    """One search for a plan's best schedule. ``known``: where to start. ``until``: when it must be
    over, by time.monotonic; ``seed``: searches with another one go other ways."""

    def __init__(
        self, plan: Plan, known: Schedule | None, events: Events, *, until: float, seed: int
    ) -> None:
        self._plan = plan
        self._known = known
        self._events = events
        self._until = until
        self._seed = seed
        self._solver: Any = None
        self._stopped = threading.Event()
        # A daemon: CP-SAT may take its time to stop, and the process must end then.
        self._thread = threading.Thread(target=self._run, name="search", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end. CP-SAT forgets what it is asked before it has begun: ask again until
        Ended comes."""
        self._stopped.set()
        if self._solver is not None:
            self._solver.stop_search()

    def _run(self) -> None:
        try:
            self._events.put(self._solve())
        except BaseException as error:  # noqa: BLE001  the main thread must hear of all of them
            self._events.put(Broken(error))

    def _solve(self) -> Ended:
        known = self._known
        if known is None:
            known = dispatched(self._plan, (self._until - time.monotonic()) * _SHARE_OF_DISPATCH)
            if known is not None:
                self._events.put(Found(known, 0))
        # A second of imports: a stop is heard meanwhile.
        from ortools.sat.python import cp_model  # noqa: PLC0415

        from forge_prodplan.translation import Translation  # noqa: PLC0415

        translation = Translation(self._plan)
        if known is not None:
            translation.hint(known)
        solver = cp_model.CpSolver()
        _set(solver.parameters, self._seed, self._until - time.monotonic())
        solver.best_bound_callback = self._take_bound
        events = self._events

        class Incumbents(cp_model.CpSolverSolutionCallback):
            def on_solution_callback(self) -> None:
                found = translation.schedule(self.value)
                events.put(Found(found, _whole(self.best_objective_bound)))

        self._solver = solver
        if self._stopped.is_set():
            return Ended("UNKNOWN", None)
        status = solver.status_name(solver.solve(translation.model, Incumbents()))
        found = status in ("OPTIMAL", "FEASIBLE")
        return Ended(status, _whole(solver.best_objective_bound) if found else None)

    def _take_bound(self, bound: float) -> None:
        if math.isfinite(bound):
            self._events.put(Bound(_whole(bound)))


def _set(parameters: Any, seed: int, seconds: float) -> None:
    parameters.max_time_in_seconds = max(_SHORTEST_SEARCH_S, seconds)
    parameters.num_workers = max(_FEWEST_WORKERS, _cores())
    parameters.random_seed = seed
    # The main thread hears signals.
    parameters.catch_sigint_signal = False


def _cores() -> int:
    """Return how many cores we may use; not all of the machine's, where we were given some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _whole(bound: float) -> int:
    """Return the least whole objective that a bound leaves possible."""
    return max(0, math.ceil(bound - _ROUNDING))
