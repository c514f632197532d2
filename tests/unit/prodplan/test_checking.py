from __future__ import annotations

import ast
import json
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from forge_prodplan.schedule import Schedule, Scheduled, result
from forge_shared.plans.document import plan_from_json
from forge_shared.plans.model import Plan
from prodplan_check.checking import problem_of
from tests.plan_making import end_of, greedy, is_right, random_plan
from tests.prodplan_process import FOLDER, verify

RANDOMS = st.randoms(use_true_random=False)
RESULT_SCHEMA = Draft202012Validator(json.loads((FOLDER / "result.schema.json").read_text()))


@settings(max_examples=50, deadline=None)
@given(RANDOMS)
def test_right_schedules_pass(random: Random) -> None:
    document = random_plan(random)
    plan = plan_from_json(document)
    schedule = greedy(plan, random)
    assume(schedule is not None)
    assert schedule is not None
    found = result(plan, schedule, 0)
    assert problem_of(document, found) is None
    assert RESULT_SCHEMA.is_valid(found)


@settings(max_examples=50, deadline=None)
@given(RANDOMS)
def test_a_perturbed_schedule_passes_only_if_every_moment_of_it_is_right(random: Random) -> None:
    document = random_plan(random)
    plan = plan_from_json(document)
    schedule = greedy(plan, random)
    assume(schedule is not None)
    assert schedule is not None
    for _ in range(8):
        perturbed = perturb(plan, schedule, random)
        right = is_right(plan, dict(enumerate(perturbed)))
        assert (problem_of(document, result(plan, perturbed, 0)) is None) == right


def perturb(plan: Plan, schedule: Schedule, random: Random) -> Schedule:
    """Move an operation or two: a little, and sometimes into another mode or another length."""
    tasks = list(schedule)
    for _ in range(random.choice((1, 1, 2))):
        number = random.randrange(len(tasks))
        operation = list(plan.operations())[number][1]
        mode = tasks[number].mode
        if random.random() < 0.3:
            mode = random.randrange(len(operation.modes))
        start = max(0, tasks[number].start + random.randint(-4, 4))
        end = end_of(plan, operation, operation.modes[mode], start)
        end += random.choice((0, 0, 0, 0, -1, 1))
        tasks[number] = Scheduled(mode, start, end)
    return tuple(tasks)


PLAN: dict[str, Any] = {
    "machines": [
        {"id": "saw", "unavailable": [[10, 12]]},
        {"id": "paint", "setup_times": {"red": {"blue": 3}}, "unavailable": [[30, 40]]},
    ],
    "resources": [
        {"id": "crew", "capacity": 2},
        {"id": "wood", "capacity": 4, "renewable": False},
    ],
    "jobs": [
        {
            "id": "a",
            "release": 2,
            "due": 12,
            "weight": 2,
            "operations": [
                {"id": "cut", "machine": "saw", "duration": 4, "demands": {"crew": 1, "wood": 3}},
                {"id": "paint", "machine": "paint", "duration": 5, "family": "red"},
            ],
        },
        {
            "id": "b",
            "deadline": 40,
            "operations": [
                {
                    "id": "cut",
                    "pausable": True,
                    "modes": [
                        {"machine": "saw", "duration": 6, "demands": {"crew": 2}},
                        {"machine": "saw", "duration": 5, "demands": {"crew": 2, "wood": 2}},
                    ],
                },
                {
                    "id": "paint",
                    "machine": "paint",
                    "duration": 4,
                    "family": "blue",
                    "after": [{"operation": "cut", "lag": 1}],
                },
            ],
        },
    ],
    "objective": {"makespan": 1, "weighted_tardiness": 1},
}
# cut 2-6, and 6-14 around the break; paint 8-13, 3 to set up from red to blue, then 16-20.
SCHEDULE = (Scheduled(0, 2, 6), Scheduled(0, 8, 13), Scheduled(0, 6, 14), Scheduled(0, 16, 20))


def test_the_schedule_that_is_spoilt_below() -> None:
    plan = plan_from_json(PLAN)
    found = result(plan, SCHEDULE, 22)
    assert problem_of(PLAN, found) is None
    assert found["objectives"] == {"makespan": 20, "weighted_tardiness": 2}
    assert [task["setup"] for task in found["tasks"]] == [0, 0, 0, 3]


@pytest.mark.parametrize(
    ("number", "task", "problem"),
    [
        (0, Scheduled(0, 1, 5), "a/cut starts at 1, before its release at 2"),
        (0, Scheduled(0, 2, 5), "a/cut takes 3, and must 4"),
        (0, Scheduled(0, 7, 11), "a/cut is on a machine while it is unavailable"),
        (2, Scheduled(0, 5, 13), "machine saw: b/cut starts at 5; a/cut ends at 6"),
        (2, Scheduled(1, 6, 13), "5 of wood are used up, and there are 4"),
        (2, Scheduled(0, 6, 12), "b/cut works 4 between 6 and 12, and must 6"),
        (2, Scheduled(0, 11, 18), "b/cut starts or ends while a machine is unavailable"),
        (1, Scheduled(0, 5, 10), "a/paint starts at 5; a/cut ends at 6, and 0 must"),
        (3, Scheduled(0, 14, 18), "b/paint starts at 14; b/cut ends at 14, and 1 must"),
        (3, Scheduled(0, 15, 19), "machine paint: b/paint starts at 15; a/paint ends at 13, and s"),
        (3, Scheduled(0, 41, 45), "machine paint: it is set up for b/paint while it is unav"),
        (3, Scheduled(0, 43, 47), "b/paint ends at 47, after its job's deadline at 40"),
    ],
)
def test_every_constraint_that_is_broken_is_named(
    number: int, task: Scheduled, problem: str
) -> None:
    tasks = list(SCHEDULE)
    tasks[number] = task
    found = problem_of(PLAN, result(plan_from_json(PLAN), tuple(tasks), 0))
    assert found is not None
    assert found.startswith(problem)


def test_a_resource_in_use_by_too_many() -> None:
    document = deepcopy(PLAN)
    document["jobs"][1]["operations"][0]["modes"][0] = {"duration": 8, "demands": {"crew": 2}}
    found = problem_of(
        document, result(plan_from_json(document), replaced(2, Scheduled(0, 5, 13)), 0)
    )
    assert found == "3 of crew are in use at 5; there are 2"


def replaced(number: int, task: Scheduled) -> Schedule:
    return tuple(task if place == number else each for place, each in enumerate(SCHEDULE))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("status", "optimal"),
        ("status", "best"),
        ("objective", 21),
        ("objective", 22.0),
        ("bound", 23),
        ("bound", -1),
        ("bound", 22),  # and feasible: then it would be optimal
        ("objectives/makespan", 19),
        ("objectives/weighted_tardiness", 0),
        ("horizon", 21),
        ("time_unit", "hour"),
        ("machines/0/unavailable", []),
        ("machines/0/name", "Saw"),
        ("machines/1", None),
        ("resources/0/capacity", 3),
        ("jobs/0/end", 12),
        ("jobs/0/tardiness", 0),
        ("jobs/1/due", 40),
        ("tasks/0", None),
        ("tasks/0/id", "1.2"),
        ("tasks/0/job", "c"),
        ("tasks/0/operation", "paint"),
        ("tasks/0/mode", 1),
        ("tasks/0/mode", -1),
        ("tasks/0/mode", False),
        ("tasks/0/machines", []),
        ("tasks/0/machines", ["paint"]),
        ("tasks/0/demands", {"crew": 1}),
        ("tasks/0/start", "2"),
        ("tasks/3/setup", 0),
        ("tasks/1/setup", 1),
        ("tasks", {}),
        ("tasks", None),
    ],
)
def test_everything_that_a_result_tells_is_held_against_the_plan(path: str, value: object) -> None:
    found: Any = result(plan_from_json(PLAN), SCHEDULE, 20)
    assert problem_of(PLAN, found) is None
    place = found
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    assert problem_of(PLAN, found) is not None


@pytest.mark.parametrize("found", [None, [], {}, "done", {"tasks": [None]}, {"tasks": 3}])
def test_what_is_no_result_at_all(found: object) -> None:
    assert problem_of(PLAN, found) is not None


def test_a_task_that_is_there_twice() -> None:
    found = result(plan_from_json(PLAN), SCHEDULE, 0)
    found["tasks"].append({**found["tasks"][0], "id": "9.9"})
    assert problem_of(PLAN, found) == "a/cut is there twice, or its id 9.9"


def test_it_shares_the_reading_of_texts_alone_with_what_makes_the_schedules() -> None:
    imported = set()
    for path in (FOLDER / "prodplan_check").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
    assert {name for name in imported if name and name.startswith(("forge", "prodplan"))} == {
        # Of the plans' reading, what turns the field's texts into JSON.
        "forge_shared.plans.model",
        "forge_shared.plans.text",
        "prodplan_check.checking",
        "prodplan_check.plans",
    }
    assert not any(name and name.startswith(("ortools", "pyjobshop")) for name in imported)


def test_a_plan_in_json_is_checked_without_anything_shared() -> None:
    program = (
        "import json, sys\n"
        "from prodplan_check.checking import problem_of\n"
        "problem = problem_of(**json.load(sys.stdin))\n"
        "others = ('forge', 'pyjobshop', 'ortools')\n"
        "print(problem, [name for name in sys.modules if name.startswith(others)])\n"
    )
    found = result(plan_from_json(PLAN), SCHEDULE, 0)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=FOLDER,
        input=json.dumps({"payload": PLAN, "result": found}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "None []\n"


def test_the_program_says_in_its_last_line_why() -> None:
    plan = plan_from_json(PLAN)
    right = verify(PLAN, result(plan, SCHEDULE, 0))
    assert (right.returncode, right.stdout) == (0, "")
    wrong = verify(PLAN, result(plan, replaced(0, replace(SCHEDULE[0], start=1)), 0))
    assert wrong.returncode == 1
    assert wrong.stdout == "a/cut starts at 1, before its release at 2\n"
