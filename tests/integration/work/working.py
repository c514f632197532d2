"""Real workers for real collectors: started, asked for jobs, and ended by pid."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psutil

from tests.process import PATIENCE_S, Client, environment, wait_for

PLUGINS = Path(__file__).parent / "plugins"
ALLOWED = {"enabled": True, "when": "always", "on_battery": True, "free_memory_mib": 0}


class Jobs:
    """Submits jobs of the type `steps` for one node, and looks at them."""

    def __init__(self, admin: Client, node_id: str) -> None:
        self._admin = admin
        self._node_id = node_id

    def submit(self, payload: Mapping[str, object], **more: object) -> str:
        wanted = {"type": "steps", "requires": {"node": self._node_id}, "payload": payload, **more}
        reply = self._admin.send("POST", "/api/jobs", wanted)
        assert reply.status == 201, reply
        job_id: str = reply.json()["id"]
        return job_id

    def look(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._admin.get(f"/api/jobs/{job_id}")
        return found

    def until(self, job_id: str, status: str) -> dict[str, Any]:
        def seen() -> dict[str, Any] | None:
            job = self.look(job_id)
            return job if job["status"] == status else None

        return wait_for(seen, f"job {job_id} to be {status}, it is {self.look(job_id)}")

    def until_it_gets_on(self, job_id: str) -> None:
        """Wait until its program runs and has told how far it is."""
        wait_for(lambda: "progress" in self.look(job_id), "progress")

    def cancel(self, job_id: str) -> None:
        reply = self._admin.send("POST", f"/api/jobs/{job_id}/cancel")
        assert reply.status == 200, reply


def outcomes(job: Mapping[str, Any]) -> list[str | None]:
    return [attempt.get("outcome") for attempt in job["attempts"]]


class Asked(Protocol):
    """A collector, or what is in its place."""

    @property
    def url(self) -> str: ...

    def mint(self, **wanted: str) -> str: ...


class RunningWorker:
    """A worker of a node, whose state outlives it. ``command``: `worker`, or `run` which starts
    one. Another ``url`` than the collector's: what is in between."""

    def __init__(
        self,
        collector: Asked,
        node_id: str,
        folder: Path,
        *,
        command: str = "worker",
        url: str = "",
        allowed: Mapping[str, object] | None = ALLOWED,
        plugins: Path = PLUGINS,
    ) -> None:
        self.state = folder / "state"
        self.state.mkdir(parents=True)
        self._folder = folder
        self._command = command
        self._env = environment(
            NODE_ID=node_id,
            CENTRAL_URL=url or collector.url,
            BEARER_TOKEN=collector.mint(node_id=node_id),
            FORGE_STATE_DIR=str(self.state),
            FORGE_PLUGINS=str(plugins),
            XDG_CONFIG_HOME=str(folder),
            XDG_STATE_HOME=str(folder),
        )
        if allowed is not None:
            self.allow(**allowed)
        self.process: subprocess.Popen[bytes]

    def set(self, **settings: str) -> None:
        """Change settings, for the next start."""
        self._env |= settings

    def start(self, *options: str) -> None:
        with (self._folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "forge_agent", self._command, *options],
                env=self._env,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def allow(self, **allowed: object) -> None:
        draft = self.state / "work.json.draft"
        draft.write_text(json.dumps(allowed))
        draft.replace(self.state / "work.json")

    def work(self, *words: str, expected: int = 0) -> str:
        """Run `forge-agent work`, as the machine's owner does."""
        done = subprocess.run(
            [sys.executable, "-m", "forge_agent", "work", *words],
            env=self._env,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == expected, done
        return done.stdout + done.stderr

    def events(self, name: str) -> list[dict[str, Any]]:
        text = (self._folder / "agent.log").read_text()
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def said(self, name: str, *, times: int = 1) -> dict[str, Any]:
        wait_for(lambda: len(self.events(name)) >= times, f"the agent to say {name}")
        return self.events(name)[-1]

    def note(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.state / "work" / "status.json").read_bytes())
        return found

    def is_online(self) -> bool:
        """Whether it has noted that the collector knows it; at first it has noted nothing."""
        try:
            return bool(self.note()["online"])
        except FileNotFoundError:
            return False

    def family(self) -> list[psutil.Process]:
        """Return what it has started for work: `run` asks for the processor's name as well."""
        started = psutil.Process(self.process.pid).children()
        workers = [one for one in started if "worker" in _command_line(one)]
        if self._command == "worker":
            return psutil.Process(self.process.pid).children(recursive=True)
        return [*workers, *(one for worker in workers for one in worker.children(recursive=True))]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def stop(self) -> float:
        """Ask it to stop; return how many seconds that took."""
        asked_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) == 0
        return time.monotonic() - asked_s


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextmanager
def ended(worker: RunningWorker) -> Iterator[RunningWorker]:
    """A worker that is started, and ended when the block is left."""
    worker.start()
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.process.terminate()
            try:
                worker.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                worker.kill()
                raise
