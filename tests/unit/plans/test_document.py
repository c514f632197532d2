from __future__ import annotations

import json
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from forge_shared.plans.document import longest_end, plan_from_json
from forge_shared.plans.model import After, MalformedPlanError, Mode, Objective, plan_to_json
from tests.plan_making import greedy, random_plan
from tests.prodplan_process import FOLDER

SCHEMA = Draft202012Validator(json.loads((FOLDER / "payload.schema.json").read_text()))

PLAN: dict[str, Any] = {
    "machines": [
        {"id": "saw", "unavailable": [[12, 20], [5, 8], [8, 9]]},
        {"id": "paint", "name": "Paint shop", "setup_times": {"red": {"blue": 5}}},
    ],
    "resources": [{"id": "crew", "capacity": 2}],
    "jobs": [
        {
            "id": "table",
            "due": 40,
            "operations": [
                {"id": "cut", "machine": "saw", "duration": 4, "demands": {"crew": 1}},
                {
                    "id": "colour",
                    "family": "red",
                    "modes": [
                        {"machine": "paint", "duration": 6},
                        {"machines": ["paint", "saw"], "duration": 3},
                    ],
                },
            ],
        },
        {"operations": [{"duration": 2, "after": ["1", {"job": "table", "operation": "cut"}]}]},
    ],
}


def test_a_plan_and_what_it_leaves_out() -> None:
    plan = plan_from_json(PLAN)
    saw, paint = plan.machines
    assert saw.unavailable == ((5, 9), (12, 20))
    assert paint.name == "Paint shop"
    assert plan.objective == Objective(1, 0)
    table, second = plan.jobs
    assert table.operations[1].after == (After("table", "cut"),)
    assert table.operations[1].modes[1] == Mode(3, ("paint", "saw"), {})
    assert second.id == "2"
    assert second.operations[0].after == (After("2", "1"), After("table", "cut"))


def test_the_schema_is_a_schema() -> None:
    for name in ("payload.schema.json", "result.schema.json"):
        Draft202012Validator.check_schema(json.loads((FOLDER / name).read_text()))


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_plan_is_the_same_again_and_keeps_the_schema(random: Random) -> None:
    document = random_plan(random)
    plan = plan_from_json(document)
    again = plan_to_json(plan)
    assert plan_from_json(again) == plan
    assert SCHEMA.is_valid(document)
    assert SCHEMA.is_valid(again)


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_schedule_without_idling_ends_by_the_longest_end(random: Random) -> None:
    plan = plan_from_json(random_plan(random))
    schedule = greedy(plan, random)
    if schedule is not None:
        assert max(task.end for task in schedule) <= longest_end(plan)


def changed(path: str, value: object) -> dict[str, Any]:
    """Return PLAN with something else at a path."""
    document = deepcopy(PLAN)
    place: Any = document
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    elif isinstance(last, int) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return document


MODE = {"machine": "saw", "duration": 3}
BOTH = "jobs[0].operations[0]"


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("jobs", None, "plan: jobs is missing"),
        ("jobs", [], "jobs: must not be empty"),
        ("jobs", {}, "jobs: must be a list, not an object"),
        ("job", [], "plan: 'job' is not known here"),
        ("name", "x" * 129, "name: is longer than 128"),
        ("objective", "profit", "objective: is makespan, weighted_tardiness, or"),
        ("objective", {"makespan": 0}, "objective: has no weight above 0"),
        ("machines/0/id", 7, "machines[0].id: must be a text, not 7"),
        ("machines/0/id", "", "machines[0].id: must not be empty"),
        ("machines/0/unavailable/0", [3], "machines[0].unavailable[0]: must be [start, end]"),
        ("machines/1/setup_times", [], "machines[1].setup_times: must be an object"),
        ("machines/1/setup_times/red/blue", -1, "machines[1].setup_times.red.blue: must be from"),
        ("resources/0/capacity", None, "resources[0]: capacity is missing"),
        ("resources/0/renewable", 1, "resources[0].renewable: must be true or false, not 1"),
        ("jobs/0/release", True, "jobs[0].release: must be a whole number, not True"),
        ("jobs/0/due", "soon", "jobs[0].due: must be a whole number, not 'soon'"),
        ("jobs/0/weight", 10**7, "jobs[0].weight: must be from 0 to 1000000"),
        ("jobs/0/operations", [], "jobs[0].operations: must not be empty"),
        ("jobs/0/operations/0/duration", 1.5, f"{BOTH}.duration: must be a whole number"),
        ("jobs/0/operations/0/duration", 10**10, f"{BOTH}.duration: must be from 0 to"),
        ("jobs/0/operations/0/duration", None, f"{BOTH}: duration is missing"),
        ("jobs/0/operations/0/modes", [MODE], f"{BOTH}: has modes, and so none of"),
        ("jobs/0/operations/1/modes", [], "jobs[0].operations[1].modes: must not be empty"),
        ("jobs/0/operations/0/machines", ["saw"], f"{BOTH}: has both machine and machines"),
        ("jobs/1/operations/0/after/1", {"job": "1"}, "jobs[1].operations[0].after[1]: operation"),
        ("jobs/1/operations/0/after/0", 1, "jobs[1].operations[0].after[0]: must be an object"),
    ],
)
def test_what_has_not_the_form_is_named_with_its_path(path: str, value: object, told: str) -> None:
    document = changed(path, value)
    with pytest.raises(MalformedPlanError) as error:
        plan_from_json(document)
    assert str(error.value).startswith(told)
    assert not SCHEMA.is_valid(document), "the schema lets it through"


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("machines/0/unavailable/0", [7, 7], "machines[0].unavailable[0]: ends at 7, not after"),
        ("machines/2", {"id": "saw"}, "machines[2].id: 'saw' is another one's id, too"),
        ("jobs/2", {"id": "2", "operations": [MODE]}, "jobs[2].id: '2' is another one's"),
        ("jobs/0/operations/0/machine", "lathe", f"{BOTH}: there is no machine 'lathe'"),
        ("jobs/0/operations/0/demands/gas", 1, f"{BOTH}.demands: there is no resource 'gas'"),
        ("jobs/1/operations/0/after/0", "x", "jobs[1].operations[0].after: job '2' has no"),
    ],
)
def test_what_is_wrong_beyond_the_form(path: str, value: object, told: str) -> None:
    with pytest.raises(MalformedPlanError) as error:
        plan_from_json(changed(path, value))
    assert str(error.value).startswith(told)


def many(count: int, **others: Any) -> dict[str, Any]:
    return {
        "machines": [{"id": "m", "setup_times": {"a": {"b": 1}}, **others}],
        "jobs": [{"operations": [{"machine": "m", "duration": 1}] * count}],
    }


def test_what_is_too_much_to_be_planned() -> None:
    plan_from_json(many(300))
    plan_from_json(many(301, setup_times={"a": {"b": 0}}))
    with pytest.raises(MalformedPlanError, match="301 operations may run there"):
        plan_from_json(many(301))
    longest = {"duration": 10**9}
    jobs = [{"due": 0, "weight": 10**6, "operations": [longest]} for _ in range(100)]
    with pytest.raises(MalformedPlanError, match="choose a larger unit"):
        plan_from_json({"jobs": jobs, "objective": "weighted_tardiness"})


@pytest.mark.parametrize("document", [None, [], "plan", 3, {}])
def test_what_is_no_plan_at_all(document: object) -> None:
    with pytest.raises(MalformedPlanError):
        plan_from_json(document)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), ANYTHING)
def test_a_spoilt_plan_is_read_or_refused_and_never_more_than_the_schema_allows(
    random: Random, value: object
) -> None:
    document = random_plan(random)
    place: Any = document
    while True:
        key = random.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not isinstance(place[key], dict | list) or not place[key] or random.random() < 0.2:
            break
        place = place[key]
    place[key] = value
    try:
        plan_from_json(document)
    except MalformedPlanError:
        return
    assert SCHEMA.is_valid(document)
