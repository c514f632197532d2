from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.process import CollectorProcess, start_collector


class Start(Protocol):
    def __call__(self, *options: str) -> CollectorProcess: ...


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder for a collector, not made yet."""
    return tmp_path / "data"


@pytest.fixture
def start(data: Path) -> Iterator[Start]:
    """Starts a collector on the data folder; one that a failing test leaves behind is killed."""
    started: list[CollectorProcess] = []

    def start_one(*options: str) -> CollectorProcess:
        started.append(start_collector(data, *options))
        return started[-1]

    yield start_one
    for collector in started:
        if collector.process.poll() is None:
            collector.kill()
