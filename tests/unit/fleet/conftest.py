"""A live fleet by a clock that the test moves, and what it said happened."""

from __future__ import annotations

import pytest

from forge_collector.events import (
    CredentialRevoked,
    Event,
    Events,
    NodeAdded,
    NodeForgotten,
    NodeStatusChanged,
)
from forge_collector.fleet.live import LiveFleet
from tests.unit.fleet.feeding import Feed
from tests.unit.fleet.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def heard_events() -> list[Event]:
    return []


@pytest.fixture
def live(clock: ManualClock, heard_events: list[Event]) -> LiveFleet:
    events = Events()
    events.subscribe(NodeAdded, heard_events.append)
    events.subscribe(NodeStatusChanged, heard_events.append)
    events.subscribe(NodeForgotten, heard_events.append)
    events.subscribe(CredentialRevoked, heard_events.append)
    return LiveFleet(clock, events)


@pytest.fixture
def feed(live: LiveFleet, clock: ManualClock) -> Feed:
    return Feed(live, clock)
