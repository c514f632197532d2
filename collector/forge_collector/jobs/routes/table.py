"""The routes of jobs, as a table."""

from __future__ import annotations

from typing import Any, Final

from forge_collector.clock import Clock
from forge_collector.db import Database
from forge_collector.http.auth import Authenticator
from forge_collector.http.routing import (
    ANYONE,
    NODE,
    NODE_OR_SUBMITTER,
    PEOPLE,
    SUBMITTER,
    Route,
)
from forge_collector.http.streams import Streams
from forge_collector.jobs.files import MAX_PART_BYTES, JobFiles
from forge_collector.jobs.job_types import JobTypes
from forge_collector.jobs.live import LiveJobs
from forge_collector.jobs.routes.asked import LEASE_HEADER
from forge_collector.jobs.routes.files import BYTES, SHA256_HEADER, FileRoutes
from forge_collector.jobs.routes.people import LIST_QUERY, PeopleRoutes
from forge_collector.jobs.routes.submitting import SubmittingRoutes
from forge_collector.jobs.routes.workers import CLAIM_QUERY, WorkerRoutes
from forge_shared import codec
from forge_shared.job_messages import (
    MAX_INLINE_BYTES,
    ClaimedJobs,
    ClaimRequest,
    Heartbeat,
    HeartbeatReply,
    Job,
    JobFile,
    JobResult,
    Jobs,
    JobSubmission,
    ResultReply,
    SubmittedJob,
    SubmittedJobs,
    Workers,
)

_BESIDE_DOCUMENTS: Final = 128 * 1024  # all of a message but its payload, result or checkpoint
_CLAIM_REFUSED: Final = ("foreign_worker", "invalid", "too_large")


class JobRoutes:
    def __init__(
        self,
        *,
        db: Database,
        live: LiveJobs,
        job_types: JobTypes,
        files: JobFiles,
        streams: Streams,
        clock: Clock,
        authenticator: Authenticator,
    ) -> None:
        self._submitting = SubmittingRoutes(db, live, job_types, clock, authenticator)
        self._people = PeopleRoutes(db, live, streams, clock)
        self._workers = WorkerRoutes(db, live, job_types, authenticator)
        self._files = FileRoutes(db, live, job_types, files, authenticator)

    def routes(self) -> list[Route[Any]]:
        return [*self._for_people(), *self._for_workers(), *self._for_files()]

    def _for_people(self) -> list[Route[Any]]:
        people = self._people
        return [
            Route(
                "POST",
                "/api/jobs",
                SUBMITTER,
                self._submitting.submit,
                "Submit a job, or a batch of them",
                body=JobSubmission,
                max_body_bytes=MAX_INLINE_BYTES + _BESIDE_DOCUMENTS,
                raw_body={codec.NDJSON: str},
                replies={200: (SubmittedJob, SubmittedJobs), 201: SubmittedJob},
                problems=("payload_invalid", "id_taken", "deadline_passed", "too_many_lines"),
            ),
            Route(
                "GET",
                "/api/jobs",
                PEOPLE,
                people.jobs,
                "Jobs, newest first; a submitter's own",
                replies={200: Jobs},
                query=LIST_QUERY,
                problems=("invalid",),
            ),
            Route(
                "GET",
                "/api/jobs/events",
                PEOPLE,
                people.events,
                "Jobs, live: counts and what changed; with an id, that job",
                replies={200: "text/event-stream"},
                query={"id": {"type": "string", "description": "Watch this job alone."}},
                problems=("not_found", "not_ready"),
                streams=True,
            ),
            Route(
                "GET",
                "/api/jobs/{id}",
                PEOPLE,
                people.job,
                "One job: payload, result, attempts, incumbents",
                replies={200: Job},
            ),
            Route(
                "POST",
                "/api/jobs/{id}/cancel",
                SUBMITTER,
                people.cancel,
                "Cancel a job; one that runs is stopped by its worker",
                replies={200: Job},
                problems=("job_finished",),
            ),
            Route(
                "POST",
                "/api/jobs/{id}/retry",
                SUBMITTER,
                people.retry,
                "Try a job again that failed or was cancelled",
                replies={200: Job},
                problems=("job_finished", "job_unfinished"),
            ),
            Route(
                "GET",
                "/api/workers",
                PEOPLE,
                people.workers,
                "Workers, and the job types they offer; for a submitter the types alone",
                replies={200: Workers},
            ),
        ]

    def _for_workers(self) -> list[Route[Any]]:
        workers = self._workers
        return [
            Route(
                "POST",
                "/api/jobs/claim",
                NODE,
                workers.claim,
                "Settle results, and lease jobs; waits for one if it is told to",
                body=ClaimRequest,
                max_body_bytes=codec.MAX_BODY_BYTES,
                replies={200: ClaimedJobs, 204: None},
                problems=_CLAIM_REFUSED,
            ),
            Route(
                "GET",
                "/api/jobs/claim",
                NODE,
                workers.claim_by_query,
                "Lease jobs, with the body's fields in the address",
                query=CLAIM_QUERY,
                replies={200: ClaimedJobs, 204: None},
                problems=(*_CLAIM_REFUSED, "overloaded", "storage_full", "storage_failed"),
            ),
            Route(
                "POST",
                "/api/jobs/{id}/result",
                NODE,
                workers.result,
                "End an attempt; accepted once, and repeats are answered the same",
                body=JobResult,
                max_body_bytes=2 * MAX_INLINE_BYTES + _BESIDE_DOCUMENTS,
                replies={200: ResultReply},
                problems=("stale_lease", "file_incomplete"),
            ),
            Route(
                "POST",
                "/api/workers/{id}/heartbeat",
                NODE,
                workers.heartbeat,
                "Renew a worker's leases, and hear which are lost or to be stopped",
                body=Heartbeat,
                max_body_bytes=codec.MAX_BODY_BYTES,
                replies={200: HeartbeatReply},
                problems=("foreign_worker",),
            ),
        ]

    def _for_files(self) -> list[Route[Any]]:
        return [
            Route(
                "PUT",
                "/api/jobs/{id}/files/{name}",
                NODE_OR_SUBMITTER,
                self._files.upload,
                "A part of a file, or all of it; or ask how much is there",
                raw_body={BYTES: str},
                max_raw_bytes=MAX_PART_BYTES,
                headers={
                    "Content-Range": {"type": "string"},
                    SHA256_HEADER: {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                    LEASE_HEADER: {"type": "string"},
                },
                replies={200: JobFile},
                problems=(
                    "invalid",
                    "payload_invalid",
                    "stale_lease",
                    "file_conflict",
                    "range_mismatch",
                ),
            ),
            Route(
                "GET",
                "/api/jobs/{id}/files/{name}",
                ANYONE,
                self._files.download,
                "A file of a job, or a part of it",
                headers={"Range": {"type": "string"}, LEASE_HEADER: {"type": "string"}},
                replies={200: BYTES, 206: BYTES},
                problems=("stale_lease", "file_incomplete", "range_not_satisfiable"),
            ),
        ]
