from __future__ import annotations

import tempfile
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


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder to which all users get: those of pytest are closed."""
    with tempfile.TemporaryDirectory(prefix="forge-fleet-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
