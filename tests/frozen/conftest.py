from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.frozen import building
from tests.frozen.building import Frozen


@pytest.fixture(scope="session")
def frozen(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Frozen:
    """The builds in FROZEN_AGENT, where that is set; else those of the sources as they are."""
    given = os.environ.get("FROZEN_AGENT")
    if given is not None:
        return building.given(Path(given), tmp_path_factory.mktemp("frozen"))
    cache = pytestconfig.cache
    assert cache is not None
    return building.built(cache.mkdir("frozen-agent"))


@pytest.fixture(params=["single", "folder"])
def program(request: pytest.FixtureRequest, frozen: Frozen) -> Path:
    """Each test with this runs with both builds."""
    kind: str = request.param
    return frozen.by_name(kind)
