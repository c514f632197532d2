"""A collector on one host and an agent on the other, as real processes."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from tests.network.hosts import Host
from tests.process import (
    PATIENCE_S,
    Client,
    CollectorProcess,
    environment,
    start_collector,
    wait_for,
)

PORT: Final = 8750
_RELAY: Final = Path(__file__).with_name("relay.py")


class Collector:
    """A collector that other hosts reach. ``admin`` speaks to it from outside of its network."""

    def __init__(self, host: Host, data: Path, socket_path: Path, options: Sequence[str]) -> None:
        self.host = host
        self._data = data
        self._socket_path = socket_path
        self._options = options
        self._log_number = 0
        self.process: CollectorProcess
        self.start()

    def start(self) -> None:
        self._log_number += 1
        self.process = start_collector(
            self._data,
            *("--host", "0.0.0.0", "--port", str(PORT)),  # noqa: S104  of its own network alone
            *self._options,
            prefix=self.host.prefix,
            log_path=self._data.with_suffix(f".{self._log_number}.log"),
        )

    def admin(self) -> Client:
        return _UnixClient(self._socket_path, self.process.ca_file)

    def invite(self) -> str:
        """Return a join string for one machine."""
        with self.admin() as admin:
            minted = admin.send("POST", "/api/invites", {})
        assert minted.status == 201, minted
        return str(minted.json()["join_string"])

    def node(self, node_id: str) -> dict[str, Any] | None:
        with self.admin() as admin:
            nodes: list[dict[str, Any]] = admin.get("/api/fleet")["nodes"]
        return next((node for node in nodes if node["id"] == node_id), None)

    def is_online(self, node_id: str) -> bool:
        node = self.node(node_id)
        return node is not None and node["status"] == "online"

    def heard_anew(self, node_id: str, *, patience_s: float = PATIENCE_S) -> None:
        """Wait until the node is heard again from now on."""
        before = self.node(node_id)

        def heard() -> bool:
            node = self.node(node_id)
            return node is not None and (before is None or node["last_seen"] > before["last_seen"])

        wait_for(heard, f"{node_id} to be heard", patience_s=patience_s)

    def seqs(self, node_id: str) -> list[int]:
        """Return the seqs of all that is stored of a node, in the order of their time."""
        uri = f"file:{self._data / 'fleet.db'}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
            rows = database.execute(
                "SELECT seq FROM snapshots JOIN boots USING (boot) WHERE node_id = ? ORDER BY ts",
                [node_id],
            ).fetchall()
        return [seq for (seq,) in rows]


class Agent:
    """An agent on a host; its state folder and log outlive it."""

    def __init__(self, host: Host, folder: Path, *options: str, **env: str) -> None:
        self._log_path = folder / "agent.log"
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *host.prefix,
                    *(sys.executable, "-m", "forge_agent", "run"),
                    *("--state-dir", str(folder / "state"), *options),
                ],
                env=environment(XDG_CONFIG_HOME=str(folder), **env),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._log_path.read_text().splitlines()]
        return [line for line in lines if line["event"] == name]

    def said(self, name: str, *, times: int = 1, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        wait_for(
            lambda: len(self.events(name)) >= times,
            f"the agent to say {name}",
            patience_s=patience_s,
        )
        return self.events(name)[-1]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(PATIENCE_S)


class _UnixClient(Client):
    def __init__(self, path: Path, ca_file: Path | None) -> None:
        super().__init__(PORT)
        self._connection = _UnixConnection(path, ca_file)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, ca_file: Path | None) -> None:
        super().__init__("127.0.0.1", PORT, timeout=PATIENCE_S)
        self._path = path
        self._ca_file = ca_file

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(str(self._path))
        if self._ca_file is not None:
            context = ssl.create_default_context(cafile=self._ca_file)
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)


@contextmanager
def relay(host: Host, listen: str, target: str, delay_ms: int = 0) -> Iterator[None]:
    """A relay that runs on a host until the block is left."""
    process = subprocess.Popen(
        [*host.prefix, sys.executable, str(_RELAY), listen, target, str(delay_ms)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment(),
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"listening\n"
        yield
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


@contextmanager
def running_collector(host: Host, folder: Path, *options: str) -> Iterator[Collector]:
    with ExitStack() as stack:
        socket_path = folder / "admin.sock"
        stack.enter_context(relay(host, str(socket_path), f"127.0.0.1:{PORT}"))
        collector = Collector(host, folder / "data", socket_path, options)
        try:
            yield collector
        finally:
            if collector.process.process.poll() is None:
                collector.process.stop()


@contextmanager
def running_agent(host: Host, folder: Path, *options: str, **env: str) -> Iterator[Agent]:
    folder.mkdir(exist_ok=True)
    agent = Agent(host, folder, *options, **env)
    try:
        yield agent
    finally:
        agent.stop()


def settings(collector: Collector, url: str, node_id: str = "n1") -> dict[str, str]:
    """Return an agent's settings, with a token minted for it; it pushes every second."""
    with collector.admin() as admin:
        token = admin.send("POST", "/api/tokens", {"node_id": node_id}).json()["token"]
    return {
        "NODE_ID": node_id,
        "CENTRAL_URL": url,
        "BEARER_TOKEN": token,
        "FORGE_INTERVAL_S": "1",
    }


def rest(seconds: float) -> None:
    """Let time go by in which something must, or must not, happen."""
    time.sleep(seconds)
