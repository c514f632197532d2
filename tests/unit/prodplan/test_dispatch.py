from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_prodplan import proofs
from forge_prodplan.dispatch import dispatched
from forge_prodplan.errors import InfeasiblePlanError
from forge_prodplan.schedule import worth
from forge_shared.plans.document import plan_from_json
from forge_shared.plans.text import plan_from_text
from tests.plan_making import is_right, random_plan
from tests.prodplan_process import text_of

AT_LEISURE = 60.0
IN_A_HURRY = -1.0


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([AT_LEISURE, IN_A_HURRY]))
def test_it_is_right_and_there_is_one_unless_foresight_is_needed(
    random: Random, seconds: float
) -> None:
    document = random_plan(random)
    plan = plan_from_json(document)
    try:
        proofs.check(plan)
    except InfeasiblePlanError:
        return
    schedule = dispatched(plan, seconds)
    if schedule is None:
        assert wants_foresight(document)
    else:
        assert is_right(plan, dict(enumerate(schedule)))


def wants_foresight(document: dict[str, Any]) -> bool:
    return any("deadline" in job for job in document["jobs"]) or any(
        not resource.get("renewable", True) for resource in document["resources"]
    )


@pytest.mark.parametrize("name", ["ft06.txt", "la01.txt", "mk01.fjs", "j301_1.sm"])
def test_it_is_no_bad_one_given_the_time(name: str) -> None:
    plan = plan_from_text(text_of(name))
    at_leisure, in_a_hurry = (dispatched(plan, seconds) for seconds in (AT_LEISURE, IN_A_HURRY))
    assert at_leisure is not None
    assert in_a_hurry is not None
    assert worth(plan, at_leisure).makespan < worth(plan, in_a_hurry).makespan
