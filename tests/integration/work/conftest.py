from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process import Client, CollectorProcess, running_collector


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    folder: Path = tmp_path_factory.mktemp("collector")
    with running_collector(folder / "data") as started:
        yield started


@pytest.fixture
def admin(collector: CollectorProcess) -> Iterator[Client]:
    with collector.client() as client:
        yield client
