"""Two real agents on one token, as after a disk was cloned, at a real collector whose clock the
test moves."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from forge_shared.messages import Fleet, Status
from tests.integration.http_api.running import Server, running, until
from tests.process import PATIENCE_S, environment
from tests.unit.fleet.manual_clock import ManualClock

# The collector's clock runs faster than the agents': a push a second is one every 8 s to it.
STEP_S = 0.1
STEP_MS = 800


class Machine:
    """An agent with a folder of its own."""

    def __init__(self, folder: Path, url: str, token: str) -> None:
        self.folder = folder
        self._url = url
        self._token = token
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "forge_agent", "run", "--node-id", "n1"),
                    *("--interval", "1", "--state-dir", str(self.folder / "state")),
                ],
                env=environment(CENTRAL_URL=self._url, BEARER_TOKEN=self._token),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def clone(self, folder: Path) -> Machine:
        shutil.copytree(self.folder / "state", folder / "state")
        return Machine(folder, self._url, self._token)

    async def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            await asyncio.to_thread(self._process.wait, PATIENCE_S)

    @property
    def boot_id(self) -> str:
        """Of the agent that started last."""
        lines = [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]
        return [str(line["boot_id"]) for line in lines if line["event"] == "started"][-1]


@asynccontextmanager
async def passing_time(clock: ManualClock) -> AsyncIterator[None]:
    async def pass_time() -> None:
        while True:
            await asyncio.sleep(STEP_S)
            clock.advance(STEP_MS)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(pass_time())
        try:
            yield
        finally:
            task.cancel()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def server(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Server]:
    async with running(tmp_path, clock) as started, passing_time(clock):
        yield started


def live_boots(server: Server) -> dict[str, str]:
    with closing(sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)) as store:
        return dict(store.execute("SELECT id, live_boot_id FROM nodes").fetchall())


async def test_a_cloned_disk_gets_a_card_of_its_own_and_keeps_it(
    server: Server, tmp_path: Path
) -> None:
    token = (await server.mint(node_id="n1")).token
    first = Machine(tmp_path / "first", server.url, token)
    first.start()
    try:
        await until(lambda: "n1" in live_boots(server), PATIENCE_S)
        second = first.clone(tmp_path / "second")
        second.start()
        try:
            await until(lambda: len(live_boots(server)) == 2, PATIENCE_S)
            assert live_boots(server) == {"n1": first.boot_id, "n1.2": second.boot_id}
            nodes = (await server.get("/api/fleet")).as_(Fleet).nodes
            assert {(node.id, node.shares_token_of) for node in nodes} == {
                ("n1", "n1"),
                ("n1.2", "n1"),
            }

            before = second.boot_id
            await second.stop()
            second.start()
            await until(lambda: live_boots(server).get("n1.2") not in {before, None}, PATIENCE_S)

            async def both_are_well() -> bool:
                nodes = (await server.get("/api/fleet")).as_(Fleet).nodes
                return {(node.id, node.status) for node in nodes} == {
                    ("n1", Status.ONLINE),
                    ("n1.2", Status.ONLINE),
                }

            await until(both_are_well, PATIENCE_S)
            assert live_boots(server) == {"n1": first.boot_id, "n1.2": second.boot_id}
        finally:
            await second.stop()
    finally:
        await first.stop()
