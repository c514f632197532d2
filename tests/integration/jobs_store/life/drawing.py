"""What the rules choose from, and how: one seed each."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hypothesis import strategies as st
from msgspec import Raw

from forge_collector.jobs.rules import Limits
from forge_shared.job_messages import (
    ClaimRequest,
    FileDigest,
    JobSubmission,
    Requirements,
    ResourceClass,
)
from tests.integration.jobs_store.model import FLEET_LIMITS, WORKER_LIMITS, Box

START_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
LIMITS = Limits(WORKER_LIMITS, FLEET_LIMITS)
BOXES = [
    Box("n1", "linux", 4, 8 << 30, frozenset({"office"})),
    Box("n2", "windows", 16, 64 << 30, frozenset({"office", "gpu"})),
]
TYPES = ["echo", "plan", "chat"]
MOST_KILLS = 3

REQUIREMENTS = [
    Requirements(os="linux"),
    Requirements(cores=8),
    Requirements(node="n1"),
    Requirements(node="nobody"),
    Requirements(tags=["gpu", "office"]),
    Requirements(memory_bytes=16 << 30),
    Requirements(min_version="1.5"),
]
DRAWN = [0.0, 0.1, 0.999]
DIGEST = FileDigest(3, "a" * 64)

# A rule draws one seed and chooses by it: what matters is how rules follow each other.
seeds = st.integers(0, 2**32 - 1)


def a_submission(random: Random, wall_ms: int) -> JobSubmission:
    deadline_ms = random.choice([None, None, None, None, None, -1, 1500, 200_000])
    return JobSubmission(
        type=random.choice(TYPES),
        payload=random.choice([Raw(b"null"), Raw(b'{"a": 1}')]),
        payload_file=DIGEST if random.random() < 0.1 else None,
        priority=random.choice([0, 0, 5, -5]),
        resource_class=random.choice([None, None, *ResourceClass]),
        requires=random.choice(REQUIREMENTS) if random.random() < 0.3 else Requirements(),
        dedup_key=random.choice([None, None, "once", "twice"]),
        delay_s=random.choice([0, 0, 0, 0, 2, 100]),
        deadline=None if deadline_ms is None else wall_ms + deadline_ms,
        wall_limit_s=random.choice([None, None, 1, 400]),
        no_progress_limit_s=random.choice([None, None, 1]),
        max_attempts=random.choice([None, None, 1, 2]),
    )


def a_death(random: Random) -> str:
    """Return when the process is killed that runs a unit; mostly it is not."""
    deaths = ["statement", "before commit", "after commit"]
    return random.choice(deaths) if random.random() < 0.08 else "no"


@dataclass
class Worker:
    """What a worker process knows. ``told``: leases that it was given, live or not."""

    id: str
    box: Box
    told: list[tuple[str, str]] = field(default_factory=list)
    asked: ClaimRequest | None = None  # the last claim, when it had an id
