from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.agent.fake_collector import FakeCollector
from tests.integration.agent.running import RunningAgent

StartAgent = Callable[..., RunningAgent]


@pytest.fixture
def collector() -> Iterator[FakeCollector]:
    fake = FakeCollector()
    try:
        yield fake
    finally:
        fake.die()
    assert fake.faults == []


@pytest.fixture
def start_agent(collector: FakeCollector, tmp_path: Path) -> Iterator[StartAgent]:
    """Start agents with ``start_agent(*options, folder=…, **environment)``."""
    started: list[RunningAgent] = []

    def start(*options: str, folder: Path = tmp_path, **env: str) -> RunningAgent:
        agent = RunningAgent(collector, folder, *options, **env)
        started.append(agent)
        return agent

    try:
        yield start
    finally:
        for agent in started:
            agent.kill()


@pytest.fixture
def agent(start_agent: StartAgent) -> RunningAgent:
    return start_agent()
