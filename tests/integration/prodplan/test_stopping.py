"""A job that is stopped, or whose time is over, leaves what it found, in time."""

from __future__ import annotations

import signal
from pathlib import Path

from forge_prodplan.checkpoint import from_json
from forge_prodplan.schedule import worth
from forge_shared.plans.text import plan_from_text
from tests.process import wait_for
from tests.prodplan_process import document, started, text_of, verify

PAYLOAD = {"text": text_of("ft10.txt"), "options": {"time_limit_s": 60}}


def objective_of(kept: object) -> int:
    """Return what a checkpoint's schedule is worth; fail when it is not right."""
    plan = plan_from_text(text_of("ft10.txt"))
    schedule = from_json(kept, plan, PAYLOAD).schedule
    assert schedule is not None
    return worth(plan, schedule).objective


def test_a_stopped_search_goes_on_in_another_process() -> None:
    with started() as first:
        first.give(document(PAYLOAD))
        first.until("checkpoint")
        first.process.send_signal(signal.SIGTERM)
        assert first.end() < 5
    assert first.process.returncode == 0
    assert all(line["type"] not in ("result", "error") for line in first.said)
    kept = [line["data"] for line in first.said if line["type"] == "checkpoint"][-1]
    reached = objective_of(kept)
    assert reached <= min(line["objective"] for line in first.said if line["type"] == "incumbent")

    with started() as second:
        second.give(document(PAYLOAD, attempt=2, checkpoint=kept))
        assert second.until("incumbent")["objective"] <= reached
        # Once CP-SAT has taken the hint, its bound comes with it.
        second.until("progress")
        second.process.send_signal(signal.SIGTERM)
        assert second.end() < 5
    again = [line["data"] for line in second.said if line["type"] == "checkpoint"][-1]
    assert objective_of(again) <= reached
    assert again["spent_s"] >= kept["spent_s"]


def test_a_stop_before_the_search_has_begun_counts() -> None:
    with started() as attempt:
        status = Path(f"/proc/{attempt.process.pid}/status")
        wait_for(lambda: hears_term(status.read_text()) or None, "its handler")
        attempt.process.send_signal(signal.SIGTERM)
        attempt.give(document(PAYLOAD))
        assert attempt.end() < 5
        assert attempt.process.returncode == 0
        assert all(line["type"] not in ("result", "error") for line in attempt.said)


def hears_term(status: str) -> bool:
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1))


def test_the_time_limit_is_kept_and_the_best_schedule_handed_in() -> None:
    payload = PAYLOAD | {"options": {"time_limit_s": 2}}
    with started() as attempt:
        attempt.give(document(payload))
        attempt.until("progress")
        assert attempt.end() < 10
    found = attempt.said[-1]["result"]
    assert found["status"] == "feasible"
    assert 0 < found["bound"] < found["objective"]
    assert verify(payload, found).returncode == 0
    told = [line for line in attempt.said if line["type"] == "incumbent"]
    assert len(told) <= 10  # however many were found
    assert told[-1]["objective"] == found["objective"]
    assert attempt.said[-2] == {"type": "progress", "fraction": 1.0, "message": "time is over"}


def test_what_was_proved_before_is_not_proved_again() -> None:
    payload = {"text": text_of("ft10.txt"), "options": {"time_limit_s": 4}}
    with started() as first:
        first.give(document(payload))
        kept = first.until("checkpoint")["data"]
    worst = objective_of(kept)
    assert 0 <= kept["bound"] < worst

    # More than CP-SAT proves of ft10 in so short a time, and less than its best, 930.
    with started() as second:
        second.give(document(payload, attempt=2, checkpoint=kept | {"bound": 929, "spent_s": 3.5}))
        second.end()
    told = [line["bound"] for line in second.said if line["type"] == "incumbent"]
    bounds = [line["data"]["bound"] for line in second.said if line["type"] == "checkpoint"]
    result = second.said[-1]["result"]
    assert min(*told, *bounds, result["bound"]) >= 929

    # Its schedule was proved to be best: there is nothing to search for.
    with started() as third:
        third.give(document(payload, attempt=3, checkpoint=kept | {"bound": worst}))
        third.end()
    result = third.said[-1]["result"]
    assert (result["status"], result["objective"], result["bound"]) == ("optimal", worst, worst)


def test_a_bound_that_a_schedule_contradicts_is_given_up() -> None:
    with started() as attempt:
        kept = {"version": 1, "spent_s": 0.0, "tasks": None, "bound": 10**6}
        attempt.give(document({"text": text_of("ft06.txt")}, checkpoint=kept))
        attempt.end()
    told = [line for line in attempt.said if line["type"] == "incumbent"]
    assert all(line["bound"] <= 55 for line in told)
    assert attempt.said[-1]["result"]["bound"] == 55


def test_a_wrong_checkpoint_is_not_used() -> None:
    with started() as attempt:
        wrong = {"version": 1, "spent_s": 0.0, "tasks": [[0, 0, 1]] * 36}
        attempt.give(document({"text": text_of("ft06.txt")}, checkpoint=wrong))
        attempt.end()
    assert attempt.said[-1]["result"]["objective"] == 55
