"""Job types as a table."""

from __future__ import annotations

from typing import Final

from forge_shared.job_messages import JobTypeFacts
from forgectl import figures

COLUMNS: Final = ("TYPE", "TITLE", "CLASS", "VERSIONS", "WORKERS")


def row(facts: JobTypeFacts) -> list[str]:
    return [
        facts.name,
        facts.title or figures.NONE,
        facts.resource_class.value,
        ", ".join(reversed(facts.versions)) or figures.NONE,
        str(facts.workers),
    ]
