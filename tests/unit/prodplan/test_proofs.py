from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from forge_prodplan import proofs
from forge_prodplan.errors import InfeasiblePlanError
from forge_shared.plans.document import plan_from_json
from tests.plan_making import greedy, random_plan


def two(first: dict[str, Any], second: dict[str, Any], **job: Any) -> dict[str, Any]:
    return {
        "resources": [
            {"id": "crew", "capacity": 2},
            {"id": "steel", "capacity": 5, "renewable": False},
        ],
        "jobs": [
            {
                "id": "j",
                "operations": [
                    {"id": "a", "duration": 3} | first,
                    {"id": "b", "duration": 4} | second,
                ],
                **job,
            }
        ],
    }


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (two({"after": ["b"]}, {}), "these operations wait for one another: j/"),
        (two({"after": ["a"]}, {}), "these operations wait for one another: j/a → j/a"),
        (two({"demands": {"crew": 3}}, {}), "operation j/a needs more of crew than the 2"),
        (two({"demands": {"steel": 3}}, {"demands": {"steel": 3}}), "all operations together use"),
        (two({}, {}, deadline=6), "job j cannot end before 7, and its deadline is 6"),
        (two({}, {}, release=4, deadline=10), "job j cannot end before 11"),
        (
            two({}, {"after": [{"operation": "a", "lag": 2}]}, deadline=8),
            "job j cannot end before 9",
        ),
    ],
)
def test_what_was_proved_is_said(document: dict[str, Any], told: str) -> None:
    with pytest.raises(InfeasiblePlanError) as error:
        proofs.check(plan_from_json(document))
    assert str(error.value).startswith(told)


def test_what_takes_no_time_needs_no_renewable_resource() -> None:
    proofs.check(plan_from_json(two({"duration": 0, "demands": {"crew": 3}}, {})))


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_nothing_is_proved_of_a_plan_that_has_a_schedule(random: Random) -> None:
    plan = plan_from_json(random_plan(random))
    assume(greedy(plan, random) is not None)
    proofs.check(plan)
