"""Plans are solved to what is known of them, and every schedule is right."""

from __future__ import annotations

import queue
import time
from random import Random

import pytest

from forge_prodplan import proofs
from forge_prodplan.errors import InfeasiblePlanError
from forge_prodplan.schedule import Schedule, result, worth
from forge_prodplan.search import Broken, Ended, Events, Found, Search
from forge_shared.plans.document import plan_from_json
from forge_shared.plans.model import Plan, plan_to_json
from forge_shared.plans.text import plan_from_text
from prodplan_check.checking import problem_of
from tests.plan_making import greedy, random_plan
from tests.prodplan_process import document, run, started, text_of, verify

PATIENCE_S = 60.0


def solve(plan: Plan, known: Schedule | None = None) -> tuple[list[Schedule], Ended]:
    """Return the schedules that were found, and how the search ended."""
    events: Events = queue.SimpleQueue()
    Search(plan, known, events, until=time.monotonic() + PATIENCE_S, seed=1).start()
    found: list[Schedule] = []
    while True:
        event = events.get(timeout=2 * PATIENCE_S)
        assert not isinstance(event, Broken), event
        if isinstance(event, Ended):
            return found, event
        if isinstance(event, Found):
            found.append(event.schedule)


@pytest.mark.parametrize(
    ("name", "optimum"),
    [
        ("la01.txt", 666),
        ("la02.txt", 655),
        ("la05.txt", 593),
        ("mk01.fjs", 40),
        ("j301_1.sm", 43),
        ("c154_3.mm", 34),
    ],
)
def test_known_optima(name: str, optimum: int) -> None:
    plan = plan_from_text(text_of(name))
    found, ended = solve(plan)
    assert (ended.status, ended.bound) == ("OPTIMAL", optimum)
    told = result(plan, found[-1], optimum)
    assert told["objective"] == optimum
    assert problem_of({"text": text_of(name)}, told) is None


def test_ft06_from_a_text_to_a_verified_result() -> None:
    payload = {"text": text_of("ft06.txt")}
    with started() as attempt:
        attempt.give(document(payload))
        attempt.end()
        assert attempt.process.returncode == 0
    told = [line for line in attempt.said if line["type"] == "incumbent"]
    assert told[-1] == {"type": "incumbent", "objective": 55, "bound": 55, "gap": 0.0}
    assert attempt.said[-2:-1] == [
        {"type": "progress", "fraction": 1.0, "message": "proved to be best"}
    ]
    assert attempt.said[-1]["type"] == "result"
    found = attempt.said[-1]["result"]
    assert (found["status"], found["objective"], found["bound"]) == ("optimal", 55, 55)
    assert verify(payload, found).returncode == 0
    assert verify(payload, {**found, "objective": 54}).returncode == 1


def test_plans_with_a_bit_of_everything_have_right_schedules_that_are_best_of_all() -> None:
    solved = 0
    for seed in range(40):
        random = Random(seed)
        document = random_plan(random)
        plan = plan_from_json(document)
        known = greedy(plan, random)
        try:
            proofs.check(plan)
        except InfeasiblePlanError:
            continue
        found, ended = solve(plan, known)
        assert ended.status in ("OPTIMAL", "INFEASIBLE"), seed
        assert known is None or ended.status == "OPTIMAL", seed
        if found:
            values = [worth(plan, schedule).objective for schedule in found]
            assert values[-1] == ended.bound, seed
            # The hint is whole and right: it is where the search begins.
            assert known is None or values[0] <= worth(plan, known).objective, seed
            for schedule in found:
                assert problem_of(document, result(plan, schedule, values[-1])) is None, seed
            solved += 1
    assert solved > 20


BLUE = {
    "machine": "m",
    "duration": 3,
    "family": "blue",
    "after": [{"job": "1", "operation": "1"}],
}


def test_setting_up_is_kept_out_of_the_time_without_the_machine() -> None:
    plan = {
        "machines": [
            {"id": "m", "unavailable": [[4, 10]], "setup_times": {"red": {"blue": 2}}},
        ],
        "jobs": [
            {"operations": [{"machine": "m", "duration": 3, "family": "red"}]},
            {"operations": [BLUE]},
        ],
    }
    found, ended = solve(plan_from_json(plan))
    assert ended.bound == 15
    assert (found[-1][1].start, found[-1][1].end) == (12, 15)


def test_what_is_pausable_goes_on_after_the_time_without_the_machine() -> None:
    operation = {"machine": "m", "duration": 6, "pausable": True}
    plan = {
        "machines": [{"id": "m", "unavailable": [[4, 10]]}],
        "jobs": [{"operations": [operation]}],
    }
    found, ended = solve(plan_from_json(plan))
    assert ended.bound == 12
    assert (found[-1][0].start, found[-1][0].end) == (0, 12)


@pytest.mark.parametrize(
    ("payload", "code", "told"),
    [
        (
            {"jobs": [{"operations": [{"duration": "x"}]}]},
            "malformed_plan",
            "jobs[0].operations[0]",
        ),
        ({"text": "2 2\n0 3 1 4\n1 5 0 x\n"}, "malformed_plan", "line 3: 'x' is not"),
        (
            {"text": '{"jobs": [\n {"operations": ]}'},
            "malformed_plan",
            "line 2, column 17: is JSON that does not parse: ",
        ),
        ({"text": "1 1\n0 1\n", "options": {"time_limit_s": 0}}, "malformed_plan", "options.time"),
        ([], "malformed_plan", "plan: must be an object"),
    ],
)
def test_a_malformed_plan_is_named_with_its_place(payload: object, code: str, told: str) -> None:
    line, exit_code = run(payload)
    assert (line["type"], line["code"], line["retryable"]) == ("error", code, False)
    assert line["message"].startswith(told)
    assert exit_code == 1


def test_an_infeasible_plan_is_named_with_what_was_proved() -> None:
    job = {"deadline": 9, "operations": [{"machine": "m", "duration": 5}]}
    line, _ = run({"machines": [{"id": "m"}], "jobs": [job, job | {"id": "other"}]})
    assert (line["code"], line["retryable"]) == ("infeasible_plan", False)
    assert "no schedule keeps all deadlines (of 1, other)" in line["message"]


def test_no_schedule_in_time_may_be_tried_again() -> None:
    hard = plan_to_json(plan_from_text(text_of("ft10.txt")))
    for job in hard["jobs"]:
        job["deadline"] = 929  # one less than can be, which takes longer to prove
    line, _ = run(hard | {"options": {"time_limit_s": 1}})
    assert (line["code"], line["retryable"]) == ("no_solution_in_time", True)
