"""Jobs as far as they are in memory: how many there are, who waits for one, who is to stop."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from forge_collector.clock import Clock
from forge_collector.events import (
    Events,
    JobCancelled,
    JobFailed,
    JobSucceeded,
    NodeForgotten,
    WorkerLoadChanged,
)
from forge_collector.jobs import rules
from forge_collector.jobs.store import Change, Gone
from forge_collector.jobs.waiting import Call, Waiting
from forge_collector.jobs.watching import Watches
from forge_shared.job_messages import AttemptOutcome, JobStatus, ResourceClass

_MACHINES_KNOWN_MS: Final = 5_000


class LiveJobs:
    """What the routes and the tasks of jobs share."""

    def __init__(self, clock: Clock, events: Events, limits: rules.Limits) -> None:
        self._clock = clock
        self._events = events
        self.limits = limits
        self.lease_clock = rules.LeaseClock(clock)
        self.waiting = Waiting()
        self.watches = Watches()
        self.counts: Counter[JobStatus] = Counter()
        self.workers: Counter[str] = Counter()
        self.attempts = dict.fromkeys(AttemptOutcome, 0)  # that ended since the start, by how
        self._running_by_node: Counter[str] = Counter()
        self._untold_loads: set[str] = set()
        self._heartbeats: defaultdict[str, set[asyncio.Future[str | None]]] = defaultdict(set)
        self._machines: dict[str, tuple[int, rules.Machine]] = {}
        self._forgotten_nodes: list[str] = []

    def moment(self) -> rules.Moment:
        return self.lease_clock.moment()

    def restore(self, counts: Mapping[JobStatus, int], running_by_node: Mapping[str, int]) -> None:
        self.counts = Counter(counts)
        self._running_by_node = Counter(running_by_node)
        self._untold_loads.update(running_by_node)

    # --- what the store did ----------------------------------------------------------------

    def note(self, changes: Iterable[Change], *, called: Collection[str] = ()) -> None:
        """Follow the store. ``called``: jobs for which waiting claims were woken already."""
        for change in changes:
            if change.before is not change.after:
                self._note_move(change)
            if change.outcome is not None:
                self.attempts[change.outcome] += 1
            if change.ready is not None and change.job_id not in called:
                self.call_for(change.job_id, change.ready)
            if change.freed is not None:
                self._note_freed(change.freed, change.worker_id)
            if self.watches:
                self.watches.note(change)

    def call_for(self, job_id: str, needs: rules.Needs) -> bool:
        """Have a waiting claim look for this job; tell whether there was one."""
        return self.waiting.wake(Call(needs.resource_class, job_id, needs))

    def forgotten(self, gone: Iterable[Gone]) -> None:
        """Follow the store where jobs are no more."""
        for one in gone:
            self.counts[one.status] -= 1
            self.watches.note_gone(one)

    def count_waiting(self) -> int:
        return len(self.waiting)

    def tell_loads(self) -> None:
        """Say of each node where it changed how many jobs it works on."""
        loads, self._untold_loads = self._untold_loads, set()
        for node_id in loads:
            running = self._running_by_node[node_id]
            if not running:
                del self._running_by_node[node_id]
            self._events.publish(WorkerLoadChanged(node_id, running))

    def close(self) -> None:
        """Let go of everybody who waits for something."""
        self.waiting.close()
        for heard in list(self._heartbeats.values()):
            for future in heard:
                _tell(future, None)

    def _note_move(self, change: Change) -> None:
        before, after = change.before, change.after
        if before is not None:
            self.counts[before] -= 1
        self.counts[after] += 1
        if after is JobStatus.RUNNING:
            self._note_load(change.node_id, 1)
        elif before is JobStatus.RUNNING:
            self._note_load(change.node_id, -1)
        if after is JobStatus.SUCCEEDED:
            self._events.publish(JobSucceeded(change.job_id, change.type))
        elif after is JobStatus.FAILED:
            self._events.publish(JobFailed(change.job_id, change.type))
        elif after is JobStatus.CANCELLED:
            self._events.publish(JobCancelled(change.job_id, change.type))

    def _note_freed(self, freed: ResourceClass, worker_id: str | None) -> None:
        self.waiting.wake_worker(worker_id, freed)
        if freed in self.limits.fleet:
            self.waiting.wake(Call(freed))

    def _note_load(self, node_id: str | None, more: int) -> None:
        if node_id is not None:
            self._running_by_node[node_id] += more
            self._untold_loads.add(node_id)

    # --- who is to stop --------------------------------------------------------------------

    @contextmanager
    def hearing(self, worker_id: str) -> Iterator[asyncio.Future[str | None]]:
        """Give the future of the next job that this worker is to stop; None: nobody waits now."""
        future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._heartbeats[worker_id].add(future)
        try:
            yield future
        finally:
            heard = self._heartbeats[worker_id]
            heard.discard(future)
            if not heard:
                del self._heartbeats[worker_id]

    def is_heard(self, worker_id: str) -> bool:
        """Tell whether a heartbeat of this worker waits."""
        return worker_id in self._heartbeats

    def tell_to_stop(self, worker_id: str, job_id: str) -> None:
        for future in self._heartbeats.get(worker_id, ()):
            _tell(future, job_id)

    # --- what is known of machines ---------------------------------------------------------

    def machine(self, node_id: str) -> rules.Machine | None:
        """Return what a node has, None when that must be read anew."""
        known = self._machines.get(node_id)
        if known is None or self._clock.monotonic_ms() - known[0] > _MACHINES_KNOWN_MS:
            return None
        return known[1]

    def note_machine(self, machine: rules.Machine) -> None:
        self._machines[machine.node_id] = (self._clock.monotonic_ms(), machine)

    def forget_node(self, forgotten: NodeForgotten) -> None:
        self._machines.pop(forgotten.node_id, None)
        self._forgotten_nodes.append(forgotten.node_id)

    def forget_nodes_later(self, node_ids: Iterable[str]) -> None:
        """Put back what was taken and could not be done."""
        self._forgotten_nodes += node_ids

    def take_forgotten_nodes(self) -> list[str]:
        """Return the nodes whose workers the store is to forget."""
        forgotten, self._forgotten_nodes = self._forgotten_nodes, []
        return forgotten


def _tell(future: asyncio.Future[str | None], job_id: str | None) -> None:
    if not future.done():
        future.set_result(job_id)
