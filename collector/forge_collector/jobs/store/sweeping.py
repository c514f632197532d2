"""The sweep: what time alone does to jobs. It reads first, and pages through what is due."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from forge_collector.db import Tx
from forge_collector.jobs import rules
from forge_collector.jobs.rules import Draw, Moment
from forge_collector.jobs.store import attempts
from forge_collector.jobs.store.changes import Change
from forge_collector.jobs.store.files import make_pending
from forge_collector.jobs.store.giving_up import give_up
from forge_shared.job_messages import AttemptOutcome

_DUE: Final = """
    SELECT id, type, resource_class, requirements, name, submitted_by FROM job_queue
    WHERE status = 'waiting' AND payload_file <> 1 AND available_at <= :now
    ORDER BY available_at LIMIT :limit
"""
_PAST_DEADLINE: Final = """
    SELECT id, type, status, name, submitted_by FROM job_queue
    WHERE deadline IS NOT NULL AND status IN ('waiting', 'pending') AND deadline <= :now
    ORDER BY deadline LIMIT :limit
"""
_ABANDONED: Final = """
    SELECT q.id, q.type, q.status, q.name, q.submitted_by
    FROM job_queue AS q JOIN job_files AS f ON f.job_id = q.id
    WHERE q.status = 'waiting' AND q.payload_file = 1 AND q.created_at <= :silent_since
      AND f.name = 'payload' AND f.is_whole = 0 AND f.updated_at <= :silent_since
    ORDER BY q.created_at LIMIT :limit
"""


class Swept(NamedTuple):
    """``more``: there is more than fitted into one unit."""

    changes: list[Change]
    more: bool


def is_due(tx: Tx, at: Moment) -> bool:
    """Tell whether the sweep has anything to do."""
    params = {"now": at.now_ms, "limit": 1}
    return (
        bool(attempts.expired(tx, at, 1) or attempts.overrun(tx, at, 1))
        or tx.execute(_DUE, params).fetchone() is not None
        or tx.execute(_PAST_DEADLINE, params).fetchone() is not None
        or bool(_abandoned(tx, at, 1))
    )


def sweep(tx: Tx, at: Moment, draw: Draw, limit: int = 100) -> Swept:
    """End leases that ran out, give up jobs whose deadline passed or whose payload never came, and
    let wait no longer what has waited for long enough; so many of each."""
    expired = attempts.expired(tx, at, limit)
    changes = [
        attempts.end(tx, live, AttemptOutcome.LOST, rules.LOST, at, draw).change
        if live.heard
        # Its worker never knew of it: it costs the job nothing.
        else attempts.end(tx, live, AttemptOutcome.UNSTARTED, None, at, draw).change
        for live in expired
    ]
    overrun = attempts.overrun(tx, at, limit)
    changes += [
        attempts.end(tx, live, AttemptOutcome.TIMED_OUT, rules.OVERRUN, at, draw).change
        for live in overrun
    ]
    past = tx.execute(_PAST_DEADLINE, {"now": at.now_ms, "limit": limit}).fetchall()
    changes += give_up(tx, past, rules.DEADLINE_PASSED, at)
    abandoned = _abandoned(tx, at, limit)
    changes += give_up(tx, abandoned, rules.PAYLOAD_MISSING, at)
    due = tx.execute(_DUE, {"now": at.now_ms, "limit": limit}).fetchall()
    moved = [make_pending(tx, row) for row in due]
    changes += [change for change in moved if change is not None]
    pages = (expired, overrun, past, abandoned, due)
    return Swept(changes, any(len(page) == limit for page in pages))


def resume(tx: Tx, at: Moment) -> int:
    """Give every live lease a full term, for nobody could renew one while the collector did not
    run; return how many there are. The lease clock may be behind what it was before."""
    tx.execute(
        "UPDATE job_workers SET heard_ms = :lease_ms WHERE heard_ms > :lease_ms",
        {"lease_ms": at.lease_ms},
    )
    return tx.execute(
        """
        UPDATE job_attempts SET
            expires_ms = :expires_ms, started_ms = :lease_ms, progress_ms = :lease_ms
        WHERE ended_at IS NULL
        """,
        {"expires_ms": at.lease_ms + rules.LEASE_TTL_MS, "lease_ms": at.lease_ms},
    ).rowcount


def _abandoned(tx: Tx, at: Moment, limit: int) -> list[tuple[Any, ...]]:
    """Return jobs whose payload does not come any more."""
    silent_since = at.now_ms - rules.PAYLOAD_MISSING_MS
    return tx.execute(_ABANDONED, {"silent_since": silent_since, "limit": limit}).fetchall()
