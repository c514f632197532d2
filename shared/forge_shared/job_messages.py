"""The messages of jobs: submitting and watching them, and what passes between a worker and the
collector.

Ids are UUIDs, times integer Unix ms, durations seconds. What people type refuses unknown fields;
what workers send ignores them, so that an older side understands a newer one.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from forge_shared.messages import BOOT_ID_PATTERN, Name, NodeId, Rejection, Tags, UnixMs

MOST_MEMORY_BYTES: Final = 2**53 - 1
MAX_INLINE_BYTES: Final = 1024 * 1024  # of a payload, a result or a checkpoint; larger: a file
MAX_FILE_BYTES: Final = 256 * 1024 * 1024
MAX_LOG_TAIL: Final = 16 * 1024
LONGEST_WAIT_S: Final = 30
HEARTBEAT_INTERVAL_S: Final = 30
LEASE_TTL_S: Final = 300
MOST_JOBS_A_CLAIM: Final = 256
_DAY_S: Final = 24 * 3600

_END: Final = r"$(?!\n)"
_JOB_TYPE: Final = r"^[a-z0-9][a-z0-9._-]{0,63}" + _END
_OFFER: Final = r"^[a-z0-9][a-z0-9._-]{0,63}(@[0-9]{1,9}(\.[0-9]{1,9}){0,3})?" + _END
_VERSION: Final = r"^[0-9]{1,9}(\.[0-9]{1,9}){0,3}" + _END
_WORKER_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}" + _END
_SHA256: Final = r"^[0-9a-f]{64}" + _END
_FILE_NAME: Final = r"^[a-z0-9][a-z0-9._-]{0,63}" + _END

# What to tell people whose text does not match.
JOB_PATTERN_HELP: Final[Mapping[str, str]] = {
    _JOB_TYPE: "a job type begins with a small letter or digit and goes on with small letters, "
    "digits, '.', '_' or '-', 64 characters at most",
    _OFFER: "a job type, such as 'echo', and perhaps '@' and the plugin's version, as 'echo@1.4'",
    _VERSION: "a version is one to four numbers with dots between them, such as '1.4'",
    _WORKER_ID: "a worker's id begins with a letter or digit and goes on with letters, digits, "
    "'.', '_' or '-', 96 characters at most",
    _SHA256: "a SHA-256 is 64 hex digits in lower case",
}

JobId = Annotated[str, Meta(pattern=BOOT_ID_PATTERN, description="A UUID.")]
JobType = Annotated[str, Meta(pattern=_JOB_TYPE, description="Names a plugin, e.g. `prodplan`.")]
Offer = Annotated[
    str, Meta(pattern=_OFFER, description="A job type, and after `@` the plugin's version.")
]
Version = Annotated[str, Meta(pattern=_VERSION, description="Numbers, such as `1.4`.")]
WorkerId = Annotated[
    str,
    Meta(pattern=_WORKER_ID, description="Names one start of a worker: made anew at each."),
]
Lease = Annotated[str, Meta(min_length=1, max_length=64, description="Given with each claim.")]
Sha256 = Annotated[str, Meta(pattern=_SHA256, description="Hex.")]
FileName = Annotated[str, Meta(pattern=_FILE_NAME)]
DurationS = Annotated[int, Meta(ge=1, le=30 * _DAY_S)]
Bytes = Annotated[int, Meta(ge=0, le=2**53 - 1)]
LogTail = Annotated[str, Meta(max_length=MAX_LOG_TAIL)]
Sentence = Annotated[str, Meta(max_length=1024)]


_NULL: Final = Raw(b"null")


def _null() -> Raw:
    return _NULL  # as a plain default it could not be told in a JSON Schema


class JobStatus(StrEnum):
    """Where a job is. ``waiting``: its time has not come, or its payload is being uploaded."""

    WAITING = "waiting"
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ResourceClass(StrEnum):
    """What a job mostly uses; each has its own slots."""

    CPU = "cpu"
    IO = "io"
    LLM = "llm"


class AttemptOutcome(StrEnum):
    """How an attempt ended. The first five are charged."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    LOST = "lost"  # its worker was silent for too long, or ended without having been told to
    YIELDED = "yielded"  # the owner came back, or the worker stopped
    UNSTARTED = "unstarted"  # the worker never heard of it
    CANCELLED = "cancelled"


class WorkerState(StrEnum):
    """Whether a worker takes jobs now; its ``reason`` says why not."""

    READY = "ready"
    PAUSED = "paused"
    DRAINING = "draining"


USUAL_SLOTS: Final[Mapping[ResourceClass, int]] = {
    ResourceClass.CPU: 4,
    ResourceClass.IO: 10,
    ResourceClass.LLM: 1,
}
Slots = Annotated[
    dict[ResourceClass, Annotated[int, Meta(ge=0, le=1024)]],
    Meta(
        description="How many more jobs of each class the worker can take.",
        extra_json_schema={"propertyNames": {"enum": [each.value for each in ResourceClass]}},
    ),
]


# --- from those who submit --------------------------------------------------------------------


class Requirements(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a machine must have to take the job; what is left out does not matter."""

    os: Annotated[str, Meta(max_length=32, description="linux, windows, darwin")] | None = None
    cores: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    memory_bytes: Annotated[int, Meta(ge=1, le=MOST_MEMORY_BYTES)] | None = None
    tags: Tags = []
    node: NodeId | None = None
    min_version: Version | None = None  # of the plugin


class FileDigest(Struct, forbid_unknown_fields=True):
    """A file as it will be once it is whole."""

    size: Annotated[int, Meta(ge=0, le=MAX_FILE_BYTES)]
    sha256: Sha256


class JobSubmission(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A job to be done. ``id``: made by who submits, so that a submission whose reply was lost can
    be sent again; ``dedup_key``: while a job of this type with this key is unfinished, submitting
    gives that one. ``payload_file``: in place of ``payload``, what will be uploaded next.
    ``delay_s``: not before then; ``deadline``: of no use after it."""

    type: JobType
    payload: Raw = field(default_factory=_null)
    payload_file: FileDigest | None = None
    id: JobId | None = None
    name: Name | None = None
    priority: Annotated[int, Meta(ge=-100, le=100)] = 0
    resource_class: ResourceClass | None = None
    requires: Requirements = Requirements()
    dedup_key: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    delay_s: Annotated[int, Meta(ge=0, le=30 * _DAY_S)] = 0
    deadline: UnixMs | None = None
    wall_limit_s: DurationS | None = None
    no_progress_limit_s: DurationS | None = None
    max_attempts: Annotated[int, Meta(ge=1, le=20)] | None = None


class SubmittedJob(Struct):
    """``deduplicated``: there was one already, and this is it."""

    id: str
    status: JobStatus
    deduplicated: bool = False


class SubmittedLine(SubmittedJob, kw_only=True):
    """What became of a line of a batch."""

    line: Annotated[int, Meta(ge=1, description="Counts the lines of the body from 1.")]


class SubmittedJobs(Struct):
    """What became of a batch: the jobs that are there now, all durable, and the lines that were
    refused."""

    jobs: list[SubmittedLine]
    refused: list[Rejection]


# --- from workers -----------------------------------------------------------------------------


class JobError(Struct, omit_defaults=True):
    """Why an attempt failed. ``code``: for programs; ``retryable`` false: it would fail again."""

    code: Annotated[str, Meta(min_length=1, max_length=64)]
    message: Sentence = ""
    retryable: bool = True


class Progress(Struct, omit_defaults=True):
    """How far a job is; ``fraction`` from 0 to 1, ``gap`` likewise, of objective and bound."""

    fraction: Annotated[float, Meta(ge=0, le=1)] | None = None
    message: Annotated[str, Meta(max_length=256)] = ""
    objective: float | None = None
    bound: float | None = None
    gap: Annotated[float, Meta(ge=0)] | None = None


class Incumbent(Struct, omit_defaults=True):
    """The best solution known at ``at`` (Unix ms, the worker's clock), and what is proved of the
    best there can be."""

    at: UnixMs
    objective: float
    bound: float | None = None


class ResultStatus(StrEnum):
    """What a worker says of an attempt. ``yielded`` is charged to nobody."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    YIELDED = "yielded"


class JobResult(Struct, omit_defaults=True):
    """How an attempt ended. ``result_file``: in place of ``result``, what was uploaded as
    ``result``. ``outcome``: of a failure, more exactly: crashed, timed_out; ``lost`` of what is
    yielded because the worker that held it ended without having been told to."""

    lease: Lease
    status: ResultStatus
    result: Raw = field(default_factory=_null)
    result_file: FileDigest | None = None
    error: JobError | None = None
    outcome: AttemptOutcome | None = None
    log_tail: LogTail = ""
    checkpoint: Raw | UnsetType = UNSET


class SettledJob(JobResult, kw_only=True):
    """A result among those of one claim."""

    id: JobId


class ResultReply(Struct):
    """What became of the job. The same result again has the same answer."""

    id: str
    status: JobStatus
    attempt_count: int


class Refusal(Struct):
    """A result among those of one claim that was not accepted, with its problem's code."""

    id: str
    code: str
    detail: str


class ClaimRequest(Struct, omit_defaults=True):
    """What a worker would take. ``claim_id``: the same one again gets the same leases.
    ``results``: settled first, in the same transaction."""

    worker_id: WorkerId
    types: Annotated[list[Offer], Meta(max_length=256)]
    claim_id: JobId | None = None
    slots: Slots = field(default_factory=lambda: dict(USUAL_SLOTS))
    max: Annotated[int, Meta(ge=0, le=MOST_JOBS_A_CLAIM)] = 1
    wait_s: Annotated[int, Meta(ge=0, le=LONGEST_WAIT_S)] = 0
    results: Annotated[list[SettledJob], Meta(max_length=MOST_JOBS_A_CLAIM)] = []


class ClaimedJob(Struct, omit_defaults=True):
    """A job, leased. ``attempt`` counts those that are charged, from 1. ``payload_file`` and
    ``checkpoint_file`` stand in place of what is too large to be here."""

    id: str
    type: str
    lease: str
    lease_ttl_s: int
    attempt: int
    resource_class: ResourceClass
    payload: Raw = field(default_factory=_null)
    payload_file: FileDigest | None = None
    checkpoint: Raw | UnsetType = UNSET
    checkpoint_file: FileDigest | None = None
    name: str | None = None
    deadline: int | None = None
    wall_limit_s: int | None = None
    no_progress_limit_s: int | None = None


class ClaimedJobs(Struct, omit_defaults=True):
    jobs: list[ClaimedJob]
    settled: list[ResultReply] = []
    refused: list[Refusal] = []


class HeldLease(Struct, omit_defaults=True):
    """A lease that the worker holds, and what there is to tell since the last heartbeat."""

    id: JobId
    lease: Lease
    progress: Progress | None = None
    incumbents: Annotated[list[Incumbent], Meta(max_length=1000)] = []
    checkpoint: Raw | UnsetType = UNSET


class PluginOffer(Struct, omit_defaults=True):
    """A plugin as a worker has it. ``payload_schema``: JSON Schema 2020-12, 64 KiB at most.
    ``attempts``, ``backoff_s``: how often to try, and the longest wait before the second try."""

    name: JobType
    version: Version
    resource_class: ResourceClass = ResourceClass.CPU
    title: Annotated[str, Meta(max_length=128)] = ""
    attempts: Annotated[int, Meta(ge=1, le=20)] = 3
    backoff_s: Annotated[int, Meta(ge=0, le=_DAY_S)] = 10
    payload_schema: Raw | UnsetType = UNSET


class UnavailablePlugin(Struct):
    """A plugin that a worker has and cannot use: ``reason`` says what it lacks."""

    name: JobType
    reason: Annotated[str, Meta(min_length=1, max_length=256)]


class Heartbeat(Struct, omit_defaults=True):
    """A worker is there, and goes on with what it holds. ``plugins``: all it can use, at the first
    heartbeat and when they change, and with them those that are ``unavailable``. ``succeeds``: the
    worker whose place it has taken, which is no more; ``last``: it ends itself, and holds nothing.
    ``slots``: its limits, busy or not. ``wait_s``: the answer may come so much later, but at once
    when there is something to cancel."""

    leases: Annotated[list[HeldLease], Meta(max_length=1024)] = []
    plugins: Annotated[list[PluginOffer], Meta(max_length=256)] | None = None
    unavailable: Annotated[list[UnavailablePlugin], Meta(max_length=256)] = []
    succeeds: WorkerId | None = None
    last: bool = False
    slots: Slots = {}
    state: WorkerState = WorkerState.READY
    reason: Annotated[str, Meta(max_length=256)] = ""
    wait_s: Annotated[int, Meta(ge=0, le=LONGEST_WAIT_S)] = 0


class HeartbeatReply(Struct):
    """Ids of jobs: ``renewed`` goes on; ``lost`` belongs to nobody or another by now, and is to be
    stopped without a word; ``cancel`` is to be stopped and answered with ``yielded``."""

    renewed: list[str]
    lost: list[str]
    cancel: list[str]
    interval_s: int = HEARTBEAT_INTERVAL_S
    lease_ttl_s: int = LEASE_TTL_S


# --- to those who watch -----------------------------------------------------------------------


class JobSummary(Struct, omit_defaults=True):
    """A job as lists show it. ``node_id``: whose machine works on it; ``waits_because``: a
    sentence, for one that is not running yet; ``submitted_by``: the token's name; ``rank``: of one
    that is pending, the least is the next."""

    id: str
    type: str
    status: JobStatus
    created_at: int
    attempt_count: int
    max_attempts: int
    resource_class: ResourceClass
    priority: int = 0
    name: str | None = None
    submitted_by: str = ""
    claimed_by: str | None = None
    node_id: str | None = None
    claimed_at: int | None = None
    available_at: int | None = None
    finished_at: int | None = None
    cancel_requested: bool = False
    progress: Progress | None = None
    error: JobError | None = None
    waits_because: str | None = None
    rank: int | None = None


class JobFile(Struct):
    """A file of a job. ``received``: bytes that are there; whole when it equals ``size``."""

    name: str
    size: int
    sha256: str
    received: int


class Attempt(Struct, omit_defaults=True):
    """One lease of a job, from claim to end. ``number``: as the claim told it."""

    number: int
    worker_id: str
    node_id: str
    started_at: int
    ended_at: int | None = None
    outcome: AttemptOutcome | None = None
    error: JobError | None = None
    log_tail: str = ""


class Job(JobSummary, kw_only=True):
    """All of a job. ``payload`` and ``result``: JSON, null where a file stands in their place.
    ``attempts`` and ``incumbents``: oldest first."""

    payload: Raw
    result: Raw
    requires: Requirements
    deadline: int | None = None
    wall_limit_s: int | None = None
    no_progress_limit_s: int | None = None
    dedup_key: str | None = None
    files: list[JobFile] = []
    attempts: list[Attempt] = []
    incumbents: list[Incumbent] = []


class Jobs(Struct, omit_defaults=True):
    """A page of jobs. ``next``: what to ask for as ``before`` to have the page after it."""

    jobs: list[JobSummary]
    counts: dict[JobStatus, int]
    next: str | None = None


class JobsFrame(Struct, omit_defaults=True):
    """One event of the jobs stream: how many there are, and the jobs that changed. ``reload``:
    more changed than is told here; ask for the list again."""

    now: int
    counts: dict[JobStatus, int]
    jobs: list[JobSummary]
    gone: list[str] = []
    reload: bool = False


class OfferedType(Struct, omit_defaults=True):
    """A plugin that a worker offers."""

    name: str
    version: str = ""
    resource_class: ResourceClass = ResourceClass.CPU
    title: str = ""


class Worker(Struct, omit_defaults=True):
    """A worker. ``slots``: its limits; ``running``: ids of the jobs it holds; ``silent``: three
    heartbeats of it are missing, or another has taken its place and it holds something yet."""

    id: str
    node_id: str
    state: WorkerState
    first_seen: int
    last_seen: int
    reason: str = ""
    silent: bool = False
    types: list[OfferedType] = []
    slots: dict[ResourceClass, int] = {}
    running: list[str] = []


class JobTypeFacts(Struct, omit_defaults=True):
    """What is known of a job type. ``payload_schema``: of the newest version offered."""

    name: str
    title: str = ""
    resource_class: ResourceClass = ResourceClass.CPU
    versions: list[str] = []
    workers: int = 0
    payload_schema: Raw | UnsetType = UNSET


class Workers(Struct):
    workers: list[Worker]
    types: list[JobTypeFacts]
