"""The schema, as the migrations that lead to it, oldest first.

Statements keep to the DDL that SQLite and PostgreSQL share: BIGINT, DOUBLE PRECISION, TEXT, BLOB.
Ids are UUIDv7 text, times BIGINT Unix ms, flags BIGINT 0 or 1. A migration that has been released
is never edited; the code of the release before must run on the schema after.
"""

from __future__ import annotations

from typing import NamedTuple

from forge_collector.db.migrations import (
    m0001_first_light,
    m0002_sealed_history,
    m0003_invites,
    m0004_siblings,
    m0005_jobs,
    m0006_saved,
)


class Migration(NamedTuple):
    name: str
    statements: tuple[str, ...]


ALL: tuple[Migration, ...] = (
    Migration("0001_first_light", m0001_first_light.STATEMENTS),
    Migration("0002_sealed_history", m0002_sealed_history.STATEMENTS),
    Migration("0003_invites", m0003_invites.STATEMENTS),
    Migration("0004_siblings", m0004_siblings.STATEMENTS),
    Migration("0005_jobs", m0005_jobs.STATEMENTS),
    Migration("0006_saved", m0006_saved.STATEMENTS),
)
