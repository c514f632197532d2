"""A fleet solves jobs of all kinds while its processes are killed, and every job ends once.

`scripts/fleet-test` does the same at full size, for as long as one likes.
"""

from __future__ import annotations

from pathlib import Path

from tests.fleet.battle import Plan, fight
from tests.fleet.fire import USUAL

# Each kind once: at first those that take long, or hit what is being done.
STROKES = (
    *("machine gone", "drain", "program", "pause", "keeper", "program"),
    *("worker", "cut", "collector", "hang", "lost answers"),
)
PLAN = Plan(
    jobs=24,
    workers=3,
    agents=1,
    seed=1,
    lease_ttl_s=6,
    burns_s=120,
    every_s=0.6,
    patience_s=120,
    submitted_over_s=3,
    strokes=STROKES,
    goes_on=False,
)


def test_every_job_ends_once_while_workers_jobs_and_the_collector_are_killed(
    tmp_path: Path,
) -> None:
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)  # jobs are other users, and their plugins are here
    outcome = fight(tmp_path, PLAN)
    assert outcome.faults == []
    assert set(outcome.strokes) == set(USUAL)
    assert outcome.watched > PLAN.jobs
    assert "succeeded" in outcome.attempts
