"""Workers in words."""

from __future__ import annotations

from forge_shared.job_messages import (
    JobStatus,
    JobSummary,
    OfferedType,
    ResourceClass,
    Worker,
    WorkerState,
)
from forge_shared.messages import Card, FleetFrame, Status
from forgectl import workers
from forgectl.fleet import Fleet, Row

NOW = 1_800_000_000_000


def a_worker(node_id: str, start: str, **more: object) -> Worker:
    return Worker(
        f"{node_id}.{start}",
        node_id,
        WorkerState.READY,
        NOW,
        NOW - 5000,
        **more,  # type: ignore[arg-type]  # the fields of a Worker
    )


def nodes(**states: Status) -> list[Row]:
    fleet = Fleet()
    cards = [Card(node_id, status, NOW, {}) for node_id, status in states.items()]
    fleet.take(FleetFrame(full=True, now=NOW, nodes=cards, gone=[]))
    return fleet.rows(NOW)


def running(worker: Worker, resource_class: ResourceClass) -> JobSummary:
    return JobSummary(
        "id", "echo", JobStatus.RUNNING, NOW, 1, 3, resource_class, claimed_by=worker.id
    )


def test_a_line_says_what_a_worker_does() -> None:
    worker = a_worker(
        "attic",
        "01",
        types=[OfferedType("echo", "1.0"), OfferedType("bare")],
        slots={ResourceClass.IO: 10, ResourceClass.CPU: 4},
        running=["j1", "j2", "j3"],
    )
    load = workers.Load(
        [
            running(worker, ResourceClass.CPU),
            running(worker, ResourceClass.LLM),
            running(a_worker("other", "01"), ResourceClass.IO),
        ]
    )
    assert workers.row(worker, load, NOW) == [
        "attic",
        "ready",
        "echo 1.0, bare",
        "cpu 1/4, io 0/10, llm 1/0",
        "5 s ago",
        "3",
    ]


def test_one_that_fell_silent_is_shown_unless_another_took_its_place() -> None:
    gone = a_worker("attic", "01", silent=True)
    here = a_worker("attic", "02")
    lost = a_worker("cellar", "01", silent=True)
    assert workers.shown([lost, gone, here]) == [here, lost]
    assert workers.row(lost, workers.Load([]), NOW)[1:4] == ["silent", "-", "-"]


def test_nodes_without_a_worker_are_named_with_what_to_do() -> None:
    there = nodes(attic=Status.ONLINE, cellar=Status.DEGRADED, pc=Status.OFFLINE)
    without = workers.without([a_worker("attic", "01")], there)
    assert list(workers.idle(without)) == [
        "No worker on cellar: work is off there. `forge-agent work on` turns it on.",
        "Not there, and without a worker: pc.",
    ]
    assert list(workers.idle([])) == []
    many = nodes(**{f"n{number:02}": Status.ONLINE for number in range(20)})
    (line,) = workers.idle(many)
    assert "n11 and 8 more" in line
