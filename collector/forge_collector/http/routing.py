"""Routes as data: who may call, what goes in, what comes out, and the handler.

The same table is served, checked for roles by a generated test, and published as OpenAPI.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from aiohttp import web

from forge_collector.http import problems
from forge_collector.http.auth import Authenticator, Principal, check_still_valid, identify
from forge_collector.http.limits import read_body
from forge_collector.http.problems import ProblemError
from forge_shared import codec
from forge_shared.messages import Role

B = TypeVar("B")

OPEN: Final[frozenset[Role]] = frozenset()
NODE: Final = frozenset({Role.NODE})
SUBMITTER: Final = frozenset({Role.SUBMITTER, Role.ADMIN})
VIEWER: Final = frozenset({Role.VIEWER, Role.ADMIN})
PEOPLE: Final = frozenset({Role.SUBMITTER, Role.VIEWER, Role.ADMIN})
NODE_OR_SUBMITTER: Final = NODE | SUBMITTER
ADMIN: Final = frozenset({Role.ADMIN})
ANYONE: Final = frozenset(Role)

_JSON: Final = "application/json"
_SMALL_BODY_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Call(Generic[B]):
    """One request, with its caller known and its body decoded. ``principal`` of an open route is
    nobody's."""

    request: web.Request
    principal: Principal
    body: B

    def path(self, name: str) -> str:
        return self.request.match_info[name]


NOBODY: Final = Principal("", Role.VIEWER, None)


@dataclass(frozen=True, slots=True)
class Route(Generic[B]):
    """One route. ``roles`` empty: open to everybody.

    ``body``: the Struct a JSON body is decoded to. ``raw_body``: the media types of a body that the
    handler gets as bytes; where there is a ``body`` too, the request says which of them it brings.
    Neither: the handler gets None. ``max_body_bytes``, ``max_raw_bytes``: how large they may be.
    ``replies``: the Struct of each 2xx status, a tuple where it may be one or the other, None where
    there is no body, a media type where it is not JSON. ``headers``: the JSON Schema of each
    request header it heeds; ``query``: of each parameter of its address.
    ``problems``: the codes beyond those that any route may answer. ``streams``: the reply does not
    end. ``gate``: asked before the body is read; it returns what to call when the request is over,
    if anything.
    """

    method: str
    path: str
    roles: frozenset[Role]
    handler: Callable[[Call[B]], Awaitable[web.StreamResponse]]
    summary: str
    body: type[B] | None = None
    raw_body: Mapping[str, Any] = field(default_factory=dict)
    max_body_bytes: int = _SMALL_BODY_BYTES
    max_raw_bytes: int = codec.MAX_BODY_BYTES
    replies: Mapping[int, Any] = field(default_factory=dict)
    headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    streams: bool = False
    gate: Callable[[web.Request], Callable[[], None] | None] | None = None


def json_response(message: object, status: int = 200) -> web.Response:
    return web.Response(body=codec.encode(message), status=status, content_type="application/json")


def empty() -> web.Response:
    return web.Response(status=204)


def register(
    app: web.Application, routes: Iterable[Route[Any]], authenticator: Authenticator, cookie: str
) -> None:
    for route in routes:
        app.router.add_route(route.method, route.path, _served(route, authenticator, cookie))


def _served(
    route: Route[Any], authenticator: Authenticator, cookie: str
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        principal = _admitted(route, request, authenticator, cookie)
        leave = None if route.gate is None else route.gate(request)
        try:
            body = await _decoded(route, request)
            if body is not None and route.roles:
                # A body may take half a minute to arrive; who was revoked then changes nothing.
                check_still_valid(principal, authenticator)
            return await route.handler(Call(request, principal, body))
        finally:
            if leave is not None:
                leave()

    return serve


def _admitted(
    route: Route[Any], request: web.Request, authenticator: Authenticator, cookie: str
) -> Principal:
    if not route.roles:
        return NOBODY
    principal = identify(request, authenticator, cookie)
    if principal.role not in route.roles:
        needed = " or ".join(sorted(route.roles))
        raise ProblemError(
            "forbidden", f"This needs the role {needed}; you have the role {principal.role}."
        )
    if principal.role is Role.NODE and "node_id" in request.match_info:
        _check_own(principal, request.match_info["node_id"])
    return principal


def _check_own(principal: Principal, node_id: str) -> None:
    if principal.node_id != node_id:
        raise ProblemError(
            "foreign_node",
            f"This token belongs to the node {principal.node_id}. Set NODE_ID to that, or mint a "
            "token for the node you mean.",
        )


async def _decoded(route: Route[Any], request: web.Request) -> Any:  # the route's own body type
    if route.body is None and not route.raw_body:
        return None
    if route.body is None or request.content_type in route.raw_body:
        return await read_body(request, route.max_raw_bytes)
    if request.content_type != _JSON:
        media_types = " or ".join([_JSON, *route.raw_body])
        raise ProblemError(
            "unsupported_media_type", f"Send the body as Content-Type: {media_types}."
        )
    raw = await read_body(request, route.max_body_bytes)
    try:
        return codec.decode(raw, route.body)
    except (codec.MalformedError, codec.InvalidError) as error:
        raise problems.of_codec(error) from None
