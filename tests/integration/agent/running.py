"""Starts real agents against a fake collector; they are ended by pid when the test is over."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.agent.fake_collector import FakeCollector, Push
from tests.process import PATIENCE_S, environment, wait_for

TOKEN = "a-token-for-tests"


class RunningAgent:
    """A real agent process; its state folder and log outlive it, so that it can start again."""

    def __init__(self, collector: FakeCollector, folder: Path, *options: str, **env: str) -> None:
        self.collector = collector
        self.folder = folder
        self.state = folder / "state"
        self.log_path = folder / "agent.log"
        self.options = options
        self.env = env
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "forge_agent", "run", "--node-id", "n1"),
                    *("--state-dir", str(self.state)),
                    *self.options,
                ],
                env=environment(
                    CENTRAL_URL=self.collector.url,
                    BEARER_TOKEN=TOKEN,
                    XDG_CONFIG_HOME=str(self.folder),
                    **self.env,
                ),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log_path.read_text().splitlines()]
        return [line for line in lines if line["event"] == name]

    def said(self, name: str, *, times: int = 1) -> dict[str, Any]:
        """Wait until it has said so, and return what it said."""
        wait_for(lambda: len(self.events(name)) >= times, f"the agent to say {name}")
        return self.events(name)[-1]

    def pushed(self, more: int = 1) -> list[Push]:
        """Wait for so many more pushes and return all."""
        return until_pushed(self.collector, lambda pushes: len(pushes) >= more, since=True)

    def spool_files(self) -> list[Path]:
        return sorted((self.state / "spool").glob("*.ndjson"))

    def spooled_seqs(self) -> list[int]:
        """Return the seqs of the whole lines in the spool."""
        content = b"".join(path.read_bytes() for path in self.spool_files())
        whole = content[: content.rfind(b"\n") + 1]
        return [json.loads(line)["seq"] for line in whole.splitlines()]

    def spools(self, count: int) -> None:
        wait_for(lambda: len(self.spooled_seqs()) >= count, f"{count} snapshots in the spool")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def stop(self) -> float:
        """Ask it to stop; return how many seconds that took."""
        asked_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) == 0
        return time.monotonic() - asked_s


def until_pushed(
    collector: FakeCollector, enough: Callable[[list[Push]], bool], *, since: bool = False
) -> list[Push]:
    """Wait until the pushes are enough: all of them, or those from now on."""
    start = len(collector.pushes) if since else 0
    wait_for(lambda: enough(collector.pushes[start:]), "pushes")
    return list(collector.pushes)
