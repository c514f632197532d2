from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_collector.access import store as access
from forge_collector.db import Tx
from tests.empty_store import open_empty_store
from tests.unit.db.receipts import TOKEN


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Tx]:
    """A transaction over a store with the real schema, and nothing in it but one token."""
    writer = open_empty_store(tmp_path / "fleet.db")
    writer.begin_write()
    access.add(writer, TOKEN)
    yield writer
    writer.commit()
    writer.close()
