"""Connections that die without a word, and names with several addresses."""

from __future__ import annotations

import errno
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from forge_agent import transport
from forge_agent.transport import BoundedSocket, Connection, TransportError
from tests.integration.agent.fake_collector import FakeCollector
from tests.network.hosts import Host, two_hosts
from tests.process import PATIENCE_S, environment

JSON = {"Content-Type": "application/json"}
MANY_BYTES = bytes(32 * 1024 * 1024)  # more than the buffers of both ends take


@contextmanager
def deaf(certificate: Path | None = None) -> Iterator[str]:
    """A peer that agrees to everything and never reads; gives its URL."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        accepted: list[socket.socket] = []

        def accept() -> None:
            connection, _ = listener.accept()
            accepted.append(connection)
            if certificate is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate)
                accepted.append(context.wrap_socket(connection, server_side=True))

        thread = threading.Thread(target=accept)
        thread.start()
        scheme = "http" if certificate is None else "https"
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(PATIENCE_S)
        for connection in accepted:
            connection.close()


@pytest.mark.parametrize("with_tls", [False, True])
def test_sending_ends_in_time_when_nobody_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_tls: bool
) -> None:
    monkeypatch.setattr(transport, "REQUEST_TIMEOUT_S", 0.5)
    authority = trustme.CA()
    identity, ca_file = tmp_path / "identity.pem", tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(identity)
    with (
        deaf(identity if with_tls else None) as url,
        closing(Connection(url, ca_file=ca_file)) as connection,
        pytest.raises(TransportError) as caught,
    ):
        connection.post("/api/ingest/n1", MANY_BYTES, JSON)
    assert caught.value.timed_out


def test_after_an_abort_nothing_more_is_sent(collector: FakeCollector) -> None:
    with closing(Connection(collector.url)) as connection:
        connection.abort()
        with pytest.raises(TransportError, match="told to stop"):
            connection.post("/api/ingest/n1", b"{}", JSON)
    assert collector.pushes == []


def test_a_connection_that_was_idle_for_long_is_opened_anew(
    collector: FakeCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = addresses_tried(monkeypatch)
    with closing(Connection(collector.url)) as connection:
        connection.post("/", b"{}", JSON)
        connection.post("/", b"{}", JSON)
        assert len(opened) == 1
        monkeypatch.setattr(transport, "STALE_AFTER_S", 0.0)
        connection.post("/", b"{}", JSON)
    assert len(opened) == 2


def test_a_dead_address_leaves_time_for_the_others_and_comes_last_from_then_on(
    collector: FakeCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT_S", 0.6)
    alive = ("127.0.0.1", collector.port)
    with full_listener() as dead:
        resolves_to(monkeypatch, [dead, ("127.0.0.1", 9), alive])
        tried = addresses_tried(monkeypatch)
        with closing(Connection("http://collector.example")) as connection:
            assert connection.post("/", b"{}", JSON).status == 200
            assert tried == [dead, ("127.0.0.1", 9), alive]
            connection.close()
            assert connection.post("/", b"{}", JSON).status == 200
            assert tried[3:] == [alive]


def test_a_name_is_looked_up_at_each_connection(
    collector: FakeCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [("127.0.0.1", collector.port)]
    resolves_to(monkeypatch, addresses)
    with closing(Connection("http://collector.example")) as connection:
        assert connection.post("/", b"{}", JSON).status == 200
        moved = FakeCollector()
        try:
            collector.die()
            addresses[:] = [("127.0.0.1", moved.port)]
            assert connection.post("/", b"{}", JSON).status == 200
            assert len(moved.pushes) == 1
        finally:
            moved.die()


def resolves_to(monkeypatch: pytest.MonkeyPatch, addresses: list[tuple[str, int]]) -> None:
    """Let every name have these addresses."""
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_args, **_options: [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)
            for address in addresses
        ],
    )


def addresses_tried(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list that gets every address that is connected to from now on."""
    tried: list[Any] = []
    connect = BoundedSocket.connect

    def noted(self: BoundedSocket, address: Any) -> None:
        tried.append(address)
        connect(self, address)

    monkeypatch.setattr(BoundedSocket, "connect", noted)
    return tried


@contextmanager
def full_listener() -> Iterator[tuple[str, int]]:
    """An address at which connections are neither taken nor refused, as of a host that is gone."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            assert filler.connect_ex(listener.getsockname()) in {0, errno.EINPROGRESS}
        yield listener.getsockname()


# --- without a word -----------------------------------------------------------------------------

SERVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = str(self.client_address[1]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8750), Handler)
print("listening", flush=True)
server.serve_forever()
"""
CLIENT = """
import sys
from forge_agent import transport
transport.DEAD_AFTER_S = 1.0
connection = transport.Connection("http://10.87.0.2:8750")
for line in sys.stdin:
    print(connection.get("/").body.decode(), flush=True)
"""
# As a router does that has forgotten a connection: what belongs to it is lost, all else is not.
FORGET = """
table inet forget {{
  chain incoming {{ type filter hook input priority 0; tcp sport {port} drop; }}
}}
"""


@contextmanager
def program(host: Host, text: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*host.prefix, sys.executable, "-c", text],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


def test_a_connection_that_a_router_forgot_is_opened_anew_within_the_request() -> None:
    with two_hosts() as (here, there), program(there, SERVER) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "listening\n"
        with program(here, CLIENT) as client:
            first, second = asked(client), asked(client)
            assert first == second
            there.run("nft", "-f", "-", text=FORGET.format(port=first))
            assert asked(client) not in {"", first}


def asked(client: subprocess.Popen[str]) -> str:
    """Let the client ask; return the port that it asked from, as the server saw it."""
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write("go\n")
    client.stdin.flush()
    return client.stdout.readline().strip()
