"""Credentials, nodes, boots and fresh snapshots."""

STATEMENTS = (
    # kind: token, session or code. Only the secret's hash is kept. granted_by: the credential
    # with whose end this one ends too.
    """
    CREATE TABLE credentials (
        id TEXT NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        role TEXT NOT NULL,
        node_id TEXT,
        name TEXT,
        secret_hash BLOB NOT NULL,
        granted_by TEXT,
        created_at BIGINT NOT NULL,
        expires_at BIGINT
    )
    """,
    # last_seen: when it was last heard, Unix ms. heard_ms: the same by the listening clock, which
    # stands still while the collector does not run: what silence is measured with.
    # live_boot_id: the run of the agent whose snapshots are live. host, tags: JSON. last_ts,
    # last_body: the last snapshot, kept when the node goes offline, so that what its card shows
    # outlives its history.
    """
    CREATE TABLE nodes (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        tags TEXT NOT NULL,
        ephemeral BIGINT NOT NULL,
        host TEXT NOT NULL,
        first_seen BIGINT NOT NULL,
        last_seen BIGINT NOT NULL,
        heard_ms BIGINT NOT NULL,
        live_boot_id TEXT,
        last_ts BIGINT,
        last_body BLOB
    )
    """,
    # A boot is one run of an agent. boot: a small number that stands for (node_id, boot_id).
    # node_id is null once the node was forgotten; its snapshots are then pruned. was_live: whether
    # a snapshot of it was pushed live, not only replayed.
    """
    CREATE TABLE boots (
        boot BIGINT NOT NULL PRIMARY KEY,
        node_id TEXT,
        boot_id TEXT NOT NULL,
        clock_offset_ms BIGINT,
        was_live BIGINT NOT NULL,
        UNIQUE (node_id, boot_id)
    )
    """,
    # ts: as the node sent it. observed_at: the same moment by the collector's clock as far as it
    # was known on receipt, never in the future: what pruning goes by. body: the values, JSON.
    """
    CREATE TABLE snapshots (
        boot BIGINT NOT NULL,
        seq BIGINT NOT NULL,
        ts BIGINT NOT NULL,
        observed_at BIGINT NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (boot, seq)
    )
    """,
    "CREATE INDEX snapshots_by_observed_at ON snapshots (observed_at)",
    # Small facts of the collector itself, such as its listening clock.
    """
    CREATE TABLE collector (
        key TEXT NOT NULL PRIMARY KEY,
        value BIGINT NOT NULL
    )
    """,
)
