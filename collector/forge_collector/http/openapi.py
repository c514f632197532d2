"""The OpenAPI 3.1 document, from the route table and the types that validate requests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from forge_collector.http.problems import CONTENT_TYPE as PROBLEM_TYPE
from forge_collector.http.problems import KINDS
from forge_collector.http.routing import Route
from forge_shared.messages import Problem
from forge_shared.names import NODE_ID_PATTERN
from forge_shared.releases import NAME_PATTERN

_JSON: Final = "application/json"
_ANY_ROUTE: Final = ("malformed_request", "unknown_host", "internal")
_AUTHENTICATED: Final = ("unauthenticated", "forbidden")
_WRITES: Final = ("overloaded", "storage_full", "storage_failed")
_JSON_BODY: Final = ("malformed_json", "invalid", "unsupported_media_type")
_ANY_BODY: Final = ("too_large", "request_timeout")
_PATH_PATTERNS: Final = {"node_id": NODE_ID_PATTERN, "name": NAME_PATTERN}
_PARAMETER = re.compile(r"\{(\w+)\}")

Json = dict[str, Any]  # a JSON document has no narrower type


def document(routes: Iterable[Route[Any]], version: str) -> Json:
    """Return the document for these routes."""
    routes = list(routes)
    structs = [kind for route in routes for kind in kinds(route) if _is_struct(kind)]
    (*_, _problem), components = msgspec.json.schema_components(
        [*structs, Problem], ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Forge Fleet collector", "version": version},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def problem_codes(route: Route[Any]) -> list[str]:
    """Return every problem code a route may answer."""
    codes = [*_ANY_ROUTE, *route.problems]
    if route.roles:
        codes += _AUTHENTICATED
        if "{node_id}" in route.path and "node" in route.roles:
            codes.append("foreign_node")
    if route.method != "GET":
        codes += ["cross_origin", *_WRITES]
    if route.body is not None:
        codes += _JSON_BODY
    if route.body is not None or route.raw_body:
        codes += _ANY_BODY
    if "{" in route.path:
        codes.append("not_found")
    return sorted(set(codes))


def kinds(route: Route[Any]) -> list[Any]:
    """Return what a route takes and answers, Structs and others."""
    replies = [kind for reply in route.replies.values() for kind in _alternatives(reply)]
    return [route.body, *route.raw_body.values(), *replies]


def _operation(route: Route[Any]) -> Json:
    operation: Json = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "responses": {**_replies(route), **_problems(route)},
        "security": [{"bearer": []}] if route.roles else [],
        "x-roles": sorted(route.roles) or ["open"],
    }
    parameters = [_path_parameter(name) for name in _PARAMETER.findall(route.path)]
    parameters += [
        {"name": name, "in": place, "schema": dict(schema)}
        for place, schemas in (("query", route.query), ("header", route.headers))
        for name, schema in schemas.items()
    ]
    if parameters:
        operation["parameters"] = parameters
    if content := _request_content(route):
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _operation_id(route: Route[Any]) -> str:
    return re.sub(r"[^a-z0-9]+", "_", f"{route.method.lower()}{route.path}").strip("_")


def _path_parameter(name: str) -> Json:
    schema: Json = {"type": "string", "minLength": 1}
    if name in _PATH_PATTERNS:
        schema["pattern"] = f"^{_PATH_PATTERNS[name]}$"
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _request_content(route: Route[Any]) -> Json:
    json_body = {} if route.body is None else {_JSON: route.body}
    bodies = {**json_body, **route.raw_body}
    return {media_type: {"schema": _schema(kind)} for media_type, kind in bodies.items()}


def _replies(route: Route[Any]) -> Json:
    replies: Json = {}
    for status, kind in route.replies.items():
        reply: Json = {"description": route.summary}
        if isinstance(kind, str):
            reply["content"] = {kind: {"schema": {"type": "string"}}}
        elif kind is not None:
            reply["content"] = {_JSON: {"schema": _schema(kind)}}
        replies[str(status)] = reply
    return replies


def _problems(route: Route[Any]) -> Json:
    by_status: dict[int, list[str]] = {}
    for code in problem_codes(route):
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {
        str(status): {
            "description": ", ".join(codes),
            "content": {PROBLEM_TYPE: {"schema": _schema(Problem)}},
        }
        for status, codes in sorted(by_status.items())
    }


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return kind if isinstance(kind, tuple) else (kind,)


def _schema(kind: Any) -> Json:
    if isinstance(kind, tuple):
        return {"anyOf": [_schema(each) for each in kind]}
    if _is_struct(kind):
        return {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {"type": "string"} if kind is str else msgspec.json.schema(kind)


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
