"""Jobs as people see them: lists, one of them, and how many there are."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from msgspec import Raw

from forge_collector.db import Rows, Tx, Value
from forge_collector.jobs import rules
from forge_collector.jobs.rules import Limits, Moment, Needs, Policy, Standing, Waiting
from forge_collector.jobs.store import crew, lanes
from forge_collector.jobs.store.files import files
from forge_collector.jobs.store.submitting import UPLOADING
from forge_shared import codec
from forge_shared.job_messages import (
    Attempt,
    AttemptOutcome,
    Incumbent,
    Job,
    JobError,
    JobFile,
    JobStatus,
    JobSummary,
    Progress,
    ResourceClass,
)

_COLUMNS: Final = """
    q.created_at, q.id, q.type, q.status, q.attempt_count, q.max_attempts, q.resource_class,
    q.requirements, q.priority, q.name, q.submitted_as, q.claimed_by, q.node_id, q.claimed_at,
    q.available_at, q.finished_at, q.cancel_requested_at, q.payload_file, q.error, a.progress,
    a.resource_class, q.rank
"""
_FROM: Final = """
    FROM job_queue AS q LEFT JOIN job_attempts AS a ON a.job_id = q.id AND a.lease = q.lease
"""
_NULL: Final = Raw(b"null")
_NEVER: Final = 1 << 62
# So many jobs of each index are looked through for a text at a time: the readers are for all.
MOST_SIFTED: Final = 20_000
_CURSOR: Final = re.compile(r"-?[0-9]{1,15}", re.ASCII)


class _Order(NamedTuple):
    """An order of lists. ``place``: of a row; ``further``: than the page before; ``start``: where
    the first page begins."""

    words: str
    further: str
    start: tuple[int, str]
    place: Callable[[tuple[Any, ...]], tuple[int, str]]


_NEWEST_FIRST: Final = _Order(
    "q.created_at DESC, q.id DESC",
    "(q.created_at, q.id) < (:last, :last_id)",
    (_NEVER, ""),
    lambda row: (row[0], row[1]),
)
_BY_RANK: Final = _Order(
    "q.rank, q.id",
    "(q.rank, q.id) > (:last, :last_id)",
    (-_NEVER, ""),
    lambda row: (row[-1], row[1]),
)


class _Source(NamedTuple):
    """Jobs that an index gives: those for which ``where`` holds, and of them those for which
    ``more`` does."""

    where: str
    more: str
    params: dict[str, Value]


class Wanted(NamedTuple):
    """Which jobs to list. ``text``: in the name, or the beginning of the id. ``submitted_by``:
    credentials; None: whoever submitted them. ``before``: where the page before ended.
    ``by_rank``: those that are pending, the next ones first."""

    status: JobStatus | None = None
    type: str | None = None
    node_id: str | None = None
    text: str | None = None
    submitted_by: frozenset[str] | None = None
    before: str | None = None
    limit: int = 50
    by_rank: bool = False


class _View:
    """Makes rows into what people see, with what they share looked up once."""

    def __init__(
        self, tx: Tx, limits: Limits, at: Moment, standings: Sequence[Standing] | None
    ) -> None:
        self._tx = tx
        self._limits = limits
        self._at = at
        self._standings = standings
        self._types: Mapping[str, tuple[ResourceClass, Policy]] = _types(tx)
        self._why: dict[tuple[str, str, str], str | None] = {}

    def facts(self, row: tuple[Any, ...]) -> dict[str, Any]:
        """Return the fields of a summary."""
        (
            created_at,
            job_id,
            type_,
            status,
            attempt_count,
            max_attempts,
            wanted_class,
            requirements,
            priority,
            name,
            submitted_as,
            claimed_by,
            node_id,
            claimed_at,
            available_at,
            finished_at,
            cancel_requested_at,
            payload_file,
            error,
            progress,
            class_of_attempt,
            rank,
        ) = row
        usual_class, policy = self._types.get(type_, (ResourceClass.CPU, Policy()))
        resource_class = ResourceClass(class_of_attempt or wanted_class or usual_class)
        waiting = Waiting(
            JobStatus(status),
            Needs(type_, resource_class, rules.requirements(requirements)),
            attempt_count,
            available_at,
            payload_file == UPLOADING,
        )
        return {
            "id": job_id,
            "type": type_,
            "status": waiting.status,
            "created_at": created_at,
            "attempt_count": attempt_count,
            "max_attempts": max_attempts or policy.max_attempts,
            "resource_class": resource_class,
            "priority": priority,
            "name": name,
            "submitted_by": submitted_as,
            "claimed_by": claimed_by,
            "node_id": node_id,
            "claimed_at": claimed_at,
            "available_at": available_at,
            "finished_at": finished_at,
            "cancel_requested": cancel_requested_at is not None,
            "progress": None if progress is None else codec.decode(progress.encode(), Progress),
            "error": None if error is None else codec.decode(error.encode(), JobError),
            "waits_because": self._why_waiting(waiting, requirements),
            "rank": rank if waiting.status is JobStatus.PENDING else None,
        }

    def _why_waiting(self, job: Waiting, requirements: str) -> str | None:
        if job.status is not JobStatus.PENDING:
            return rules.why_waiting(job, (), self._limits, self._at.now_ms)
        if self._standings is None:
            self._standings = crew.standings(self._tx, self._at)
        alike = (job.needs.type, job.needs.resource_class.value, requirements)
        if alike not in self._why:
            self._why[alike] = rules.why_waiting(
                job, self._standings, self._limits, self._at.now_ms
            )
        return self._why[alike]


def page(
    tx: Tx,
    wanted: Wanted,
    limits: Limits,
    at: Moment,
    standings: Sequence[Standing] | None = None,
) -> tuple[list[JobSummary], str | None]:
    """Return a page of jobs, the newest first but for ``by_rank``, and what to ask for to have the
    next one. Where a text is looked for, a page may hold fewer than it could, and even none.

    Raises ValueError for a ``before`` that is none. ``standings``: of ``crew``, to share them.
    """
    order = _BY_RANK if wanted.by_rank else _NEWEST_FIRST
    sources = _sources(tx, wanted)
    end = _end_of_sifting(tx, sources, wanted)
    in_each = [_rows(tx, source, wanted, order, end) for source in sources]
    in_order = heapq.merge(*in_each, key=order.place, reverse=order is _NEWEST_FIRST)
    rows = list(islice(in_order, wanted.limit + 1))
    view = _View(tx, limits, at, standings)
    found = [JobSummary(**view.facts(row)) for row in rows[: wanted.limit]]
    if len(rows) > wanted.limit:
        last = order.place(rows[wanted.limit - 1])
    elif end is not None and not wanted.by_rank:
        last = end
    else:
        return found, None
    return found, f"{last[0]}_{last[1]}"


def summaries(
    tx: Tx,
    job_ids: Iterable[str],
    limits: Limits,
    at: Moment,
    standings: Sequence[Standing] | None = None,
) -> list[JobSummary]:
    """Return those of these jobs that there are."""
    view = _View(tx, limits, at, standings)
    found = []
    for job_id in job_ids:
        row = tx.execute(f"SELECT {_COLUMNS} {_FROM} WHERE q.id = :id", {"id": job_id}).fetchone()
        if row is not None:
            found.append(JobSummary(**view.facts(row)))
    return found


def job(
    tx: Tx,
    job_id: str,
    limits: Limits,
    at: Moment,
    standings: Sequence[Standing] | None = None,
    *,
    with_payload: bool = True,
) -> Job | None:
    """Return all of a job; without its payload and result, if they are not wanted."""
    bodies = "q.payload, q.result" if with_payload else "NULL, NULL"
    row = tx.execute(
        f"""
        SELECT q.deadline, q.wall_limit_ms, q.no_progress_limit_ms, q.dedup_key, {bodies},
               {_COLUMNS} {_FROM} WHERE q.id = :id
        """,
        {"id": job_id},
    ).fetchone()
    if row is None:
        return None
    deadline, wall_limit_ms, no_progress_limit_ms, dedup_key, payload, result = row[:6]
    facts = row[6:]
    return Job(
        **_View(tx, limits, at, standings).facts(facts),
        payload=_NULL if payload is None else Raw(payload),
        result=_NULL if result is None else Raw(result),
        requires=rules.requirements(facts[7]),
        deadline=deadline,
        wall_limit_s=None if wall_limit_ms is None else wall_limit_ms // 1000,
        no_progress_limit_s=None if no_progress_limit_ms is None else no_progress_limit_ms // 1000,
        dedup_key=dedup_key,
        files=[JobFile(one.name, one.size, one.sha256, one.received) for one in files(tx, job_id)],
        attempts=_attempts(tx, job_id),
        incumbents=_incumbents(tx, job_id),
    )


def submitter_of(tx: Tx, job_id: str) -> str | None:
    """Return the credential a job was submitted with; None when there is no such job."""
    row = tx.execute("SELECT submitted_by FROM job_queue WHERE id = :id", {"id": job_id}).fetchone()
    return None if row is None else str(row[0])


def type_of(tx: Tx, job_id: str) -> str:
    """Return a job's type; raises NoSuchJobError."""
    row = tx.execute("SELECT type FROM job_queue WHERE id = :id", {"id": job_id}).fetchone()
    if row is None:
        raise rules.NoSuchJobError(job_id)
    return str(row[0])


def counts(tx: Tx, submitted_by: frozenset[str] | None = None) -> dict[JobStatus, int]:
    """Return how many jobs are in each status."""
    found = dict.fromkeys(JobStatus, 0)
    if submitted_by is not None:
        for credential_id in submitted_by:
            rows = tx.execute(
                "SELECT status, COUNT(*) FROM job_queue WHERE submitted_by = :by GROUP BY status",
                {"by": credential_id},
            ).fetchall()
            _add_up(found, rows)
        return found
    _add_up(
        found,
        tx.execute(
            "SELECT status, COUNT(*) FROM job_queue WHERE finished_at IS NULL GROUP BY status"
        ).fetchall(),
    )
    for status in rules.FINISHED:
        rows = tx.execute(
            """
            SELECT :status, COUNT(*) FROM job_queue
            WHERE status = :status AND finished_at IS NOT NULL
            """,
            {"status": status.value},
        ).fetchall()
        _add_up(found, rows)
    return found


def _add_up(found: dict[JobStatus, int], rows: Iterable[tuple[str, int]]) -> None:
    for status, count in rows:
        found[JobStatus(status)] += count


def _sources(tx: Tx, wanted: Wanted) -> list[_Source]:
    """Return where to look: each is in order by an index, the newest first, or by rank."""
    if wanted.by_rank and wanted.submitted_by is None and not wanted.text:
        after = _cursor(wanted.before, _BY_RANK)
        leading = lanes.leading(tx, wanted.type, after, wanted.limit + 1)
        return [
            _Source("q.status = 'pending' AND q.lane = :lane", "", {"lane": lane})
            for lane in leading
        ]
    status = "" if wanted.status is None else "q.status = :status"
    params: dict[str, Value] = {} if wanted.status is None else {"status": wanted.status.value}
    if wanted.submitted_by is not None:
        return [
            _Source("q.submitted_by = :by", status, {**params, "by": credential_id})
            for credential_id in wanted.submitted_by
        ]
    if wanted.status is None:
        statuses: Iterable[JobStatus] = rules.FINISHED
    else:
        statuses = rules.FINISHED & {wanted.status}
    sources = [
        _Source("q.status = :status AND q.finished_at IS NOT NULL", "", {"status": one.value})
        for one in statuses
    ]
    if wanted.status is None or wanted.status in rules.UNFINISHED:
        sources.append(_Source("q.finished_at IS NULL", status, params))
    return sources


def _end_of_sifting(tx: Tx, sources: Iterable[_Source], wanted: Wanted) -> tuple[int, str] | None:
    """Return the last job to look through for a text, where there are too many for all of them."""
    if not wanted.text:
        return None
    order = _NEWEST_FIRST
    number, job_id = order.start if wanted.by_rank else _cursor(wanted.before, order)
    ends = [
        tx.execute(
            f"""
            SELECT q.created_at, q.id FROM job_queue AS q WHERE {source.where} AND {order.further}
            ORDER BY {order.words} LIMIT 1 OFFSET :most
            """,
            {**source.params, "last": number, "last_id": job_id, "most": MOST_SIFTED - 1},
        ).fetchone()
        for source in sources
    ]
    return max((tuple(end) for end in ends if end is not None), default=None)


def _rows(
    tx: Tx, source: _Source, wanted: Wanted, order: _Order, end: tuple[int, str] | None
) -> Rows:
    """Return the first rows of a source, not beyond the ``end``. They are read as they are asked
    for: of hundreds of lanes, few come onto the page."""
    number, job_id = _cursor(wanted.before, order)
    conditions = [source.where, order.further, *([source.more] if source.more else [])]
    params = {**source.params, "last": number, "last_id": job_id, "limit": wanted.limit + 1}
    if end is not None:
        conditions.append("(q.created_at, q.id) >= (:end, :end_id)")
        params["end"], params["end_id"] = end
    if wanted.type is not None:
        conditions.append("q.type = :type")
        params["type"] = wanted.type
    if wanted.node_id is not None:
        conditions.append("q.node_id = :node_id")
        params["node_id"] = wanted.node_id
    if wanted.text:
        # Both by the store's LOWER: it may know the capitals of fewer letters than Python does.
        within = "LOWER(q.name) LIKE LOWER(:within) ESCAPE '!'"
        conditions.append(f"({within} OR q.id LIKE :text ESCAPE '!')")
        text = _literally(wanted.text)
        params["within"] = f"%{text}%"
        params["text"] = f"{text.lower()}%"
    return tx.execute(
        f"""
        SELECT {_COLUMNS} {_FROM} WHERE {" AND ".join(conditions)}
        ORDER BY {order.words} LIMIT :limit
        """,
        params,
    )


def _cursor(before: str | None, order: _Order) -> tuple[int, str]:
    if before is None:
        return order.start
    number, _, job_id = before.partition("_")
    if not _CURSOR.fullmatch(number) or not job_id:
        raise ValueError("this is not what a page told to ask for next")
    return int(number), job_id


def _literally(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _types(tx: Tx) -> dict[str, tuple[ResourceClass, Policy]]:
    """Return what each type's newest plugin says."""
    rows = tx.execute(
        "SELECT name, version, resource_class, attempts, backoff_s FROM job_types"
    ).fetchall()
    return {
        name: (ResourceClass(resource_class), Policy(attempts, backoff_s))
        for name, _, resource_class, attempts, backoff_s in sorted(
            rows, key=lambda row: rules.version(row[1])
        )
    }


def _attempts(tx: Tx, job_id: str) -> list[Attempt]:
    rows = tx.execute(
        """
        SELECT attempt, worker_id, node_id, started_at, ended_at, outcome, error, log_tail
        FROM job_attempts WHERE job_id = :job_id ORDER BY started_at, started_ms, lease
        """,
        {"job_id": job_id},
    ).fetchall()
    return [
        Attempt(
            number,
            worker_id,
            node_id,
            started_at,
            ended_at,
            None if outcome is None else AttemptOutcome(outcome),
            None if error is None else codec.decode(error.encode(), JobError),
            log_tail or "",
        )
        for number, worker_id, node_id, started_at, ended_at, outcome, error, log_tail in rows
    ]


def _incumbents(tx: Tx, job_id: str) -> list[Incumbent]:
    rows = tx.execute(
        """
        SELECT at, objective, bound FROM job_incumbents
        WHERE job_id = :job_id ORDER BY at, objective DESC
        """,
        {"job_id": job_id},
    ).fetchall()
    return [Incumbent(*row) for row in rows]
