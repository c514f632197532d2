"""The files of jobs, as rows; their bytes lie in a folder.

A file that is whole stays until another has come in its place as a whole, so a job may have both:
a checkpoint is good until there is a newer one.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from forge_collector.db import Tx
from forge_collector.jobs import rules
from forge_collector.jobs.rules import Moment, NoSuchJobError, RefusedError
from forge_collector.jobs.store import attempts, lanes
from forge_collector.jobs.store.changes import Change
from forge_collector.jobs.store.giving_up import give_up
from forge_shared.job_messages import FileDigest, JobError, JobStatus

PAYLOAD: Final = "payload"
CHECKPOINT: Final = "checkpoint"
_COLUMNS: Final = "job_id, name, size, sha256, received, is_whole, lease, updated_at"


class FileRow(NamedTuple):
    """A file, or what is there of one that is being uploaded. ``lease``: whose attempt does."""

    job_id: str
    name: str
    size: int
    sha256: str
    received: int
    is_whole: bool
    lease: str | None
    updated_at: int


def files(tx: Tx, job_id: str) -> list[FileRow]:
    """Return the files of a job, as people see them.

    What an attempt has uploaded as its result is the job's only once that attempt ended with it. As
    long as it runs, one sees how far its upload is; of one that ended otherwise, nothing.
    """
    rows = tx.execute(
        f"""
        SELECT {_COLUMNS} FROM job_files
        WHERE job_id = :job_id AND (name <> 'result' OR EXISTS (
            SELECT 1 FROM job_queue AS q
            WHERE q.id = :job_id
              AND (is_whole = 1 AND q.result_file = 1
                   OR is_whole = 0 AND q.status = 'running' AND q.lease = job_files.lease)
        ))
        ORDER BY name, is_whole DESC
        """,
        {"job_id": job_id},
    ).fetchall()
    return [_row(row) for row in rows]


def file(tx: Tx, job_id: str, name: str, *, whole: bool) -> FileRow | None:
    row = tx.execute(
        f"""
        SELECT {_COLUMNS} FROM job_files
        WHERE job_id = :job_id AND name = :name AND is_whole = :is_whole
        """,
        {"job_id": job_id, "name": name, "is_whole": int(whole)},
    ).fetchone()
    return None if row is None else _row(row)


def begin_file(  # noqa: PLR0917  which one, what of it, and when
    tx: Tx, job_id: str, name: str, digest: FileDigest, lease: str | None, at: Moment
) -> FileRow:
    """Begin to upload a file, or go on with it; one that is whole already is returned as it is.

    ``lease``: a live one, for any file but the payload. Raises RefusedError, NoSuchJobError.
    """
    there = file(tx, job_id, name, whole=True)
    if name == PAYLOAD:
        _check_payload(tx, job_id, digest, there)
    else:
        _check_live(tx, job_id, lease)
    if there is not None and (there.size, there.sha256) == tuple(_key(digest)):
        return there
    row = tx.execute(
        f"""
        INSERT INTO job_files ({_COLUMNS})
        VALUES (:job_id, :name, :size, :sha256, 0, 0, :lease, :now)
        ON CONFLICT (job_id, name, is_whole) DO UPDATE SET
            received = CASE WHEN job_files.sha256 = :sha256 AND job_files.size = :size
                       THEN job_files.received ELSE 0 END,
            size = :size, sha256 = :sha256, lease = :lease, updated_at = :now
        RETURNING {_COLUMNS}
        """,
        {
            "job_id": job_id,
            "name": name,
            "size": digest.size,
            "sha256": digest.sha256,
            "lease": lease,
            "now": at.now_ms,
        },
    ).fetchone()
    return _row(row)


def note_received(  # noqa: PLR0917  which one, what of it, and when
    tx: Tx, job_id: str, name: str, sha256: str, received: int, at: Moment
) -> None:
    """Keep how much is there of the file that is being uploaded."""
    tx.execute(
        """
        UPDATE job_files SET received = :received, updated_at = :now
        WHERE job_id = :job_id AND name = :name AND is_whole = 0 AND sha256 = :sha256
        """,
        {
            "received": received,
            "now": at.now_ms,
            "job_id": job_id,
            "name": name,
            "sha256": sha256,
        },
    )


def finish_file(tx: Tx, job_id: str, name: str, sha256: str, at: Moment) -> Change | None:
    """From now on the file is whole, in the place of the one before; raises RefusedError when its
    lease ended meanwhile. A job that waited for its payload is pending now, if its time has come.
    """
    begun = file(tx, job_id, name, whole=False)
    if begun is None or begun.sha256 != sha256:
        there = file(tx, job_id, name, whole=True)
        if there is None or there.sha256 != sha256:
            raise rules.file_conflict(f"Nobody is uploading this {name}; begin anew.")
        return None
    if name != PAYLOAD:
        _check_live(tx, job_id, begun.lease)
    key = {"job_id": job_id, "name": name}
    tx.execute(
        "DELETE FROM job_files WHERE job_id = :job_id AND name = :name AND is_whole = 1", key
    )
    tx.execute(
        """
        UPDATE job_files SET is_whole = 1, received = size, updated_at = :now
        WHERE job_id = :job_id AND name = :name AND is_whole = 0
        """,
        {**key, "now": at.now_ms},
    )
    if name == CHECKPOINT:
        attempts.keep_checkpoint_file(tx, job_id, begun.lease)
    return _payload_came(tx, job_id, at) if name == PAYLOAD else None


def refuse_payload(
    tx: Tx, job_id: str, digest: FileDigest, error: JobError, at: Moment
) -> Change | None:
    """Give a job up whose payload came to its end and is not what its type takes; None when it did
    not wait for that any more. What came stays as it is: the same request again is to have the same
    answer, and the schema may turn out to be what was wrong."""
    note_received(tx, job_id, PAYLOAD, digest.sha256, digest.size, at)
    rows = tx.execute(
        """
        SELECT id, type, status, name, submitted_by FROM job_queue
        WHERE id = :id AND status = 'waiting' AND payload_file = 1
        """,
        {"id": job_id},
    ).fetchall()
    changes = give_up(tx, rows, error, at)
    return changes[0] if changes else None


def _payload_came(tx: Tx, job_id: str, at: Moment) -> Change | None:
    tx.execute("UPDATE job_queue SET payload_file = 2 WHERE id = :id", {"id": job_id})
    row = tx.execute(
        """
        SELECT id, type, resource_class, requirements, name, submitted_by FROM job_queue
        WHERE id = :id AND status = 'waiting' AND available_at <= :now
        """,
        {"id": job_id, "now": at.now_ms},
    ).fetchone()
    return None if row is None else make_pending(tx, row)


def make_pending(tx: Tx, row: tuple[Any, ...]) -> Change | None:
    """Put a waiting job into its lane; None when it does not wait any more. ``row``: its id, type,
    class, requirements, name and submitter."""
    job_id, type_, resource_class, requirements, name, submitted_by = row
    place = lanes.place(tx, type_, resource_class, requirements)
    moved = tx.execute(
        """
        UPDATE job_queue SET status = 'pending', lane = :lane, available_at = NULL
        WHERE id = :id AND status = 'waiting' AND payload_file <> 1
        """,
        {"lane": place.lane, "id": job_id},
    )
    if moved.rowcount != 1:
        return None
    return Change(
        job_id,
        type_,
        JobStatus.WAITING,
        JobStatus.PENDING,
        name,
        submitted_by,
        ready=place.needs,
    )


def no_payload_awaited(tx: Tx, job_id: str) -> RefusedError:
    """Return why a payload is not for a job whose payload is no file; raises NoSuchJobError."""
    row = tx.execute("SELECT 1 FROM job_queue WHERE id = :id", {"id": job_id}).fetchone()
    if row is None:
        raise NoSuchJobError(job_id)
    return rules.file_conflict("The job has its payload already: it was submitted with it.")


def _check_payload(tx: Tx, job_id: str, digest: FileDigest, there: FileRow | None) -> None:
    expected = there or file(tx, job_id, PAYLOAD, whole=False)
    if expected is None:
        raise no_payload_awaited(tx, job_id)
    if (expected.size, expected.sha256) != tuple(_key(digest)):
        raise rules.file_conflict("This is not the payload that the job was submitted with.")


def _check_live(tx: Tx, job_id: str, lease: str | None) -> None:
    if lease is None or not attempts.hear(tx, job_id, lease):
        raise rules.stale_lease(job_id)


def _key(digest: FileDigest) -> tuple[int, str]:
    return digest.size, digest.sha256


def _row(row: tuple[Any, ...]) -> FileRow:
    found = FileRow(*row)
    return found._replace(is_whole=bool(found.is_whole))
