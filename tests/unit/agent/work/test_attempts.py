"""When an attempt at a job must stop, and what the collector is told of its end."""

from __future__ import annotations

import pytest

from forge_agent.core import attempts
from forge_agent.core.attempts import Ended, Limits, Stop, Watch

DONE = Ended(0, "it ended with 0", has_result=True)
KILLED = Ended(None, "it was killed by SIGKILL", has_result=False)


def watch(*, wall_s: float | None = None, no_progress_s: float | None = None) -> Watch:
    watched = Watch(Limits(wall_s, no_progress_s), 300, 1000)
    watched.started(1000)
    return watched


def test_it_stops_half_a_minute_before_its_lease_can_have_expired() -> None:
    watched = watch()
    assert watched.must_stop(1269.9) is None
    assert watched.must_stop(1270) is Stop.LEASE_ENDS
    assert watched.must_stop(1300) is Stop.EXPIRED


def test_a_lease_holds_from_when_its_renewal_was_sent() -> None:
    watched = watch()
    watched.renewed(1100, 300)
    watched.renewed(1050, 300)  # an answer that came late
    assert watched.must_stop(1369) is None
    assert watched.must_stop(1370) is Stop.LEASE_ENDS


def test_a_lease_runs_out_before_its_program_has_started_as_well() -> None:
    assert Watch(Limits(None, None), 300, 1000).must_stop(1270) is Stop.LEASE_ENDS


def test_a_suspend_that_outlasts_the_lease_ends_it() -> None:
    assert watch().must_stop(1000 + 8 * 3600) is Stop.EXPIRED
    assert attempts.grace_s(Stop.EXPIRED) == 0


def test_time_and_standing_still_are_limited_from_the_start_of_the_program() -> None:
    watched = watch(wall_s=100, no_progress_s=10)
    assert watched.must_stop(1009) is None
    assert watched.must_stop(1010) is Stop.NO_PROGRESS
    watched.progressed(1095)
    assert watched.must_stop(1099) is None
    assert watched.must_stop(1100) is Stop.WALL_LIMIT


def test_the_tighter_limit_of_job_and_plugin_counts() -> None:
    assert attempts.least(None, 5, 3) == 3
    assert attempts.least(None, None) is None


def test_what_is_graver_takes_the_place_of_another_reason() -> None:
    assert attempts.graver(None, Stop.YIELD)
    assert attempts.graver(Stop.YIELD, Stop.CANCEL)
    # What the owner wanted back is no fault of the job, whatever happens to the agent then.
    assert not attempts.graver(Stop.YIELD, Stop.WORKER_ENDS)
    assert attempts.graver(Stop.CANCEL, Stop.LOST)
    assert not attempts.graver(Stop.LOST, Stop.YIELD)
    assert not attempts.graver(Stop.CANCEL, Stop.CANCEL)


def test_nothing_is_waited_for_where_the_lease_is_lost_and_little_where_it_is_cancelled() -> None:
    assert attempts.grace_s(Stop.LOST) == 0
    assert attempts.grace_s(Stop.CANCEL) < 5
    assert attempts.grace_s(Stop.YIELD) == 5


@pytest.mark.parametrize("stop", [None, *(stop for stop in Stop if stop is not Stop.LOST)])
def test_a_result_in_time_counts_whoever_asked_it_to_stop(stop: Stop | None) -> None:
    settled = attempts.settle(stop, DONE)
    assert settled is not None
    assert settled.status == "succeeded"


def test_a_lost_lease_is_told_to_nobody() -> None:
    assert attempts.settle(Stop.LOST, DONE) is None


@pytest.mark.parametrize("stop", [Stop.CANCEL, Stop.YIELD, Stop.LEASE_ENDS, Stop.EXPIRED])
def test_what_others_stop_is_given_back(stop: Stop) -> None:
    settled = attempts.settle(stop, KILLED)
    assert settled is not None
    assert (settled.status, settled.error) == ("yielded", None)


def test_what_an_agent_leaves_that_was_killed_may_be_the_fault_of_the_job() -> None:
    settled = attempts.settle(Stop.WORKER_ENDS, KILLED)
    assert settled is not None
    assert (settled.status, settled.outcome, settled.error) == ("yielded", "lost", None)


@pytest.mark.parametrize(
    ("stop", "ended", "outcome", "code"),
    [
        (Stop.WALL_LIMIT, KILLED, "timed_out", "wall_limit"),
        (Stop.NO_PROGRESS, KILLED, "timed_out", "no_progress"),
        (None, KILLED, "crashed", "crashed"),
        (None, Ended(0, "it ended with 0", has_result=False), "crashed", "crashed"),
        (None, Ended(1, "it ended with 1", has_result=True), "crashed", "crashed"),
        (
            None,
            Ended(
                1, "it ended with 1", has_result=False, error={"code": "infeasible", "message": ""}
            ),
            "failed",
            "infeasible",
        ),
    ],
)
def test_a_failure_says_whose_fault_it_is(
    stop: Stop | None, ended: Ended, outcome: str, code: str
) -> None:
    settled = attempts.settle(stop, ended)
    assert settled is not None
    assert settled.error is not None
    assert (settled.status, settled.outcome, settled.error["code"]) == ("failed", outcome, code)


def test_running_out_of_memory_says_what_to_look_at() -> None:
    settled = attempts.settle(None, KILLED._replace(out_of_memory=True))
    assert settled is not None
    assert settled.error is not None
    assert "memory_mib" in settled.error["message"]
