"""Schemas come from nodes: none may hold the collector up, or bring it down."""

from __future__ import annotations

import time

import pytest

from forge_collector.jobs import schemas
from forge_collector.jobs.schemas import PayloadSchema, UnusableSchemaError


@pytest.mark.parametrize(
    "schema",
    [
        b"5",
        b'{"type": "foo"}',
        b'{"properties": {"a": {"required": "b"}}}',
        b'{"$ref": 5}',
        b'{"maxLength": 1e400}',
        b'{"a": "\xff"}',
    ],
)
def test_what_is_no_schema(schema: bytes) -> None:
    with pytest.raises(UnusableSchemaError):
        PayloadSchema(schema)


@pytest.mark.parametrize(
    "schema", [b'{"$id": "http://[::1"}', b'{"$ref": "http://["}', b'{"$ref": "#"}']
)
def test_a_schema_that_leads_nowhere_finds_no_fault(schema: bytes) -> None:
    assert PayloadSchema(schema).faults(b'{"a": 1}') == []


def test_a_fault_in_a_schema_says_where() -> None:
    with pytest.raises(UnusableSchemaError, match=r"payload_schema\.properties\.a\.type"):
        PayloadSchema(b'{"properties": {"a": {"type": "foo"}}}')


WAYS = b"""{"properties": {"limit": {"anyOf": [
    {"type": "integer", "minimum": 1}, {"type": "null"}]},
  "after": {"oneOf": [{"type": "string", "minLength": 1}, {"type": "object", "properties": {
    "lag": {"anyOf": [{"type": "integer", "maximum": 9}, {"const": "any"}]}}}]},
  "either": {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}}}"""
NONE = "fits none of the ways that are allowed"


@pytest.mark.parametrize(
    ("payload", "field", "detail"),
    [
        (b'{"limit": 0}', "limit", "0 is less than the minimum of 1"),
        (b'{"after": ""}', "after", "'' should be non-empty"),
        (b'{"after": {"lag": 10}}', "after.lag", "10 is greater than the maximum of 9"),
        (
            b'{"limit": "x"}',
            "limit",
            f"{NONE}: 'x' is not of type 'integer'; 'x' is not of type 'null'",
        ),
        (
            b'{"either": {}}',
            "either",
            f"{NONE}: 'a' is a required property; 'b' is a required property",
        ),
    ],
)
def test_of_several_ways_the_fault_is_told_by_the_one_that_was_meant(
    payload: bytes, field: str, detail: str
) -> None:
    (fault,) = PayloadSchema(WAYS).faults(payload)
    assert (fault.field, fault.detail) == (f"payload.{field}", detail)


def test_a_schema_that_takes_too_long_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a bound these took four seconds."""
    monkeypatch.setattr(schemas, "_SCHEMA_TIME_S", 0.05)
    many = b'{"allOf": [' + b",".join([b"{}"] * 20_000) + b"]}"
    started = time.process_time()
    with pytest.raises(UnusableSchemaError, match="too long"):
        PayloadSchema(many)
    assert time.process_time() - started < 2
