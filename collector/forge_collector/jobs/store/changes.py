"""What a unit tells of the jobs it changed."""

from __future__ import annotations

from typing import NamedTuple

from forge_collector.jobs.rules import Needs
from forge_shared.job_messages import AttemptOutcome, JobStatus, ResourceClass


class RaceError(RuntimeError):
    """Rows changed between two statements of a unit; nothing of it was kept."""


class Change(NamedTuple):
    """A job that changed. ``before``: None of a new one; the same as ``after``: its progress did,
    or somebody asked to cancel it. ``ready``: what it needs of a worker, if it is pending from now
    on. ``node_id``, ``worker_id``: of the attempt that began, ended or goes on. ``freed``: the
    class of the lease that ended. ``outcome``: how that attempt ended."""

    job_id: str
    type: str
    before: JobStatus | None
    after: JobStatus
    name: str | None = None
    submitted_by: str = ""
    ready: Needs | None = None
    node_id: str | None = None
    worker_id: str | None = None
    freed: ResourceClass | None = None
    outcome: AttemptOutcome | None = None
