from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.backup.commands import Folder
from tests.process import CollectorProcess, start_collector


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder for a collector, not made yet."""
    return tmp_path / "data"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a backup goes."""
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder / "fleet.db"


@pytest.fixture
def folder(data: Path) -> Folder:
    return Folder(data)


@pytest.fixture
def collector(data: Path) -> Iterator[CollectorProcess]:
    """A running collector on the data folder."""
    started = start_collector(data)
    yield started
    if started.process.poll() is None:
        started.kill()
