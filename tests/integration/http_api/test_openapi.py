"""The OpenAPI document: whole, valid, and true of what the collector answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import hypothesis
import jsonschema_rs
import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, CheckFunction, GenerationMode
from schemathesis import checks as core_checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks as openapi_checks

from forge_collector.http.openapi import kinds, problem_codes
from forge_collector.http.problems import KINDS
from forge_collector.http.routing import Route
from tests.integration.http_api.jobs import Worker, submit
from tests.integration.http_api.running import ADMIN, ADMIN_SECRET, NDJSON, Headers, Server

Json = dict[str, Any]
CHECKS: list[CheckFunction] = [
    core_checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
    openapi_checks.unsupported_method,
    openapi_checks.positive_data_acceptance,
]
# JSON Schema of one field cannot say "either these or those", nor a bound that hangs on a key, or
# on another field; and to it 1.0 is an integer.
SAYS_MORE_THAN_ITS_SCHEMA = {
    "post_api_tokens",
    "post_api_login",
    "post_api_invites",
    "post_api_join",
    "post_api_ingest_node_id",
    "post_api_jobs",
    "post_api_jobs_claim",
    "post_api_jobs_id_result",
    "post_api_workers_id_heartbeat",
    "put_api_jobs_id_files_name",
    "get_api_jobs",
    "get_api_nodes_node_id_history",
}


async def document(server: Server) -> Json:
    return (await server.get("/api/openapi.json")).as_(Json)


def operation_of(described: Json, route: Route[Any]) -> Json:
    operation: Json = described["paths"][route.path][route.method.lower()]
    return operation


async def test_every_route_is_in_it_and_nothing_else(server: Server) -> None:
    described = await document(server)
    table = {(route.path, route.method.lower()) for route in server.collector.routes()}
    assert table == {
        (path, method) for path, operations in described["paths"].items() for method in operations
    }
    operations = [operation_of(described, route) for route in server.collector.routes()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)


async def test_it_tells_of_each_route_what_the_table_tells(server: Server) -> None:
    described = await document(server)
    for route in server.collector.routes():
        operation = operation_of(described, route)
        assert operation["summary"] == route.summary
        assert operation["x-roles"] == (sorted(map(str, route.roles)) or ["open"])
        assert operation["security"] == ([{"bearer": []}] if route.roles else [])
        problems = {str(KINDS[code].status) for code in problem_codes(route)}
        assert set(operation["responses"]) == problems | {str(code) for code in route.replies}
        assert ("requestBody" in operation) == bool(route.body or route.raw_body)


async def test_every_message_of_the_table_is_a_component(server: Server) -> None:
    described = await document(server)
    schemas = described["components"]["schemas"]
    for route in server.collector.routes():
        for kind in kinds(route):
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                assert kind.__name__ in schemas
    for schema in schemas.values():
        jsonschema_rs.meta.validate(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
        )


async def test_every_reference_leads_somewhere(server: Server) -> None:
    described = await document(server)

    def references(part: object) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
            return own.union(*(references(value) for value in part.values()))
        return (
            set().union(*(references(item) for item in part)) if isinstance(part, list) else set()
        )

    found = references(described["paths"]) | references(described["components"])
    assert found == {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}


@pytest.mark.parametrize(
    "path",
    [
        "/api/fleet",
        "/api/nodes/n1",
        "/api/nodes/n1/snapshot",
        "/api/nodes/n1/history",
        "/api/tokens",
        "/api/invites",
        "/api/sessions",
        "/api/whoami",
        "/api/jobs",
        "/api/jobs/01938a1c-0000-7000-8000-000000000001",
        "/api/workers",
    ],
)
async def test_real_answers_match_it(server: Server, path: str) -> None:
    await server.push(await server.node(), host={"os": "Debian"})
    await server.sign_in(secret=ADMIN_SECRET)
    await server.call("POST", "/api/invites", ADMIN, json={})
    await do_a_job(server, "01938a1c-0000-7000-8000-000000000001")
    described = await document(server)
    template = re.sub("[0-9a-f-]{36}", "{id}", path).replace("n1", "{node_id}")
    schema = described["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]
    answer = await server.get(path)
    jsonschema_rs.validate(
        {**schema["schema"], "components": described["components"]},
        msgspec.json.decode(answer.body),
    )


async def do_a_job(server: Server, job_id: str) -> None:
    worker = await Worker.of(server)
    await worker.offer(payload_schema={"type": "integer"})
    await submit(server, id=job_id, payload=1, name="a job", deadline=server.clock.now_ms() + 9)
    held = await worker.one()
    progress = {"fraction": 0.5, "message": "half way", "objective": 2, "bound": 1, "gap": 0.5}
    incumbents = [{"at": server.clock.now_ms(), "objective": 2, "bound": 1}]
    lease = {"id": held.id, "lease": held.lease, "progress": progress, "incumbents": incumbents}
    await worker.beat(leases=[lease])
    await worker.answer(held, result={"ok": True}, log_tail="done")


def fuzz(
    described: Json,
    url: str,
    headers: Headers,
    *,
    wanted: Callable[[Json], bool],
    examples: int,
) -> int:
    """Call every wanted operation with good and bad data from the document; return how often."""
    # Who calls is told in `headers`, and not tried out: a call without that header, as bad data,
    # would have it all the same, and be blamed for being answered.
    for operations in described["paths"].values():
        for raw in operations.values():
            del raw["security"]
    calls = 0
    with requests.Session() as session:
        session.trust_env = False  # it would look for a proxy at each call
        for result in schemathesis.openapi.from_dict(described).get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()
            raw = described["paths"][operation.path][operation.method]
            if not wanted(raw):
                continue
            validated = partial(
                Case.call_and_validate,
                base_url=url,
                session=session,
                headers=dict(headers),
                checks=checks_of(raw),
            )
            if "parameters" in raw or "requestBody" in raw:
                for mode in modes_of(raw):
                    calls += call_many(operation.as_strategy(mode), validated, examples)
            else:
                calls += call_many(operation.as_strategy(), validated, 1)
    return calls


def modes_of(operation: Json) -> list[GenerationMode]:
    """Return what can be tried of an operation: where any text will do, nothing is bad."""
    told = operation.get("parameters", ())
    can_be_bad = "requestBody" in operation or any(
        each["in"] != "path" or "pattern" in each["schema"] for each in told
    )
    return list(GenerationMode) if can_be_bad else [GenerationMode.POSITIVE]


def call_many(
    cases: SearchStrategy[Case[Any]], validated: Callable[[Case[Any]], object], examples: int
) -> int:
    """Call with so many cases, and return how many there were.

    They are the same ones each time the same modules are loaded: Hypothesis takes what it finds in
    those for its own, so they are others when all tests run.
    """
    calls = 0

    @hypothesis.seed(2)
    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(cases)
    def call(case: Case[Any]) -> None:
        nonlocal calls
        calls += 1
        validated(case)

    call()
    return calls


def checks_of(operation: Json) -> list[CheckFunction]:
    left_out = set()
    if operation["operationId"] in SAYS_MORE_THAN_ITS_SCHEMA:
        left_out.add(openapi_checks.positive_data_acceptance)
    return [check for check in CHECKS if check not in left_out]


def is_stream(operation: Json) -> bool:
    return "text/event-stream" in operation["responses"].get("200", {}).get("content", {})


async def test_an_admin_finds_no_fault(server: Server) -> None:
    await server.push(await server.node())
    calls = await asyncio.to_thread(
        fuzz,
        await document(server),
        server.url,
        ADMIN,
        # What is for nodes alone has tests of its own, with a node's token.
        wanted=lambda operation: (
            not is_stream(operation) and not {"admin", "open"}.isdisjoint(operation["x-roles"])
        ),
        examples=16,
    )
    assert calls > 200
    assert (await server.get("/healthz")).status == 200


async def test_a_node_finds_no_fault_in_ingest(server: Server) -> None:
    token = await server.node()
    described = await document(server)
    ingest = described["paths"]["/api/ingest/{node_id}"]["post"]
    # This node's own id, so that the data gets further than the door.
    ingest["parameters"][0]["schema"] = {"enum": ["n1"]}
    ingest["requestBody"]["content"].pop(NDJSON)
    calls = await asyncio.to_thread(
        fuzz,
        described,
        server.url,
        token,
        wanted=lambda operation: operation is ingest,
        examples=110,
    )
    assert calls > 200
    assert (await server.push(token, 0)).status == 200


async def test_a_node_finds_no_fault_in_jobs(server: Server) -> None:
    described = await document(server)
    schemas = described["components"]["schemas"]
    for name in ("ClaimRequest", "Heartbeat"):
        del schemas[name]["properties"]["wait_s"]  # nobody has time for that
    calls = await asyncio.to_thread(
        fuzz,
        described,
        server.url,
        await server.node(),
        wanted=lambda operation: (
            operation["x-roles"] == ["node"]
            and operation["operationId"] not in {"post_api_ingest_node_id", "get_api_jobs_claim"}
        ),
        examples=10,
    )
    assert calls > 50
    assert (await server.get("/healthz")).status == 200
