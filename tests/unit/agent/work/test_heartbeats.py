"""What a heartbeat's answer means for the leases that were in it."""

from __future__ import annotations

import io
from typing import Any

import pytest

from forge_agent.core.attempts import Stop
from forge_agent.log import Log
from forge_agent.work.collector import Line, Peer
from forge_agent.work.heartbeats import Heartbeats
from forge_agent.work.holding import Holding, State


class Lease:
    """Stands in for an attempt, and takes note of what it is told."""

    resource_class = "io"
    is_heard = False

    def __init__(self, lease: str, *, is_over: bool = False) -> None:
        self.job_id = "job-1"
        self.lease = lease
        self.is_over = is_over
        self.was_renewed = False
        self.stopped: list[Stop] = []

    def renewed(self, _sent_s: float, _ttl_s: float) -> None:
        self.was_renewed = True

    def stop(self, why: Stop) -> None:
        self.stopped.append(why)


@pytest.mark.parametrize("holds", [False, True])
def test_the_last_heartbeat_says_so_where_nothing_is_left_to_answer(
    monkeypatch: pytest.MonkeyPatch, holds: bool
) -> None:
    told: list[dict[str, Any]] = []

    def post(_path: str, message: dict[str, Any], **_: object) -> dict[str, Any]:
        told.append(message)
        return {"renewed": [], "lost": [], "cancel": [], "lease_ttl_s": 300}

    line = Line(Peer("http://127.0.0.1:1", "secret", None))
    monkeypatch.setattr(line, "post", post)
    holding = Holding({"io": 1})
    held: list[Any] = [Lease("l1", is_over=True)]
    heartbeats = Heartbeats("n1.one", line, holding, {}, Log(io.StringIO(), human=False))
    heartbeats.start()
    with holding.changed:
        assert holding.changed.wait_for(lambda: heartbeats.registered, 5)
    if holds:
        holding.add(held)
    holding.become(State("draining", "the worker stops"))
    heartbeats.stop()
    assert [message["state"] for message in told if message.get("last")] == (
        [] if holds else ["draining"]
    )
    assert told[0]["state"] == "paused"


def test_a_lease_that_is_lost_takes_none_along_that_its_job_has_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = Line(Peer("http://127.0.0.1:1", "secret", None))
    holding = Holding({"io": 1})
    heartbeats = Heartbeats("n1.one", line, holding, {}, Log(io.StringIO(), human=False))
    answer = {"renewed": ["job-1"], "lost": ["job-1"], "cancel": [], "lease_ttl_s": 300}
    monkeypatch.setattr(line, "post", lambda *_, **__: answer)
    before, now = Lease("l1", is_over=True), Lease("l2")
    leases: list[Any] = [(now, {}), (before, {})]
    for told in (leases, leases[::-1]):
        heartbeats.beat(line, told)
        assert now.was_renewed
        assert now.stopped == []
    answer["renewed"] = []
    heartbeats.beat(line, leases)
    assert now.stopped == [Stop.LOST]
