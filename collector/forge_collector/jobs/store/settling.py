"""Results: each ends an attempt, once, and the same one again has the same answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import UNSET

from forge_collector.db import Tx
from forge_collector.jobs import rules
from forge_collector.jobs.rules import Draw, Moment, RefusedError
from forge_collector.jobs.store import attempts
from forge_collector.jobs.store.attempts import Live
from forge_collector.jobs.store.changes import Change
from forge_shared.job_messages import (
    AttemptOutcome,
    JobResult,
    JobStatus,
    Refusal,
    ResultReply,
    ResultStatus,
    SettledJob,
)


class Settled(NamedTuple):
    """``change``: None when this result was accepted before."""

    reply: ResultReply
    change: Change | None


def settle(  # noqa: PLR0917  which one, what of it, and when
    tx: Tx, job_id: str, result: JobResult, node_id: str, at: Moment, draw: Draw
) -> Settled:
    """Accept a result; raises RefusedError."""
    (settled,) = _settle(tx, [(job_id, result)], node_id, at, draw)
    if isinstance(settled, RefusedError):
        raise settled
    return settled


def settle_all(
    tx: Tx, results: Sequence[SettledJob], node_id: str, at: Moment, draw: Draw
) -> tuple[list[ResultReply], list[Refusal], list[Change]]:
    """Accept each of these; what is refused spoils nothing of the others."""
    replies: list[ResultReply] = []
    refusals: list[Refusal] = []
    changes: list[Change] = []
    if results:
        settled = _settle(tx, [(result.id, result) for result in results], node_id, at, draw)
        for result, one in zip(results, settled, strict=True):
            if isinstance(one, RefusedError):
                refusals.append(Refusal(result.id, one.code, str(one)))
                continue
            replies.append(one.reply)
            if one.change is not None:
                changes.append(one.change)
    return replies, refusals, changes


def _settle(
    tx: Tx, results: Sequence[tuple[str, JobResult]], node_id: str, at: Moment, draw: Draw
) -> list[Settled | RefusedError]:
    live = attempts.of_jobs(tx, [job_id for job_id, _ in results])
    settled: dict[int, Settled | RefusedError] = {}
    succeeded: dict[int, tuple[Live, JobResult]] = {}
    for number, (job_id, result) in enumerate(results):
        one = live.get((job_id, result.lease))
        if one is None or one.node_id != node_id:
            continue
        if result.result_file is not None and not _is_whole(tx, job_id, result):
            settled[number] = rules.file_incomplete("result")
            continue
        # The same one once more is looked at when this has ended the attempt.
        del live[job_id, result.lease]
        if result.status is ResultStatus.SUCCEEDED:
            succeeded[number] = (one, result)
        else:
            settled[number] = _end(tx, one, result, at, draw)
    changes = attempts.succeed(tx, list(succeeded.values()), at) if succeeded else []
    for number, change in zip(succeeded, changes, strict=True):
        reply = ResultReply(change.job_id, change.after, succeeded[number][0].attempt)
        settled[number] = Settled(reply, change)
    return [
        settled[number] if number in settled else _again(tx, job_id, result, node_id)
        for number, (job_id, result) in enumerate(results)
    ]


def _end(tx: Tx, live: Live, result: JobResult, at: Moment, draw: Draw) -> Settled:
    saved = live.saved > 0
    if result.checkpoint is not UNSET:
        held = (live.job_id, live.lease)
        saved = attempts.keep_checkpoint(tx, held, bytes(result.checkpoint), at) or saved
    outcome = rules.outcome_of(result, heard=live.heard > 0, saved=saved)
    error = result.error if result.status is ResultStatus.FAILED else None
    if outcome is AttemptOutcome.LOST:
        error = rules.DIED
    change, attempt_count = attempts.end(tx, live, outcome, error, at, draw, result)
    return Settled(ResultReply(live.job_id, change.after, attempt_count), change)


def _again(tx: Tx, job_id: str, result: JobResult, node_id: str) -> Settled | RefusedError:
    """Answer a result of an attempt that is not live: as before, if this is what ended it."""
    row = tx.execute(
        """
        SELECT reply_status, reply_count, digest FROM job_attempts
        WHERE job_id = :job_id AND lease = :lease AND node_id = :node_id
          AND ended_at IS NOT NULL
        """,
        {"job_id": job_id, "lease": result.lease, "node_id": node_id},
    ).fetchone()
    if row is None or row[2] != rules.digest(result):
        return rules.stale_lease(job_id)
    return Settled(ResultReply(job_id, JobStatus(row[0]), row[1]), None)


def _is_whole(tx: Tx, job_id: str, result: JobResult) -> bool:
    expected = result.result_file
    row = tx.execute(
        """
        SELECT size, sha256 FROM job_files
        WHERE job_id = :job_id AND name = 'result' AND is_whole = 1
        """,
        {"job_id": job_id},
    ).fetchone()
    return expected is not None and row == (expected.size, expected.sha256)
