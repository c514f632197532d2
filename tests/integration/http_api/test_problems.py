"""Errors: one shape, a stable code, a status that belongs to it, and nothing of our insides."""

from __future__ import annotations

import re

import aiohttp
import pytest

from forge_collector.db import DatabaseError, OverloadedError, StorageFullError
from forge_collector.fleet.live import LiveFleet
from forge_collector.http.problems import KINDS, ProblemError
from tests.integration.http_api.running import ADMIN, Server, read_problem


@pytest.mark.parametrize("code", KINDS)
def test_every_kind_answers_with_its_status(code: str) -> None:
    response = ProblemError(code, "What to do.").response()
    assert response.status == KINDS[code].status
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    assert KINDS[code].title
    assert 400 <= KINDS[code].status < 600


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nowhere", "not_found"),
        ("GET", "/api/", "not_found"),
        ("GET", "/api/fleet/", "not_found"),
        ("GET", "/assets/../../etc/passwd", "not_found"),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", "not_found"),
        ("POST", "/api/nodes/n1", "method_not_allowed"),
        ("PUT", "/api/fleet", "method_not_allowed"),
        ("TRACE", "/api/fleet", "method_not_allowed"),
        ("POST", "/", "method_not_allowed"),
    ],
)
async def test_what_is_not_there_is_a_problem(
    server: Server, method: str, path: str, code: str
) -> None:
    answer = await server.call(method, path, ADMIN)
    answer.problem(code)
    if code == "method_not_allowed":
        assert answer.headers["Allow"]


async def test_a_fault_of_ours_shows_nothing_of_its_insides(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: LiveFleet) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(LiveFleet, "nodes", fail)
    answer = await server.get("/api/fleet")
    answer.problem("internal")
    assert answer.status == 500
    for inside in (b"swordfish", b"RuntimeError", b"Traceback", b".py"):
        assert inside not in answer.body
    assert (await server.get("/healthz")).status == 200


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OverloadedError("20000 units wait"), "overloaded"),
        (StorageFullError("database or disk is full"), "storage_full"),
        (DatabaseError("disk I/O error (SQLITE_IOERR)"), "storage_failed"),
    ],
)
async def test_a_store_that_fails_is_said_and_when_to_come_back(
    server: Server, monkeypatch: pytest.MonkeyPatch, error: DatabaseError, code: str
) -> None:
    token = await server.node()

    async def write(_unit: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(server.collector.db, "write", write)
        answer = await server.push(token)
        answer.problem(code)
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert b"SQLITE" not in answer.body
    assert (await server.push(token)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer \udcff\udcfe"},
        {"Cookie": "\udcff=\udcfe; forge_session_1"},
        {"Origin": "http://[", "Content-Type": "\udcff"},
        {"Content-Type": ";;;=", "Authorization": "Bearer"},
        {"Last-Event-ID": "\udcff", "Forge-Sent-At": "\udcff"},
        {"Accept": "\udcff", "Range": "bytes=9-1", "If-Modified-Since": "never"},
    ],
)
async def test_odd_headers_make_no_fault(server: Server, headers: dict[str, str]) -> None:
    for route in server.collector.routes():
        if route.streams:
            continue
        path = re.sub(r"\{\w+\}", "x", route.path)
        try:
            answer = await server.call(route.method, path, {**ADMIN, **headers})
        except aiohttp.ClientConnectionError:  # refused before it was read as a request at all
            continue
        assert answer.status < 500, (route.method, path)
        if answer.status >= 400 and answer.headers["Content-Type"] != "text/plain; charset=utf-8":
            read_problem(answer)
