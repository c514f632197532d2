"""Jobs: the queue, the leases of each job, and the workers that take them."""

STATEMENTS = (
    # lane, rank: where a pending job stands in the queue; one that is not pending is in no lane.
    # available_at: when one that waits becomes pending. resource_class: as it was submitted, null:
    # as its type says. requirements: JSON. max_attempts: null: as its type says. attempt_count:
    # those that are charged, and the one that runs; lease_count: all. lease, claimed_by, node_id,
    # claimed_at: of the attempt that runs, or ended the job. payload_file: 0: the payload is
    # inline, 1: a file that is not whole yet, 2: a file. result_file: 0 or 1. checkpoint: 0: there
    # is none, 1: inline, 2: a file. error: of the last attempt, JSON. payload, result: JSON as it
    # came; last, so that the rest of a row is read without them.
    """
    CREATE TABLE job_queue (
        id TEXT NOT NULL PRIMARY KEY,
        type TEXT NOT NULL,
        status TEXT NOT NULL,
        lane BIGINT,
        rank BIGINT NOT NULL,
        priority BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        available_at BIGINT,
        deadline BIGINT,
        finished_at BIGINT,
        cancel_requested_at BIGINT,
        attempt_count BIGINT NOT NULL,
        lease_count BIGINT NOT NULL,
        max_attempts BIGINT,
        wall_limit_ms BIGINT,
        no_progress_limit_ms BIGINT,
        resource_class TEXT,
        requirements TEXT NOT NULL,
        name TEXT,
        submitted_by TEXT NOT NULL,
        submitted_as TEXT NOT NULL,
        dedup_key TEXT,
        claimed_by TEXT,
        node_id TEXT,
        claimed_at BIGINT,
        lease TEXT,
        payload_file BIGINT NOT NULL,
        result_file BIGINT NOT NULL,
        checkpoint BIGINT NOT NULL,
        error TEXT,
        payload BLOB,
        result BLOB
    )
    """,
    # What a claim looks at: the head of each lane, whatever else is in the queue.
    "CREATE INDEX job_queue_by_rank ON job_queue (lane, rank, id) WHERE status = 'pending'",
    # What lists and retention look at.
    """
    CREATE INDEX job_queue_unfinished ON job_queue (created_at, id) WHERE finished_at IS NULL
    """,
    """
    CREATE INDEX job_queue_finished ON job_queue (status, created_at, id)
    WHERE finished_at IS NOT NULL
    """,
    "CREATE INDEX job_queue_by_submitter ON job_queue (submitted_by, created_at, id)",
    # What the sweep looks at.
    """
    CREATE INDEX job_queue_waiting ON job_queue (available_at)
    WHERE status = 'waiting' AND payload_file <> 1
    """,
    """
    CREATE INDEX job_queue_uploading ON job_queue (created_at)
    WHERE status = 'waiting' AND payload_file = 1
    """,
    """
    CREATE INDEX job_queue_by_deadline ON job_queue (deadline)
    WHERE deadline IS NOT NULL AND status IN ('waiting', 'pending')
    """,
    """
    CREATE UNIQUE INDEX job_queue_by_dedup_key ON job_queue (type, dedup_key)
    WHERE dedup_key IS NOT NULL AND finished_at IS NULL
    """,
    # Jobs with the same needs share a lane. wanted_class: as submitted, '' for as the type says;
    # resource_class: what that comes to. node_id: the one machine that may take them, '' for any.
    """
    CREATE TABLE job_lanes (
        lane BIGINT NOT NULL PRIMARY KEY,
        type TEXT NOT NULL,
        node_id TEXT NOT NULL,
        wanted_class TEXT NOT NULL,
        resource_class TEXT NOT NULL,
        requirements TEXT NOT NULL,
        UNIQUE (type, node_id, wanted_class, requirements)
    )
    """,
    # An attempt is one lease of a job; it is live until ended_at. Columns in _at are Unix ms, those
    # in _ms by the lease clock. attempt: the job's attempt_count as it was claimed. heard: whether
    # the worker has shown that it knows of its lease. progress: JSON. digest: of the result that
    # ended it; reply_status, reply_count: what was answered then.
    """
    CREATE TABLE job_attempts (
        job_id TEXT NOT NULL,
        lease TEXT NOT NULL,
        attempt BIGINT NOT NULL,
        resource_class TEXT NOT NULL,
        worker_id TEXT NOT NULL,
        node_id TEXT NOT NULL,
        claim_id TEXT,
        heard BIGINT NOT NULL,
        started_at BIGINT NOT NULL,
        started_ms BIGINT NOT NULL,
        expires_ms BIGINT NOT NULL,
        progress_ms BIGINT NOT NULL,
        progress_at BIGINT,
        progress TEXT,
        ended_at BIGINT,
        outcome TEXT,
        digest BLOB,
        reply_status TEXT,
        reply_count BIGINT,
        error TEXT,
        log_tail TEXT,
        PRIMARY KEY (job_id, lease)
    )
    """,
    # All that is running, to be counted by worker and by class.
    """
    CREATE INDEX job_attempts_live ON job_attempts (resource_class, worker_id)
    WHERE ended_at IS NULL
    """,
    "CREATE INDEX job_attempts_by_claim ON job_attempts (claim_id) WHERE claim_id IS NOT NULL",
    # A worker is one start of a worker process. types: as its last claim named them; offers: the
    # plugins it told of, or null; slots: its limits; all JSON.
    """
    CREATE TABLE job_workers (
        id TEXT NOT NULL PRIMARY KEY,
        node_id TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        types TEXT NOT NULL,
        offers TEXT,
        slots TEXT NOT NULL,
        first_seen BIGINT NOT NULL,
        last_seen BIGINT NOT NULL,
        heard_ms BIGINT NOT NULL
    )
    """,
    # What workers told of the plugins they have. payload_schema: JSON Schema, as it is used.
    """
    CREATE TABLE job_types (
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        resource_class TEXT NOT NULL,
        title TEXT NOT NULL,
        attempts BIGINT NOT NULL,
        backoff_s BIGINT NOT NULL,
        seen_at BIGINT NOT NULL,
        payload_schema BLOB,
        PRIMARY KEY (name, version)
    )
    """,
    """
    CREATE TABLE job_incumbents (
        job_id TEXT NOT NULL,
        at BIGINT NOT NULL,
        objective DOUBLE PRECISION NOT NULL,
        bound DOUBLE PRECISION,
        PRIMARY KEY (job_id, at, objective)
    )
    """,
    """
    CREATE TABLE job_checkpoints (
        job_id TEXT NOT NULL PRIMARY KEY,
        saved_at BIGINT NOT NULL,
        body BLOB NOT NULL
    )
    """,
    # A file that is whole, and one that is being uploaded in its place, may stand side by side.
    # lease: whose attempt uploads it.
    """
    CREATE TABLE job_files (
        job_id TEXT NOT NULL,
        name TEXT NOT NULL,
        is_whole BIGINT NOT NULL,
        size BIGINT NOT NULL,
        sha256 TEXT NOT NULL,
        received BIGINT NOT NULL,
        lease TEXT,
        updated_at BIGINT NOT NULL,
        PRIMARY KEY (job_id, name, is_whole)
    )
    """,
)
