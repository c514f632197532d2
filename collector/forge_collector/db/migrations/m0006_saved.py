"""Attempts that have saved a checkpoint."""

STATEMENTS = (
    # saved: 1 when an attempt has saved a checkpoint of its own: another than it began with.
    "ALTER TABLE job_attempts ADD COLUMN saved BIGINT NOT NULL DEFAULT 0",
)
