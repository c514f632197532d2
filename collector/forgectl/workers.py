"""Workers in words, and the nodes that have none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from forge_shared.job_messages import JobSummary, ResourceClass, Worker
from forgectl import figures
from forgectl.fleet import Row
from forgectl.output import printable

COLUMNS: Final = ("NODE", "STATE", "TYPES", "SLOTS", "HEARD", "RUNNING")
SILENT: Final = "silent"

_NAMED: Final = 12


class Load:
    """How many jobs of each class each worker has."""

    def __init__(self, running: Iterable[JobSummary]) -> None:
        self._counts = Counter((job.claimed_by, job.resource_class) for job in running)

    def slots(self, worker: Worker) -> str:
        """Return what is taken of a worker's slots."""
        # Those that the worker has, and those in use all the same.
        classes = [
            each for each in ResourceClass if each in worker.slots or self._used(worker, each)
        ]
        return ", ".join(
            f"{each.value} {self._used(worker, each)}/{worker.slots.get(each, 0)}"
            for each in classes
        )

    def _used(self, worker: Worker, resource_class: ResourceClass) -> int:
        return self._counts[(worker.id, resource_class)]


def shown(workers: Sequence[Worker]) -> list[Worker]:
    """Return those worth a line, by node: not what is silent since another took its place."""
    heard = _heard(workers)
    worth = [worker for worker in workers if not worker.silent or worker.node_id not in heard]
    return sorted(worth, key=lambda worker: (worker.node_id, worker.first_seen))


def row(worker: Worker, load: Load, now_ms: int) -> list[str]:
    return [
        worker.node_id,
        _state(worker),
        ", ".join(f"{each.name} {each.version}".strip() for each in worker.types) or figures.NONE,
        load.slots(worker) or figures.NONE,
        f"{figures.span(now_ms - worker.last_seen)} ago",
        str(len(worker.running)),  # their ids would take a line each; --json has them
    ]


def _state(worker: Worker) -> str:
    if worker.silent:
        return SILENT
    state = worker.state.value
    if worker.reason.startswith(state):
        return worker.reason
    return f"{state}: {worker.reason}" if worker.reason else state


def without(workers: Sequence[Worker], nodes: Iterable[Row]) -> list[Row]:
    """Return the nodes that have no worker, or had one and it is silent."""
    heard = _heard(workers)
    return [node for node in nodes if node.id not in heard]


def idle(nodes: Sequence[Row]) -> Iterator[str]:
    """Yield what to say of nodes without a worker."""
    if there := [node for node in nodes if node.is_there]:
        yield f"No worker on {_named(there)}: work is off there. `forge-agent work on` turns it on."
    if gone := [node for node in nodes if not node.is_there]:
        yield f"Not there, and without a worker: {_named(gone)}."


def _named(nodes: Sequence[Row]) -> str:
    named = ", ".join(printable(node.id) for node in nodes[:_NAMED])
    more = len(nodes) - _NAMED
    return f"{named} and {more:,} more" if more > 0 else named


def _heard(workers: Iterable[Worker]) -> set[str]:
    return {worker.node_id for worker in workers if not worker.silent}
