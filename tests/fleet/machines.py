"""A collector and machines that work for it, each of which can end at any moment."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from tests.fleet.line import Line
from tests.fleet.watch import Program
from tests.integration.work.working import ALLOWED, RunningWorker
from tests.process import CollectorProcess, start_collector

ROOT: Final = Path(__file__).parents[2]
_SHORT_LEASES: Final = Path(__file__).with_name("short_leases.py")
_OF_THE_AGENT: Final = ROOT / "agent" / "plugins"
_FOR_TESTS: Final = Path(__file__).with_name("plugins")
_STOP_S: Final = 30.0


def plugins(folder: Path) -> Path:
    """Copy the plugins, to be tried again after a second: a crash costs the others ten."""
    for source in (_OF_THE_AGENT, _FOR_TESTS):
        shutil.copytree(source, folder, dirs_exist_ok=True)
    folder.chmod(0o755)
    for manifest in folder.glob("*/plugin.toml"):
        lines = [line for line in manifest.read_text().splitlines() if "backoff_s" not in line]
        version = next(number for number, line in enumerate(lines) if line.startswith("version"))
        lines.insert(version, "backoff_s = 1")
        manifest.write_text("\n".join(lines) + "\n")
    return folder


@dataclass
class Silence:
    """A time in which a machine may not have been heard, in Unix s."""

    node_id: str
    since: float
    until: float = math.inf

    def end(self) -> None:
        self.until = time.time()


class Machine:
    """One of the fleet. ``command``: `worker`, or `run` which starts one."""

    def __init__(
        self, collector: CollectorProcess, node_id: str, folder: Path, plugins: Path, command: str
    ) -> None:
        self.node_id = node_id
        self.line = Line(collector.port)
        self.command = command
        self._worker = RunningWorker(
            collector, node_id, folder, command=command, url=self.line.url, plugins=plugins
        )
        self.state = self._worker.state
        self.log = folder / "agent.log"
        self._worker.start()

    @property
    def runs(self) -> bool:
        return self._worker.process.poll() is None

    @property
    def pid(self) -> int:
        return self._worker.process.pid

    def start(self) -> None:
        if not self.runs:
            self._worker.start()

    def kill(self) -> None:
        if self.runs:
            self._worker.kill()

    def kill_its_worker(self) -> bool:
        """Kill what `run` has started; it starts another."""
        if not self.runs:
            return False
        for child in psutil.Process(self.pid).children():
            try:
                if "worker" in child.cmdline():
                    child.kill()
                    return True
            except psutil.Error:
                continue
        return False

    def pause(self, seconds: float) -> None:
        """Be wanted by its owner for so long."""
        self._worker.allow(**ALLOWED, paused_until=int((time.time() + seconds) * 1000))

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        if self.runs:
            self._worker.process.terminate()
        try:
            return self._worker.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._worker.kill()
            return -1

    def close(self) -> None:
        self.kill()
        self.line.close()


class Fleet:
    """All of it, in one folder."""

    def __init__(self, folder: Path, *, workers: int, agents: int, lease_ttl_s: int) -> None:
        """``agents``: how many of the workers are started by an agent, as on a real machine."""
        self.folder = folder
        self.lease_ttl_s = lease_ttl_s
        self.data = folder / "data"
        self._prefix = (sys.executable, str(_SHORT_LEASES), str(lease_ttl_s))
        self.collector = start_collector(self.data, prefix=self._prefix)
        self.port = self.collector.port
        self.logs = [self.collector.log_path]
        self.silences: list[Silence] = []
        self.shots: list[str] = []  # jobs whose program, or its keeper, was killed
        self.machines: list[Machine] = []
        copied = plugins(folder / "plugins")
        for number in range(workers):
            command = "run" if number < agents else "worker"
            node_id = f"n{number + 1}"
            self.machines.append(
                Machine(self.collector, node_id, folder / node_id, copied, command)
            )

    @property
    def node_ids(self) -> Sequence[str]:
        return [machine.node_id for machine in self.machines]

    def restart_collector(self, down_s: float) -> None:
        """Kill it as a power cut would, and start it again after a while."""
        self.collector.kill()
        time.sleep(down_s)
        number = len(self.logs) + 1
        self.collector = start_collector(
            self.data,
            *("--port", str(self.port)),
            prefix=self._prefix,
            log_path=self.folder / f"data-{number}.log",
        )
        self.logs.append(self.collector.log_path)

    def silence(self, machine: Machine) -> Silence:
        """Note that something happens to a machine, until the silence is ended."""
        self.silences.append(Silence(machine.node_id, time.time()))
        return self.silences[-1]

    def shoot(self, program: Program, *, at_keeper: bool) -> None:
        """Kill a job's program, or the process that watches over it."""
        self.shots.append(program.job_id)
        try:
            psutil.Process(program.keeper if at_keeper else program.pid).kill()
        except psutil.Error:
            return  # it was faster; what was noted may be too much, never too little

    def close(self) -> None:
        for machine in self.machines:
            machine.close()
        if self.collector.process.poll() is None:
            self.collector.kill()
