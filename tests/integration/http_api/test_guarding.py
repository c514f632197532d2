"""What every answer carries, and whom a request must be addressed to and come from."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from forge_shared.messages import Tokens
from tests.integration.http_api.running import ADMIN, ADMIN_SECRET, Answer, Server, running
from tests.unit.fleet.manual_clock import ManualClock

PROMISED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def assert_secured(answer: Answer) -> None:
    for name, value in PROMISED.items():
        assert answer.headers.getall(name) == [value]  # type: ignore[attr-defined]
    (policy,) = answer.headers.getall("Content-Security-Policy")  # type: ignore[attr-defined]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "Access-Control-Allow-Origin" not in answer.headers


async def raw(server: Server, request: bytes) -> bytes:
    """Send these bytes; return all that comes back until the collector closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.collector.port)
    writer.write(request)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/healthz", {}, 200),
        ("GET", "/api/fleet", ADMIN, 200),
        ("GET", "/metrics", ADMIN, 200),
        ("GET", "/api/fleet", {}, 401),
        ("GET", "/nowhere", {}, 404),
        ("GET", "/api/nodes/unknown/snapshot", ADMIN, 404),
        ("PUT", "/api/fleet", ADMIN, 405),
        ("POST", "/api/tokens", ADMIN, 415),
        ("GET", "/healthz", {"Host": "evil.example"}, 421),
        ("POST", "/api/login", {"Origin": "http://evil.example"}, 403),
        ("OPTIONS", "/api/fleet", {"Origin": "http://evil.example"}, 405),
    ],
)
async def test_every_answer_is_secured(
    server: Server, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = await server.call(method, path, headers)
    assert answer.status == status
    assert_secured(answer)
    assert answer.headers["Cache-Control"] == "no-store"


async def test_the_page_is_secured(server: Server) -> None:
    answer = await server.call("GET", "/")
    assert answer.status in {200, 503}  # built or not
    assert_secured(answer)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:{port}", "localhost.", "127.0.0.1", "[::1]:{port}", "10.1.2.3"]
)
async def test_our_own_names_are_welcome(server: Server, host: str) -> None:
    host = host.replace("{port}", str(server.collector.port))
    assert (await server.call("GET", "/healthz", {"Host": host})).status == 200


async def test_the_machines_own_name_is_welcome(server: Server) -> None:
    name = socket.gethostname()
    for host in (name, name.upper(), f"{name.partition('.')[0]}.local"):
        assert (await server.call("GET", "/healthz", {"Host": host})).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:80", "127.0.0.1.nip.io", "[::1", "x" * 4000]
)
async def test_other_names_are_refused_and_told_how(server: Server, host: str) -> None:
    problem = (await server.call("GET", "/healthz", {"Host": host})).problem("unknown_host")
    assert "--allowed-host" in problem.detail
    assert len(problem.detail) < 400


async def test_an_allowed_host_is_welcome(tmp_path: Path, clock: ManualClock) -> None:
    async with running(tmp_path, clock, allowed_hosts=("Fleet.Example.org",)) as server:
        assert (
            await server.call("GET", "/healthz", {"Host": "fleet.example.ORG:443"})
        ).status == 200
        (await server.call("GET", "/healthz", {"Host": "example.org"})).problem("unknown_host")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", b"421"),
        (
            b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            b"400",
        ),
        (b"GET /healthz HTTP/1.1\r\nHost: \xff\xfe\r\nConnection: close\r\n\r\n", b"421"),
        (
            b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            b"421",
        ),
        (b"GET /healthz HTTP/1.0\r\n\r\n", b"200"),
    ],
)
async def test_odd_requests_are_no_way_around(
    server: Server, request_bytes: bytes, status: bytes
) -> None:
    assert (await raw(server, request_bytes)).split()[1] == status


async def test_a_write_with_a_cookie_comes_from_the_page(server: Server) -> None:
    session = await server.sign_in(secret=ADMIN_SECRET)
    good = server.with_session(session)
    wanted = {"node_id": "n1"}
    assert (await server.call("POST", "/api/tokens", good, json=wanted)).status == 201
    for origin in ("http://evil.example", "http://localhost:1", "null", "http://["):
        headers = server.with_session(session, origin=origin)
        (await server.call("POST", "/api/tokens", headers, json=wanted)).problem("cross_origin")
    without = {"Cookie": good["Cookie"]}
    (await server.call("POST", "/api/tokens", without, json=wanted)).problem("cross_origin")
    assert len((await server.get("/api/tokens")).as_(Tokens).tokens) == 1


async def test_reading_with_a_cookie_needs_no_origin(server: Server) -> None:
    session = await server.sign_in(secret=ADMIN_SECRET)
    headers = {"Cookie": f"{server.cookie}={session}"}
    assert (await server.call("GET", "/api/fleet", headers)).status == 200


async def test_a_foreign_page_signs_nobody_in(server: Server) -> None:
    headers = {"Origin": "http://evil.example"}
    answer = await server.call("POST", "/api/login", headers, json={"secret": ADMIN_SECRET})
    answer.problem("cross_origin")
    assert "Set-Cookie" not in answer.headers
