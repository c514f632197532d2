"""Workers, and the job types that they told of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Final

from msgspec import UNSET

from forge_collector.db import Tx
from forge_collector.fleet import store as fleet
from forge_collector.jobs import rules
from forge_collector.jobs.rules import Machine, Moment, Policy
from forge_collector.jobs.store import lanes
from forge_shared import codec
from forge_shared.job_messages import (
    ClaimRequest,
    Heartbeat,
    OfferedType,
    PluginOffer,
    ResourceClass,
    WorkerState,
)

RETIRED_MS: Final = 0  # heard_ms of one that is no more
_SEEN_EVERY_MS: Final = 5000  # a worker that claims all the time is noted so often
_TYPES_KEPT_LONGER_MS: Final = 30 * 24 * 3600 * 1000


class ToldPlugin(OfferedType, omit_defaults=True):
    """A plugin as its worker told of it. ``lacks``: why it cannot be used there, "" if it can."""

    lacks: str = ""


def told_plugins(offers: str) -> list[ToldPlugin]:
    """Read what is kept of a worker's plugins."""
    return codec.decode(offers.encode(), list[ToldPlugin])


def machine(tx: Tx, node_id: str) -> Machine:
    """Return what requirements are held to, as far as the fleet knows it."""
    node = fleet.find(tx, node_id)
    if node is None:
        return Machine(node_id)
    host = node.host
    return Machine(
        node_id, host.platform, host.cpu_cores, host.mem_total_bytes, frozenset(node.tags)
    )


def node_of(tx: Tx, worker_id: str) -> str | None:
    """Return the machine a worker belongs to; None when it is not known."""
    row = tx.execute("SELECT node_id FROM job_workers WHERE id = :id", {"id": worker_id}).fetchone()
    return None if row is None else str(row[0])


def meet_claiming(tx: Tx, request: ClaimRequest, node_id: str, at: Moment) -> bool:
    """Note that a worker claims, and tell whether it may have asked this before; raises
    RefusedError when it is another machine's."""
    row = tx.execute(
        """
        SELECT node_id, types, heard_ms, EXISTS (
            SELECT 1 FROM job_attempts WHERE claim_id = :claim_id AND worker_id = job_workers.id
        )
        FROM job_workers WHERE id = :id
        """,
        {"id": request.worker_id, "claim_id": request.claim_id},
    ).fetchone()
    types = " ".join(request.types)
    if row is None:
        if types:
            _add(tx, request.worker_id, node_id, types, at)
        return request.claim_id is not None
    if row[0] != node_id:
        raise rules.foreign_worker(request.worker_id)
    # Who offers nothing asks what became of an earlier claim, and perhaps of another worker's.
    if types and (row[1] != types or row[2] <= at.lease_ms - _SEEN_EVERY_MS):
        tx.execute(
            """
            UPDATE job_workers SET types = :types, last_seen = :now, heard_ms = :lease_ms
            WHERE id = :id
            """,
            {
                "types": types,
                "now": at.now_ms,
                "lease_ms": at.lease_ms,
                "id": request.worker_id,
            },
        )
    return bool(row[3])


def meet_beating(tx: Tx, worker_id: str, beat: Heartbeat, node_id: str, at: Moment) -> None:
    """Note what a worker tells of itself; raises RefusedError when it is another machine's."""
    known = node_of(tx, worker_id)
    if known is None:
        _add(tx, worker_id, node_id, "", at)
    elif known != node_id:
        raise rules.foreign_worker(worker_id)
    offers = None
    if beat.plugins is not None:
        told = [
            ToldPlugin(one.name, one.version, one.resource_class, one.title) for one in beat.plugins
        ]
        told += [ToldPlugin(one.name, lacks=one.reason) for one in beat.unavailable]
        offers = codec.encode(told).decode()
    tx.execute(
        """
        UPDATE job_workers SET
            state = :state, reason = :reason, slots = :slots, offers = COALESCE(:offers, offers),
            last_seen = :now, heard_ms = :lease_ms
        WHERE id = :id
        """,
        {
            "state": beat.state.value,
            "reason": beat.reason,
            "slots": codec.encode(beat.slots).decode(),
            "offers": offers,
            "now": at.now_ms,
            "lease_ms": at.lease_ms,
            "id": worker_id,
        },
    )


def retire(tx: Tx, worker_id: str, node_id: str) -> bool:
    """Let go of a worker of this machine, and tell whether there was one. What it holds is given
    back by who knows of it, or runs out, and until then it is silent; should it live, it is heard
    again."""
    retired = tx.execute(
        "UPDATE job_workers SET heard_ms = :retired_ms WHERE id = :id AND node_id = :node_id",
        {"retired_ms": RETIRED_MS, "id": worker_id, "node_id": node_id},
    )
    return retired.rowcount == 1


def register(tx: Tx, plugins: Sequence[PluginOffer], at: Moment) -> list[int]:
    """Keep what plugins say of their types; return the lanes whose jobs got another class."""
    tx.executemany(
        """
        INSERT INTO job_types (name, version, resource_class, title, attempts, backoff_s, seen_at,
                               payload_schema)
        VALUES (:name, :version, :resource_class, :title, :attempts, :backoff_s, :now, :schema)
        ON CONFLICT (name, version) DO UPDATE SET
            resource_class = excluded.resource_class, title = excluded.title,
            attempts = excluded.attempts, backoff_s = excluded.backoff_s,
            seen_at = excluded.seen_at, payload_schema = excluded.payload_schema
        """,
        [
            {
                "name": one.name,
                "version": one.version,
                "resource_class": one.resource_class.value,
                "title": one.title,
                "attempts": one.attempts,
                "backoff_s": one.backoff_s,
                "now": at.now_ms,
                "schema": None if one.payload_schema is UNSET else bytes(one.payload_schema),
            }
            for one in plugins
        ],
    )
    changed = _forget_types(tx, 0)  # a version that was taken back is in force no more
    for name in {one.name for one in plugins}:
        changed += lanes.set_class(tx, name, lanes.class_of(tx, name))
    return changed


def policy(tx: Tx, type_: str, max_attempts: int | None) -> Policy:
    """Return how often a job is tried: as it was submitted, or as its type's newest plugin says."""
    rows = tx.execute(
        "SELECT version, attempts, backoff_s FROM job_types WHERE name = :type", {"type": type_}
    ).fetchall()
    usual = Policy()
    if rows:
        _, attempts, backoff_s = max(rows, key=lambda row: rules.version(row[0]))
        usual = Policy(attempts, backoff_s)
    return usual if max_attempts is None else usual._replace(max_attempts=max_attempts)


def forget_node(tx: Tx, node_id: str) -> list[str]:
    """Remove a machine's workers, and what they alone told of types; their leases run out by
    themselves."""
    rows = tx.execute(
        "DELETE FROM job_workers WHERE node_id = :node_id RETURNING id, offers",
        {"node_id": node_id},
    ).fetchall()
    told = {
        (one.name, one.version)
        for _, offers in rows
        if offers is not None
        for one in told_plugins(offers)
    }
    _remove_types(tx, told - _offered(tx))
    _forget_types(tx, 0)
    return [worker_id for worker_id, _ in rows]


def has_workers(tx: Tx, node_id: str) -> bool:
    """Tell whether a machine has workers that are kept."""
    row = tx.execute(
        "SELECT 1 FROM job_workers WHERE node_id = :node_id LIMIT 1", {"node_id": node_id}
    ).fetchone()
    return row is not None


def prune(tx: Tx, before_ms: int) -> int:
    """Remove workers that nothing was heard of since then; return how many. What is known of types
    stays for longer where nobody offers another version of them: their jobs may still come."""
    live = f"""
        SELECT 1 FROM job_attempts
        WHERE resource_class IN ({CLASSES}) AND worker_id = job_workers.id AND ended_at IS NULL
    """
    removed = tx.execute(
        f"DELETE FROM job_workers WHERE last_seen < :before_ms AND NOT EXISTS ({live})",
        {"before_ms": before_ms},
    ).rowcount
    _forget_types(tx, before_ms - _TYPES_KEPT_LONGER_MS)
    return removed


# For statements: which class a live lease is of is the first column of the index that holds them.
CLASSES: Final = ", ".join(f"'{one.value}'" for one in ResourceClass)


def _add(tx: Tx, worker_id: str, node_id: str, types: str, at: Moment) -> None:
    tx.execute(
        """
        INSERT INTO job_workers (id, node_id, state, reason, types, slots, first_seen, last_seen,
                                 heard_ms)
        VALUES (:id, :node_id, :state, '', :types, '{}', :now, :now, :lease_ms)
        """,
        {
            "id": worker_id,
            "node_id": node_id,
            "state": WorkerState.READY.value,
            "types": types,
            "now": at.now_ms,
            "lease_ms": at.lease_ms,
        },
    )


def _forget_types(tx: Tx, before_ms: int) -> list[int]:
    """Remove versions that no worker that is kept offers, where one offers another version of the
    type, or they were told of before then; return the lanes whose jobs got another class.

    The newest version says how all jobs of its type are treated: it is not to be one that somebody
    told of who is no more.
    """
    known = tx.execute("SELECT name, version, seen_at FROM job_types").fetchall()
    offered = _offered(tx)
    names = {name for name, _ in offered}
    gone = [
        (name, version)
        for name, version, seen_at in known
        if (name, version) not in offered and (name in names or seen_at < before_ms)
    ]
    return _remove_types(tx, gone)


def _offered(tx: Tx) -> set[tuple[str, str]]:
    """Return the types, and versions of them, that workers which are kept have told of. Of those
    of one machine that fell silent, which is also what one is whose place another has taken, none
    counts that another one outlived: what it told of is offered there no more."""
    rows = tx.execute(
        "SELECT node_id, offers, heard_ms FROM job_workers WHERE offers IS NOT NULL"
    ).fetchall()
    last_heard_ms: defaultdict[str, int] = defaultdict(int)
    for node_id, _, heard_ms in rows:
        last_heard_ms[node_id] = max(last_heard_ms[node_id], heard_ms)
    return {
        (one.name, one.version)
        for node_id, offers, heard_ms in rows
        if heard_ms >= last_heard_ms[node_id] - rules.SILENT_AFTER_MS
        for one in told_plugins(offers)
        if not one.lacks
    }


def _remove_types(tx: Tx, types: Collection[tuple[str, str]]) -> list[int]:
    """Remove versions of types; return the lanes whose jobs got another class by that."""
    tx.executemany(
        "DELETE FROM job_types WHERE name = :name AND version = :version",
        [{"name": name, "version": version} for name, version in types],
    )
    changed: list[int] = []
    for name in {name for name, _ in types}:
        changed += lanes.set_class(tx, name, lanes.class_of(tx, name))
    return changed
