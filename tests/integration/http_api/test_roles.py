"""Every route with every kind of caller: who gets in follows from the route table alone."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest

from forge_collector.http.routing import Route
from forge_shared.messages import Role
from tests.integration.http_api.running import ADMIN, Answer, Headers, Server, bearer, read_problem

NODE_ID = "n1"


async def nobody(_server: Server) -> Headers:
    return {}


async def own_node(server: Server) -> Headers:
    return await server.node(NODE_ID)


async def foreign_node(server: Server) -> Headers:
    return await server.node("another")


async def submitter(server: Server) -> Headers:
    return await server.submitter()


async def viewer(server: Server) -> Headers:
    return await server.viewer()


async def minted_admin(server: Server) -> Headers:
    return bearer((await server.mint(role="admin", name="an admin")).token)


async def admin_secret(_server: Server) -> Headers:
    return ADMIN


async def submitter_session(server: Server) -> Headers:
    token = await server.mint(role="submitter", name="a submitter")
    return server.with_session(await server.sign_in(secret=token.token))


async def viewer_session(server: Server) -> Headers:
    token = await server.mint(role="viewer", name="a viewer")
    return server.with_session(await server.sign_in(secret=token.token))


async def admin_session(server: Server) -> Headers:
    return server.with_session(await server.sign_in(secret=ADMIN["Authorization"][7:]))


async def revoked_token(server: Server) -> Headers:
    token = await server.mint(role="admin", name="a former admin")
    assert (await server.call("DELETE", f"/api/tokens/{token.id}", ADMIN)).status == 204
    return bearer(token.token)


async def ended_session(server: Server) -> Headers:
    headers = await admin_session(server)
    assert (await server.call("DELETE", "/api/session", headers)).status == 204
    return headers


async def session_as_token(server: Server) -> Headers:
    return bearer(await server.sign_in(secret=ADMIN["Authorization"][7:]))


async def token_as_session(server: Server) -> Headers:
    return server.with_session((await server.mint(role="admin", name="an admin")).token)


def saying(authorization: str) -> Callable[[Server], Awaitable[Headers]]:
    async def caller(_server: Server) -> Headers:
        return {"Authorization": authorization}

    return caller


class Caller(NamedTuple):
    """Somebody who calls. ``role`` None: not anybody the collector knows."""

    role: Role | None
    headers: Callable[[Server], Awaitable[Headers]]
    is_foreign: bool = False


CALLERS = {
    "nobody": Caller(None, nobody),
    "the node itself": Caller(Role.NODE, own_node),
    "another node": Caller(Role.NODE, foreign_node, is_foreign=True),
    "a submitter": Caller(Role.SUBMITTER, submitter),
    "a viewer": Caller(Role.VIEWER, viewer),
    "an admin": Caller(Role.ADMIN, minted_admin),
    "the admin secret": Caller(Role.ADMIN, admin_secret),
    "a submitter's session": Caller(Role.SUBMITTER, submitter_session),
    "a viewer's session": Caller(Role.VIEWER, viewer_session),
    "an admin's session": Caller(Role.ADMIN, admin_session),
    "a revoked token": Caller(None, revoked_token),
    "a session that ended": Caller(None, ended_session),
    "a session as a token": Caller(None, session_as_token),
    "a token as a session": Caller(None, token_as_session),
    "garbage": Caller(None, saying("Bearer garbage")),
    "bytes that are no text": Caller(None, saying("Bearer \udcff\udcfe")),
    "an empty token": Caller(None, saying("Bearer ")),
    "another scheme": Caller(None, saying("Basic YWRtaW46YWRtaW4=")),
    "no scheme": Caller(None, saying("correct horse battery staple")),
}


def expected_code(route: Route[Any], caller: Caller) -> str | None:
    """Return the problem that keeps the caller out, from the table alone; None: let in."""
    if not route.roles:
        return None
    if caller.role is None:
        return "unauthenticated"
    if caller.role not in route.roles:
        return "forbidden"
    if caller.is_foreign and "{node_id}" in route.path:
        return "foreign_node"
    return None


async def outcome(server: Server, route: Route[Any], headers: Headers) -> str | None:
    """Call the route with nothing in it; return the problem that kept the caller out, or None."""
    path = re.sub(r"\{\w+\}", "unknown", route.path.replace("{node_id}", NODE_ID))
    async with server.session.request(
        route.method, server.url + path, headers=headers, allow_redirects=False
    ) as response:
        if response.status not in {401, 403}:
            assert response.status < 500, (route.method, path, response.status)
            return None
        answer = Answer(response.status, response.headers, await response.read())
        problem = read_problem(answer)
        return None if problem.code == "login_failed" else problem.code


@pytest.mark.parametrize("name", CALLERS)
async def test_who_gets_in_follows_from_the_table(server: Server, name: str) -> None:
    caller = CALLERS[name]
    wrong = []
    for route in server.collector.routes():
        expected = expected_code(route, caller)
        found = await outcome(server, route, await caller.headers(server))
        if found != expected:
            wrong.append((route.method, route.path, expected, found))
    assert wrong == []


async def test_the_table_has_no_route_twice_and_no_role_unused(server: Server) -> None:
    routes = server.collector.routes()
    assert len({(route.method, route.path) for route in routes}) == len(routes)
    assert {role for route in routes for role in route.roles} == set(Role)


async def test_only_these_routes_are_open(server: Server) -> None:
    opened = {(r.method, r.path) for r in server.collector.routes() if not r.roles}
    assert opened == {
        ("POST", "/api/login"),
        ("POST", "/api/join"),
        ("GET", "/ca.pem"),
        ("GET", "/api/releases/{name}"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
    }


async def test_every_address_served_is_in_the_table_or_the_page(server: Server) -> None:
    table = {route.path for route in server.collector.routes()}
    served = {resource.canonical for resource in server.collector._runner.app.router.resources()}
    page = {path for path in served if path == "/" or path.startswith(("/assets/", "/favicon"))}
    assert served - page == table
