from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from forge_prodplan.checkpoint import Checkpoint, from_json, to_json
from forge_prodplan.schedule import Scheduled, worth
from forge_shared.plans.document import plan_from_json
from tests.plan_making import greedy, random_plan

PLAN = {"machines": [{"id": "m"}], "jobs": [{"operations": [{"machine": "m", "duration": 3}] * 2}]}
TASKS = [[0, 0, 3], [0, 3, 6]]


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_checkpoint_is_the_same_again(random: Random) -> None:
    document = random_plan(random)
    plan = plan_from_json(document)
    schedule = greedy(plan, random)
    assume(schedule is not None)
    assert schedule is not None
    bound = random.randint(0, worth(plan, schedule).objective)
    kept = json.loads(json.dumps(to_json(Checkpoint(schedule, 1.25, bound))))
    assert from_json(kept, plan, document) == Checkpoint(schedule, 1.2, bound)


def test_one_without_a_schedule_keeps_the_time_and_the_bound() -> None:
    kept = to_json(Checkpoint(None, 3.0, 4))
    assert from_json(kept, plan_from_json(PLAN), PLAN) == Checkpoint(None, 3.0, 4)


@pytest.mark.parametrize(
    ("bound", "used"), [(5, 5), (6, 6), (7, 0), (-1, 0), (5.5, 0), ("5", 0), (True, 0), (None, 0)]
)
def test_a_bound_that_cannot_be_is_ignored(bound: object, used: int) -> None:
    kept = {"version": 1, "spent_s": 2.0, "tasks": TASKS, "bound": bound}
    found = from_json(kept, plan_from_json(PLAN), PLAN)
    assert (found.bound, len(found.schedule or ())) == (used, 2)


def test_a_right_one_from_before_there_were_bounds() -> None:
    found = from_json({"version": 1, "spent_s": 2, "tasks": TASKS}, plan_from_json(PLAN), PLAN)
    assert found == Checkpoint((Scheduled(0, 0, 3), Scheduled(0, 3, 6)), 2)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"version": 2},
        {"spent_s": "long"},
        {"spent_s": -1},
        {"spent_s": float("nan")},
        {"tasks": 3},
        {"tasks": TASKS[:1]},
        {"tasks": [[0, 0, 3], [1, 3, 6]]},
        {"tasks": [[0, 0, 3], [0, 3.0, 6]]},
        {"tasks": [[0, 0, 3], [0, 3]]},
        {"tasks": [[0, 0, 3], [0, 2, 5]]},  # on one machine at once
        {"tasks": [[0, -1, 2], [0, 3, 6]]},
    ],
)
def test_one_that_is_not_right_is_refused(spoilt: dict[str, object]) -> None:
    kept = {"version": 1, "spent_s": 2.0, "tasks": TASKS} | spoilt
    with pytest.raises(ValueError, match=r"\w"):
        from_json(kept, plan_from_json(PLAN), PLAN)


@pytest.mark.parametrize("kept", [[], "best", 3])
def test_what_is_no_checkpoint_at_all(kept: object) -> None:
    with pytest.raises(ValueError, match="version"):
        from_json(kept, plan_from_json(PLAN), PLAN)
