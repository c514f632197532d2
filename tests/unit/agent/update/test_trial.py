"""How a version on trial is judged, on a clock of the test's."""

from __future__ import annotations

from typing import Any

import pytest

from forge_agent.update import trial
from forge_agent.update.trial import Judge, Patience, Status, Verdict

PATIENCE = Patience()
BEFORE = "boot of the version before"


def status(noted_at: int = 1, **changes: Any) -> Status:
    told: dict[str, Any] = {
        "version": "0.2.0",
        "boot_id": "a new boot",
        "connection": "starting",
        "reason": "",
        "last_push_at": None,
    }
    read = trial.status_of({**told, **changes, "noted_at": noted_at})
    assert read is not None
    return read


def judge(*, was_accepted: bool = True) -> Judge:
    return Judge(
        "0.2.0", was_accepted=was_accepted, boot_id_before=BEFORE, patience=PATIENCE, now_s=0.0
    )


def lived(judge: Judge, found: Status, until_s: float) -> Verdict:
    """Look every ten seconds, the status noted anew each time; return what came of it."""
    for now_s in range(0, int(until_s) + 1, 10):
        verdict = judge.look(found._replace(noted_at=now_s + 1), float(now_s))
        if verdict is Verdict.FAILED:
            break
    return verdict


def test_it_has_proved_itself_once_it_pushed_and_lasted() -> None:
    pushing = status(connection="online", last_push_at=1)
    assert lived(judge(), pushing, PATIENCE.lasting_s - 10) is Verdict.WAIT
    assert lived(judge(), pushing, PATIENCE.lasting_s) is Verdict.PROVED


@pytest.mark.parametrize(
    "found",
    [None, status(boot_id=BEFORE, last_push_at=1), status(version="0.1.0", last_push_at=1)],
    ids=["none", "of the run before", "of another version"],
)
def test_without_a_status_of_its_own_it_did_not_start(found: Status | None) -> None:
    judged = judge()
    assert judged.look(found, PATIENCE.start_s) is Verdict.WAIT
    assert judged.look(found, PATIENCE.start_s + 1) is Verdict.FAILED
    assert "did not start" in judged.reason


def test_one_that_falls_silent_hangs() -> None:
    judged = judge()
    pushing = status(connection="offline")
    assert judged.look(pushing, 0.0) is Verdict.WAIT
    assert judged.look(pushing, PATIENCE.silent_s) is Verdict.LASTING
    assert judged.look(None, PATIENCE.silent_s + 1) is Verdict.FAILED
    assert judged.reason == "it hangs"


@pytest.mark.parametrize("connection", ["online", "starting"])
def test_one_that_comes_to_no_push_fails(connection: str) -> None:
    judged = judge()
    assert lived(judged, status(connection=connection), PATIENCE.push_s) is Verdict.LASTING
    assert lived(judge(), status(connection=connection), PATIENCE.push_s + 20) is Verdict.FAILED


@pytest.mark.parametrize(
    "changes",
    [
        {"connection": "refused", "reason": "401 who are you"},
        {"connection": "offline", "reason": "a fault in the agent (TypeError)"},
    ],
)
def test_its_own_fault_is_seen_at_once_if_the_version_before_was_accepted(
    changes: dict[str, Any],
) -> None:
    assert judge().look(status(**changes), 1.0) is Verdict.FAILED
    # Otherwise it may be anybody's: the token's, the collector's.
    assert lived(judge(was_accepted=False), status(**changes), 100_000) is Verdict.LASTING


@pytest.mark.parametrize("reason", ["nothing listens there", "503 the disk is full", ""])
def test_an_unreachable_collector_is_nobodys_failure(reason: str) -> None:
    assert lived(judge(), status(connection="offline", reason=reason), 100_000) is Verdict.LASTING


def probed(judge: Judge, found: Status, answers: list[bool]) -> Verdict:
    """Answer the judge's questions, and look once more after the last."""
    now_s, verdict = 0.0, Verdict.WAIT
    for asked in range(10_000):
        now_s = float(asked)
        verdict = judge.look(found._replace(noted_at=asked + 1), now_s)
        if verdict is Verdict.FAILED or not answers:
            return verdict
        if judge.wants_probe(now_s):
            judge.probed(answered=answers.pop(0))
    return verdict


@pytest.mark.parametrize("was_accepted", [True, False])
def test_one_that_cannot_reach_a_collector_that_answers_fails(*, was_accepted: bool) -> None:
    cut_off = status(connection="offline", reason="no TLS with it")
    judged = judge(was_accepted=was_accepted)
    assert probed(judged, cut_off, [True] * trial.PROBES) is Verdict.FAILED
    assert "which answers the launcher: no TLS with it" in judged.reason
    # In a row: one that comes and goes is the network's.
    assert probed(judge(), cut_off, [True, True, True, False] * 3) is not Verdict.FAILED


def test_nobody_asks_while_the_collector_answers_the_version_on_trial() -> None:
    for found in (
        status(connection="offline", reason="503 the disk is full"),
        status(connection="online", last_push_at=1),
    ):
        judged = judge()
        judged.look(found, 1.0)
        assert not judged.wants_probe(1_000.0)


@pytest.mark.parametrize("record", [None, [], {}, {"noted_at": "x"}, {"noted_at": None}])
def test_what_is_no_status_is_none(record: object) -> None:
    assert trial.status_of(record) is None


def test_what_run_writes_is_a_status() -> None:
    """A launcher reads what later versions write: this much of it must stay."""
    written = {
        "version": "0.2.0",
        "pid": 1,
        "boot_id": "b",
        "node_id": "n",
        "url": "u",
        "started_at": 1,
        "noted_at": 2,
        "connection": "refused",
        "reason": "r",
        "since": 1,
        "last_push_at": 3,
        "spool_bytes": 0,
        "dropped": 0,
        "interval_s": 5,
    }
    assert trial.status_of(written) == Status("0.2.0", "b", 2, "refused", "r", has_pushed=True)
