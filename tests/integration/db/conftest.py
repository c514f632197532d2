from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forge_collector.db import Database
from tests.integration.db.backends import BACKENDS, Backend


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    kind: str = request.param
    return BACKENDS[kind](tmp_path)


@pytest.fixture
async def db(backend: Backend) -> AsyncIterator[Database]:
    database = Database(backend.engine())
    yield database
    await database.close()


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    return tmp_path / "fleet.db"
