"""Sealed history: chunks of snapshots, and what they were rolled up to."""

STATEMENTS = (
    # sealed_seq: the greatest seq that was ever sealed; one above it cannot have been.
    "ALTER TABLE boots ADD COLUMN sealed_seq BIGINT",
    # A chunk holds a boot's snapshots with begins <= observed_at < begins + span_ms. first_ts and
    # last_ts: the least and the greatest ts in it, as the node sent them. damaged: 0, or which one
    # of its span it is that could not be read when it was to be merged, and is left as it is.
    # body: history/codec.
    """
    CREATE TABLE chunks (
        boot BIGINT NOT NULL,
        span_ms BIGINT NOT NULL,
        begins BIGINT NOT NULL,
        snapshots BIGINT NOT NULL,
        first_seq BIGINT NOT NULL,
        last_seq BIGINT NOT NULL,
        first_ts BIGINT NOT NULL,
        last_ts BIGINT NOT NULL,
        damaged BIGINT NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (boot, span_ms, begins, damaged)
    )
    """,
    "CREATE INDEX chunks_by_begins ON chunks (span_ms, begins, boot)",
    # What the chunk with the same key was rolled up to, kept longer than it. correction_ms: what
    # was added to the node's times to have the collector's. first_ts, last_ts: by the collector's
    # clock, of the first and the last bucket's begin. aside: 0, or which one it is of those whose
    # chunk had gone or was damaged as another chunk with the same key came.
    """
    CREATE TABLE rollups (
        boot BIGINT NOT NULL,
        span_ms BIGINT NOT NULL,
        begins BIGINT NOT NULL,
        correction_ms BIGINT NOT NULL,
        first_ts BIGINT NOT NULL,
        last_ts BIGINT NOT NULL,
        aside BIGINT NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (boot, span_ms, begins, aside)
    )
    """,
    "CREATE INDEX rollups_by_begins ON rollups (begins)",
    # The sealer asks which boots have rows old enough: both are in the index.
    "DROP INDEX snapshots_by_observed_at",
    "CREATE INDEX snapshots_by_observed_at ON snapshots (observed_at, boot)",
)
