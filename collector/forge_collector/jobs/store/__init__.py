"""The queue in the store: jobs, their leases, and the workers that take them.

Whoever changes a job is told of it as a ``Change``; who waits for jobs is woken by that.
"""

from forge_collector.jobs.store.attempts import give_back, holds
from forge_collector.jobs.store.attempts import hear as hear_lease
from forge_collector.jobs.store.changes import Change, RaceError
from forge_collector.jobs.store.claiming import Claim, Claimed, claim
from forge_collector.jobs.store.crew import (
    running_by_node,
    schema_of,
    standings,
    types,
    worker_states,
    workers,
)
from forge_collector.jobs.store.files import (
    FileRow,
    begin_file,
    file,
    files,
    finish_file,
    no_payload_awaited,
    note_received,
    refuse_payload,
)
from forge_collector.jobs.store.heartbeats import Heard, heartbeat
from forge_collector.jobs.store.lanes import prune as prune_lanes
from forge_collector.jobs.store.people import cancel, retry
from forge_collector.jobs.store.pruning import Gone, known, prune
from forge_collector.jobs.store.reading import (
    Wanted,
    counts,
    job,
    page,
    submitter_of,
    summaries,
    type_of,
)
from forge_collector.jobs.store.settling import Settled, settle
from forge_collector.jobs.store.submitting import Submission, Submitted, submit, submit_all
from forge_collector.jobs.store.sweeping import Swept, is_due, resume, sweep
from forge_collector.jobs.store.workers import forget_node, has_workers, machine
from forge_collector.jobs.store.workers import node_of as worker_node
from forge_collector.jobs.store.workers import prune as prune_workers

__all__ = [
    "Change",
    "Claim",
    "Claimed",
    "FileRow",
    "Gone",
    "Heard",
    "RaceError",
    "Settled",
    "Submission",
    "Submitted",
    "Swept",
    "Wanted",
    "begin_file",
    "cancel",
    "claim",
    "counts",
    "file",
    "files",
    "finish_file",
    "forget_node",
    "give_back",
    "has_workers",
    "hear_lease",
    "heartbeat",
    "holds",
    "is_due",
    "job",
    "known",
    "machine",
    "no_payload_awaited",
    "note_received",
    "page",
    "prune",
    "prune_lanes",
    "prune_workers",
    "refuse_payload",
    "resume",
    "retry",
    "running_by_node",
    "schema_of",
    "settle",
    "standings",
    "submit",
    "submit_all",
    "submitter_of",
    "summaries",
    "sweep",
    "type_of",
    "types",
    "worker_node",
    "worker_states",
    "workers",
]
