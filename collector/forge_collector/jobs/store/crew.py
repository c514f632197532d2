"""The workers as they stand: who can take what, and what they hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final, NamedTuple

from msgspec import UNSET, Raw

from forge_collector.db import Tx
from forge_collector.jobs import rules
from forge_collector.jobs.rules import Machine, Moment, Offer, Standing
from forge_collector.jobs.store import workers as rows
from forge_collector.jobs.store.workers import CLASSES, RETIRED_MS
from forge_shared import codec
from forge_shared.job_messages import (
    JobTypeFacts,
    OfferedType,
    ResourceClass,
    Worker,
    WorkerState,
)

# One that is retired stands there for what it holds, until somebody gives that back.
_IS_THERE: Final = f"""
    heard_ms > {RETIRED_MS} OR EXISTS (
        SELECT 1 FROM job_attempts AS a
        WHERE a.resource_class IN ({CLASSES}) AND a.worker_id = job_workers.id
          AND a.ended_at IS NULL
    )
"""


class _Row(NamedTuple):
    id: str
    node_id: str
    state: WorkerState
    reason: str
    types: list[OfferedType]
    lacking: dict[str, str]
    slots: dict[ResourceClass, int]
    first_seen: int
    last_seen: int
    is_silent: bool


def workers(tx: Tx, at: Moment) -> list[Worker]:
    """Return all workers that are there, those that were heard last first."""
    running: defaultdict[str, list[str]] = defaultdict(list)
    for job_id, worker_id, _ in _live(tx):
        running[worker_id].append(job_id)
    return [
        Worker(
            row.id,
            row.node_id,
            row.state,
            row.first_seen,
            row.last_seen,
            row.reason,
            row.is_silent,
            row.types,
            row.slots,
            sorted(running[row.id]),
        )
        for row in _rows(tx, at)
    ]


def worker_states(tx: Tx, at: Moment) -> Counter[str]:
    """Return how many workers are in each state; those that are silent are in none but that."""
    rows = tx.execute(
        f"""
        SELECT state, heard_ms < :silent_ms, COUNT(*) FROM job_workers WHERE {_IS_THERE}
        GROUP BY state, heard_ms < :silent_ms
        """,
        {"silent_ms": at.lease_ms - rules.SILENT_AFTER_MS},
    ).fetchall()
    states: Counter[str] = Counter()
    for state, is_silent, count in rows:
        states["silent" if is_silent else state] += count
    return states


def standings(tx: Tx, at: Moment) -> list[Standing]:
    """Return the workers as ``rules.why_waiting`` looks at them."""
    running: defaultdict[str, Counter[ResourceClass]] = defaultdict(Counter)
    for _, worker_id, resource_class in _live(tx):
        running[worker_id][ResourceClass(resource_class)] += 1
    machines: dict[str, Machine] = {}
    found = []
    for row in _rows(tx, at):
        if not row.is_silent and row.node_id not in machines:
            machines[row.node_id] = rows.machine(tx, row.node_id)
        machine = machines.get(row.node_id, Machine(row.node_id))
        types = rules.offered(
            f"{one.name}@{one.version}" if one.version else one.name for one in row.types
        )
        found.append(
            Standing(
                row.id,
                Offer(machine, types, row.slots),
                row.state,
                row.reason,
                row.is_silent,
                running[row.id],
                row.lacking,
            )
        )
    return found


def types(tx: Tx, at: Moment) -> list[JobTypeFacts]:
    """Return what is known of each job type, by name."""
    facts: dict[str, JobTypeFacts] = {}
    known = tx.execute(
        "SELECT name, version, resource_class, title FROM job_types ORDER BY name"
    ).fetchall()
    for name, version, resource_class, title in sorted(
        known, key=lambda row: (row[0], rules.version(row[1]))
    ):
        fact = facts.setdefault(name, JobTypeFacts(name))
        # The newest comes last.
        fact.versions.append(version)
        fact.resource_class = ResourceClass(resource_class)
        fact.title = title
    for row in _rows(tx, at):
        for name in {one.name for one in row.types}:
            fact = facts.setdefault(name, JobTypeFacts(name))
            fact.workers += not row.is_silent
    for fact in facts.values():
        schema = schema_of(tx, fact.name)
        fact.payload_schema = UNSET if schema is None else Raw(schema)
    return [facts[name] for name in sorted(facts)]


def schema_of(tx: Tx, type_: str) -> bytes | None:
    """Return the payload's schema by a type's newest plugin, if there is one."""
    found = tx.execute(
        "SELECT version, payload_schema FROM job_types WHERE name = :type", {"type": type_}
    ).fetchall()
    if not found:
        return None
    schema: bytes | None = max(found, key=lambda row: rules.version(row[0]))[1]
    return schema


def running_by_node(tx: Tx) -> dict[str, int]:
    """Return how many jobs run on each machine that has any."""
    return dict(
        tx.execute(
            f"""
            SELECT node_id, COUNT(*) FROM job_attempts
            WHERE resource_class IN ({CLASSES}) AND ended_at IS NULL GROUP BY node_id
            """
        ).fetchall()
    )


def _live(tx: Tx) -> list[tuple[str, str, str]]:
    return tx.execute(
        f"""
        SELECT job_id, worker_id, resource_class FROM job_attempts
        WHERE resource_class IN ({CLASSES}) AND ended_at IS NULL
        """
    ).fetchall()


def _rows(tx: Tx, at: Moment) -> list[_Row]:
    found = tx.execute(
        f"""
        SELECT id, node_id, state, reason, offers, types, slots, first_seen, last_seen, heard_ms
        FROM job_workers WHERE {_IS_THERE} ORDER BY last_seen DESC, id
        """
    ).fetchall()
    return [
        _Row(
            worker_id,
            node_id,
            WorkerState(state),
            reason,
            _offered(offers, claimed),
            _lacking(offers),
            codec.decode(slots.encode(), dict[ResourceClass, int]),
            first_seen,
            last_seen,
            heard_ms < at.lease_ms - rules.SILENT_AFTER_MS,
        )
        for (
            worker_id,
            node_id,
            state,
            reason,
            offers,
            claimed,
            slots,
            first_seen,
            last_seen,
            heard_ms,
        ) in found
    ]


def _offered(offers: str | None, claimed: str) -> list[OfferedType]:
    """Return what a worker told of its plugins, or else the types that it claims."""
    if offers is not None:
        return [one for one in rows.told_plugins(offers) if not one.lacks]
    return [OfferedType(name, version) for name, _, version in map(_parted, claimed.split())]


def _lacking(offers: str | None) -> dict[str, str]:
    """Return what keeps a worker from using some of its plugins, by their names."""
    told = [] if offers is None else rows.told_plugins(offers)
    return {one.name: one.lacks for one in told if one.lacks}


def _parted(offer: str) -> tuple[str, str, str]:
    return offer.partition("@")
