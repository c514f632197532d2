from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forge_shared import signatures
from forge_shared.signatures import KeyPair
from tests.integration.update.program import Service, make_program_dir
from tests.process import CollectorProcess, running_collector

StartService = Callable[..., Service]


@pytest.fixture(scope="module")
def keys() -> KeyPair:
    return signatures.make_keys()


@pytest.fixture(scope="module")
def offered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder whose release the collector serves."""
    return tmp_path_factory.mktemp("releases")


@pytest.fixture(scope="module")
def collector(
    tmp_path_factory: pytest.TempPathFactory, offered: Path
) -> Iterator[CollectorProcess]:
    data = tmp_path_factory.mktemp("collector") / "data"
    with running_collector(data, "--releases", str(offered)) as started:
        yield started


@pytest.fixture
def program_dir(tmp_path: Path) -> Path:
    return make_program_dir(tmp_path / "program")


@pytest.fixture(scope="module")
def start_service() -> Iterator[StartService]:
    """Start services with ``start_service(program_dir, collector, node_id, **environment)``; they
    run until the module's tests are over."""
    started: list[Service] = []

    def start(program_dir: Path, collector: CollectorProcess, node_id: str, **env: str) -> Service:
        service = Service(program_dir, collector, node_id, **env)
        started.append(service)
        return service

    try:
        yield start
    finally:
        for service in started:
            service.stop()
