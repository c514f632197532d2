"""Starts real collector processes, speaks HTTP to them, and ends them, and nothing else, by pid."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

ADMIN_SECRET = "an admin secret for tests alone, 0123456789"
PATIENCE_S = 20.0
_POLL_S = 0.02

T = TypeVar("T")


def wait_for(
    look: Callable[[], T | None],
    what: str,
    *,
    patience_s: float = PATIENCE_S,
    every_s: float = _POLL_S,
) -> T:
    """Look until there is something to see, and return it; fail when it takes too long."""
    until = time.monotonic() + patience_s
    while (seen := look()) is None or seen is False:
        assert time.monotonic() < until, f"waited {patience_s} s for {what}"
        time.sleep(every_s)
    return seen


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One keep-alive connection to a collector, with a bearer token. ``ca_file``: over TLS, with
    certificates of this authority alone."""

    def __init__(self, port: int, token: str = ADMIN_SECRET, ca_file: Path | None = None) -> None:
        self._connection = _connection("127.0.0.1", port, ca_file)
        self._authorization = f"Bearer {token}"

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send bytes as they are, and anything else as JSON; raises what http.client does."""
        all_headers = {"Authorization": self._authorization, **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            all_headers.setdefault("Content-Type", "application/json")
        self._connection.request(method, path, body, all_headers)
        reply = self._connection.getresponse()
        return Reply(reply.status, dict(reply.headers), reply.read())

    def get(self, path: str) -> Any:
        reply = self.send("GET", path)
        assert reply.status == 200, reply
        return reply.json()

    def push(self, node_id: str, snapshot: Mapping[str, object], **headers: str) -> Reply:
        return self.send("POST", f"/api/ingest/{node_id}", snapshot, headers)

    def replay(self, node_id: str, snapshots: Sequence[Mapping[str, object]]) -> Reply:
        body = "\n".join(json.dumps(snapshot) for snapshot in snapshots).encode()
        return self.send(
            "POST", f"/api/ingest/{node_id}", body, {"Content-Type": "application/x-ndjson"}
        )

    def begin(self, method: str, path: str, *, length: int, part: bytes) -> None:
        """Send a request whose body never comes whole."""
        self._connection.putrequest(method, path)
        self._connection.putheader("Authorization", self._authorization)
        self._connection.putheader("Content-Type", "application/json")
        self._connection.putheader("Content-Length", str(length))
        self._connection.endheaders(part)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _connection(host: str, port: int, ca_file: Path | None) -> http.client.HTTPConnection:
    if ca_file is None:
        return http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
    context = ssl.create_default_context(cafile=ca_file)
    return http.client.HTTPSConnection(host, port, timeout=PATIENCE_S, context=context)


@dataclass
class CollectorProcess:
    """A running collector; ``port`` is what it says it listens on. One that was started with
    ``--tls auto`` is spoken to over TLS, and verified."""

    process: subprocess.Popen[bytes]
    data: Path
    log_path: Path
    port: int = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def ca_file(self) -> Path | None:
        own = self.data / "tls" / "ca.pem"
        return own if own.exists() else None

    @property
    def url(self) -> str:
        return f"{'https' if self.ca_file else 'http'}://127.0.0.1:{self.port}"

    def log(self) -> list[dict[str, Any]]:
        """Return what it has logged since it started; lines that are no JSON are left out."""
        lines = self.log_path.read_bytes().splitlines()
        return [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"}")]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if line.get("event") == name]

    def client(self, token: str = ADMIN_SECRET) -> Client:
        return Client(self.port, token, self.ca_file)

    def mint(self, **wanted: str) -> str:
        """Return a new token: ``node_id=…``, or ``role=…`` and ``name=…``."""
        with self.client() as admin:
            reply = admin.send("POST", "/api/tokens", wanted)
        assert reply.status == 201, reply
        token: str = reply.json()["token"]
        return token

    def node(self, node_id: str) -> dict[str, Any]:
        """Return a node as GET /api/fleet lists it."""
        with self.client() as admin:
            nodes = admin.get("/api/fleet")["nodes"]
        found: dict[str, Any] = next(node for node in nodes if node["id"] == node_id)
        return found

    def stop(self, *, patience_s: float = PATIENCE_S) -> int:
        """Ask it to stop, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience_s)

    def kill(self) -> None:
        """End it as a power cut would, short of the disk's own cache."""
        self.process.kill()
        self.process.wait(PATIENCE_S)


def serve_command(data: Path, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "forge_collector", "serve"),
        *("--port", "0", "--data", str(data), "--no-local-agent"),
        *options,
    ]


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without the settings of a collector or an agent."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FORGE_") and name not in {"NODE_ID", "CENTRAL_URL", "BEARER_TOKEN"}
    }
    return {**ours, "ADMIN_SECRET": ADMIN_SECRET, **extra}


def start_collector(
    data: Path, *options: str, prefix: Sequence[str] = (), log_path: Path | None = None
) -> CollectorProcess:
    """Start a collector and wait until it listens. ``prefix``: a command to run it under, which
    must keep its pid. The log is ``DATA.log``, begun anew."""
    log_path = log_path or data.with_suffix(".log")
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [*prefix, *serve_command(data, *options)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            # aiohttp reads all the authorities there are as it is imported, a tenth of the start. A
            # collector asks nobody whom they would vouch for.
            env=environment(SSL_CERT_FILE=os.devnull),
        )
    collector = CollectorProcess(process, data, log_path)
    try:
        collector.port = wait_for(lambda: _port_of(collector), "the collector to listen")
    except BaseException:
        collector.kill()
        raise
    return collector


def _port_of(collector: CollectorProcess) -> int | None:
    listening = collector.events("listening")
    if listening:
        return int(listening[-1]["port"])
    ended = collector.process.poll()
    assert ended is None, f"it ended with {ended}: {collector.log_path.read_text()}"
    return None


@contextmanager
def running_collector(
    data: Path, *options: str, prefix: Sequence[str] = (), log_path: Path | None = None
) -> Iterator[CollectorProcess]:
    """A collector that runs until the block is left, if it was not ended before."""
    collector = start_collector(data, *options, prefix=prefix, log_path=log_path)
    try:
        yield collector
    finally:
        if collector.process.poll() is None:
            try:
                collector.stop()
            except subprocess.TimeoutExpired:
                collector.kill()
                raise
