"""What the command line holds before a command needs more: it would add half a second to each."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("modules", "not_held"),
    [
        ("forge_collector.cli", {"aiohttp", "numpy", "structlog", "orjson", "jsonschema"}),
        ("forge_collector.cli, forge_collector.listening", {"aiohttp", "numpy", "structlog"}),
        ("forge_collector.cli, forge_collector.backup.taking", {"aiohttp", "jsonschema"}),
        ("forge_collector.cli, forge_collector.backup.restoring", {"aiohttp", "jsonschema"}),
    ],
)
def test_nothing_is_there_before_it_is_needed(modules: str, not_held: set[str]) -> None:
    look = f"import sys, {modules}; print(*{not_held} & set(sys.modules))"
    said = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, timeout=20, check=True
    )
    assert said.stdout.split() == []
