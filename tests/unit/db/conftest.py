from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_collector.db import SqliteEngine, Tx


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Tx]:
    """A transaction over an empty store with the real schema."""
    writer = SqliteEngine(tmp_path / "fleet.db").open_writer()
    writer.begin_write()
    yield writer
    writer.commit()
    writer.close()
