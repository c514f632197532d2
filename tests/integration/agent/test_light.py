"""What `forge-agent run` may hold in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.agent.fake_collector import FakeCollector
from tests.integration.agent.running import TOKEN
from tests.process import environment

FORBIDDEN = {
    *("asyncio", "aiohttp", "structlog", "click", "rich", "nacl", "zeroconf", "msgspec", "orjson"),
    *("cpuinfo", "multiprocessing", "logging", "dataclasses", "inspect", "uuid", "ssl", "_ssl"),
    *("hashlib", "tomllib", "encodings.idna", "concurrent", "forge_collector"),
}

# The real command, asked to stop after some seconds; then it tells what it has imported.
PROGRAM = """
import json, os, signal, sys, threading
from forge_agent.cli import main
threading.Timer(3, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
code = main(["run", "--node-id", "n1", "--state-dir", "state"])
print(json.dumps({"code": code, "modules": sorted(sys.modules), "none": sorted(
    name for name, module in sys.modules.items() if module is None)}))
"""


@pytest.mark.parametrize("installed", [False, True], ids=["alone", "by the launcher"])
def test_run_holds_none_of_the_heavy_modules(
    *, installed: bool, collector: FakeCollector, tmp_path: Path
) -> None:
    env = {"FORGE_PROGRAM_DIR": str(tmp_path)} if installed else {}
    program = subprocess.run(
        # -I: without the test's own path; -S would lose the installed packages.
        [sys.executable, "-I", "-c", PROGRAM],
        env=environment(CENTRAL_URL=collector.url, BEARER_TOKEN=TOKEN, HOME=str(tmp_path), **env),
        cwd=tmp_path,
        capture_output=True,
        timeout=30,
        check=True,
    )
    told = json.loads(program.stdout)
    assert told["code"] == 0
    assert len(collector.pushes) >= 2
    loaded = set(told["modules"])
    assert FORBIDDEN & (loaded | {name.split(".")[0] for name in loaded}) == set()
    assert "http.client" in loaded
    assert told["none"] == []  # nothing is left in ssl's place
