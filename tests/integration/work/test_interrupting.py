"""What changes while a request is being made ends it: it would wait with what is no longer so."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forge_agent.log import Log
from forge_agent.work.claims import Claimer, Claims
from forge_agent.work.collector import Line, Peer
from forge_agent.work.heartbeats import Heartbeats
from forge_agent.work.holding import Holding, State
from forge_agent.work.journal import Journal
from forge_agent.work.results import Results
from forge_agent.work.setbacks import Setbacks
from tests.integration.work.hostile import HostileCollector


@pytest.fixture
def collector() -> Iterator[HostileCollector]:
    collector = HostileCollector()
    yield collector
    collector.close()


@pytest.fixture
def line(collector: HostileCollector) -> Iterator[Line]:
    line = Line(Peer(collector.url, "a-token", None))
    yield line
    line.connection.close()


@pytest.fixture
def holding() -> Holding:
    return Holding({"io": 1})


@pytest.fixture
def heartbeats(line: Line, holding: Holding) -> Heartbeats:
    return Heartbeats("n1.one", line, holding, {"plugins": []}, Log(io.StringIO(), human=False))


def test_a_heartbeat_that_says_too_little_when_it_goes_out_does_not(
    collector: HostileCollector,
    heartbeats: Heartbeats,
    holding: Holding,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heartbeats._turn()
    assert heartbeats.registered
    slots = Holding.slots

    def plugins_change(_: Holding) -> dict[str, int]:
        heartbeats.offer({"plugins": [{"name": "new"}]})
        return {}

    monkeypatch.setattr(Holding, "slots", property(plugins_change))
    heartbeats._turn()
    assert collector.asked["heartbeat"] == 1
    monkeypatch.setattr(Holding, "slots", slots)
    heartbeats._turn()
    assert collector.asked["heartbeat"] == 2
    assert heartbeats.registered


def test_a_claim_that_offers_what_is_no_longer_so_when_it_goes_out_does_not(
    collector: HostileCollector,
    line: Line,
    heartbeats: Heartbeats,
    holding: Holding,
    tmp_path: Path,
) -> None:
    results = Results(tmp_path / "results")
    claims = Claims(
        Claimer("n1.one", lambda: ["steps@1.0"], None),
        line=line,
        holding=holding,
        journal=Journal(tmp_path, "n1.one"),
        results=results,
        heartbeats=heartbeats,
        setbacks=Setbacks(),
        log=Log(io.StringIO(), human=False),
        take=_nothing,
        give_back=_nothing,
        on_answered=_nothing,
    )
    heartbeats._turn()
    holding.become(State("ready"))

    def owner_comes_back(*_: object, **__: object) -> list[Any]:
        holding.become(State("paused"))
        claims.look_again()
        return []

    with pytest.MonkeyPatch.context() as meanwhile:
        meanwhile.setattr(results, "take", owner_comes_back)
        claims._claim()
    assert collector.asked["claim"] == 0
    holding.become(State("ready"))
    claims._claim()
    assert collector.asked["claim"] == 1


def _nothing(*_: object) -> Any:
    """There is nothing to take or to tell."""
