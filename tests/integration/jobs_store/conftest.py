from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.empty_store import open_empty_store
from tests.integration.jobs_store.queue import Queue


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    """A queue in a transaction, over a store with the real schema."""
    writer = open_empty_store(tmp_path / "fleet.db")
    writer.begin_write()
    yield Queue(writer)
    writer.commit()
    writer.close()
