"""A first schedule, made by going forward in time and starting what can start: so that there is one
of any plan, before CP-SAT has found its own."""

from __future__ import annotations

import heapq
import math
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from forge_prodplan.schedule import Schedule, Scheduled, occupied, result
from forge_shared.plans.model import Job, Machine, Mode, Operation, Plan, plan_to_json
from prodplan_check.checking import problem_of

_Key = tuple[str, str]  # a job's id, and an operation's


def dispatched(plan: Plan, seconds: float) -> Schedule | None:
    """Return a schedule, or None where this simple way leads to none: deadlines, and what is used
    up, may want more foresight. ``seconds``: how long to look well; then it is done in a hurry."""
    schedule = _Dispatch(plan).run(time.monotonic() + seconds)
    if schedule is None:
        return None
    problem = problem_of(plan_to_json(plan), result(plan, schedule, 0))
    return schedule if problem is None else None


@dataclass
class _Use:
    """A machine, as far as it is planned. ``ready``: when it ends what it was given last."""

    machine: Machine
    ready: int = 0
    family: str | None = None


@dataclass
class _Stock:
    """A resource. ``free``: now; ``taken``: until when how much is in use; ``reserved``: what is
    used up at least by all that has not started yet."""

    renewable: bool
    free: int
    reserved: int = 0
    taken: list[tuple[int, int]] = field(default_factory=list)


class _Start(NamedTuple):
    """A way to start an operation."""

    start: int
    end: int
    mode: int


class _Waiting(NamedTuple):
    """An operation whose predecessors have been started. Sorts by when it can start, then by how
    urgent it is."""

    start: int
    slack: float
    number: int


class _Dispatch:
    def __init__(self, plan: Plan) -> None:
        self._operations: list[tuple[Job, Operation]] = list(plan.operations())
        self._numbers = {(job.id, each.id): n for n, (job, each) in enumerate(self._operations)}
        self._uses = {machine.id: _Use(machine) for machine in plan.machines}
        self._stocks = {each.id: _Stock(each.renewable, each.capacity) for each in plan.resources}
        for _, operation in self._operations:
            for name, stock in self._stocks.items():
                stock.reserved += _least(operation, name)
        self._followers: dict[_Key, list[int]] = {key: [] for key in self._numbers}
        self._missing: Counter[int] = Counter()
        for number, (_, operation) in enumerate(self._operations):
            for after in operation.after:
                self._followers[after.job, after.operation].append(number)
                self._missing[number] += 1
        self._slack = _slack(plan)
        self._started: dict[int, Scheduled] = {}
        self._now = 0

    def run(self, hurry_at: float) -> Schedule | None:
        """Start always what can start first. What can, is seen when its turn has come: machines
        may have been given to others since. In a hurry, its turn is the last word."""
        waiting: list[_Waiting] = []
        for number in range(len(self._operations)):
            if not self._missing[number]:
                heapq.heappush(waiting, _Waiting(0, self._slack[number], number))
        while waiting:
            first = heapq.heappop(waiting)
            found = self._best(first.number)
            if found is None:
                return None
            if found.start > first.start and waiting and time.monotonic() < hurry_at:
                heapq.heappush(waiting, first._replace(start=found.start))
                continue
            for number in self._start(first.number, found):
                heapq.heappush(waiting, _Waiting(found.start, self._slack[number], number))
        return tuple(self._started[number] for number in range(len(self._operations)))

    def _best(self, number: int) -> _Start | None:
        """Return the way to start that ends first."""
        job, operation = self._operations[number]
        earliest = max(self._now, job.release)
        for after in operation.after:
            before = self._started[self._numbers[after.job, after.operation]]
            earliest = max(earliest, before.end + after.lag)
        ways = [
            self._fit(operation, place, earliest)
            for place, mode in enumerate(operation.modes)
            if self._is_left(operation, mode)
        ]
        return min(ways, key=_end, default=None)

    def _is_left(self, operation: Operation, mode: Mode) -> bool:
        """Return whether there is enough, and what others need at least is left of it."""
        for name, demand in (mode.demands or {}).items():
            stock = self._stocks[name]
            if stock.renewable:
                if mode.duration and demand > stock.free + sum(each for _, each in stock.taken):
                    return False
            elif demand - _least(operation, name) > stock.free - stock.reserved:
                return False
        return True

    def _fit(self, operation: Operation, place: int, earliest: int) -> _Start:
        """Return when a mode can start: later and later, until nothing is against it."""
        mode = operation.modes[place]
        uses = [self._uses[name] for name in occupied(mode)]
        start = max(
            [earliest, self._free_from(mode), *(use.ready + _setup(use, operation) for use in uses)]
        )
        while True:
            end = _end_of(operation, mode, uses, start)
            later = max((_later(use, operation, start, end) for use in uses), default=start)
            if later == start:
                return _Start(start, end, place)
            start = later

    def _free_from(self, mode: Mode) -> int:
        """Return when there is enough of what can be used again. All in use was started by now."""
        earliest = 0
        for name, demand in (mode.demands or {}).items():
            stock = self._stocks[name]
            if not stock.renewable or not mode.duration:
                continue
            free = stock.free
            for end, amount in sorted(stock.taken):
                if free >= demand:
                    break
                free += amount
                earliest = max(earliest, end)
        return earliest

    def _start(self, number: int, found: _Start) -> list[int]:
        """Start it; return what need not wait any more."""
        job, operation = self._operations[number]
        mode = operation.modes[found.mode]
        self._now = found.start
        self._started[number] = Scheduled(found.mode, found.start, found.end)
        for name in occupied(mode):
            self._uses[name].ready, self._uses[name].family = found.end, operation.family
        self._take(operation, mode, found.end)
        ready = []
        for follower in self._followers[job.id, operation.id]:
            self._missing[follower] -= 1
            if not self._missing[follower]:
                ready.append(follower)
        return ready

    def _take(self, operation: Operation, mode: Mode, end: int) -> None:
        for name, stock in self._stocks.items():
            demand = (mode.demands or {}).get(name, 0)
            if not stock.renewable:
                stock.free -= demand
                stock.reserved -= _least(operation, name)
                continue
            while stock.taken and stock.taken[0][0] <= self._now:
                stock.free += heapq.heappop(stock.taken)[1]
            if demand and mode.duration:
                stock.free -= demand
                heapq.heappush(stock.taken, (end, demand))


def _least(operation: Operation, resource: str) -> int:
    return min((mode.demands or {}).get(resource, 0) for mode in operation.modes)


def _setup(use: _Use, operation: Operation) -> int:
    times = use.machine.setup_times or {}
    return times.get(use.family or "", {}).get(operation.family or "", 0)


def _end_of(operation: Operation, mode: Mode, uses: list[_Use], start: int) -> int:
    """Return when it would end, interrupted where a machine of it is away."""
    end = start + mode.duration
    if operation.pausable:
        away = sorted(each for use in uses for each in use.machine.unavailable)
        since = start
        for begin, until in away:
            if begin < end and until > since:
                end += until - max(begin, since)
                since = until
    return end


def _later(use: _Use, operation: Operation, start: int, end: int) -> int:
    """Return when to try again, because the machine is away at a wrong time; ``start`` if not."""
    setup = _setup(use, operation)
    # Setting up is never interrupted, and nothing starts while the machine is away.
    needed_until = start + 1 if operation.pausable else end
    for begin, until in use.machine.unavailable:
        if begin < needed_until and until > start - setup:
            return until + setup
    return start


def _slack(plan: Plan) -> list[float]:
    """Return how urgent each operation is, the smallest first: by what its job has to do still, and
    until when."""
    slack: list[float] = []
    for job in plan.jobs:
        left = sum(min(mode.duration for mode in each.modes) for each in job.operations)
        until = min(math.inf if each is None else each for each in (job.due, job.deadline))
        for operation in job.operations:
            # Without a due date, behind all that have one: the longest rest first.
            slack.append(1e12 - left if until == math.inf else until - left)
            left -= min(mode.duration for mode in operation.modes)
    return slack


def _end(way: _Start) -> int:
    return way.end
