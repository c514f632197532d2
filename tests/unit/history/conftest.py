from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_collector.db import Tx
from tests.empty_store import open_empty_store


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Tx]:
    """A transaction over an empty store with the real schema."""
    writer = open_empty_store(tmp_path / "fleet.db")
    writer.begin_write()
    yield writer
    writer.commit()
    writer.close()
