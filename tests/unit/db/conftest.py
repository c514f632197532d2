from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_collector.access import store as access
from forge_collector.db import SqliteEngine, Tx
from tests.unit.db.receipts import TOKEN


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Tx]:
    """A transaction over a store with the real schema, and nothing in it but one token."""
    writer = SqliteEngine(tmp_path / "fleet.db").open_writer()
    writer.begin_write()
    access.add(writer, TOKEN)
    yield writer
    writer.commit()
    writer.close()
