"""Payloads, held to the JSON Schema (2020-12) that a job's plugin has registered.

The schema comes from a node, the payload from whoever submits, and neither may hold the collector
up. So no keyword is heeded whose cost Python cannot bound (regular expressions, and what walks the
schema by itself), nothing is fetched, and the whole takes a second at most. The plugin checks its
payload again: what is left out here is refused there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, Final

import msgspec
from jsonschema import Draft202012Validator, ValidationError, validators
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from forge_shared.messages import FieldError

MAX_SCHEMA_BYTES: Final = 64 * 1024
_MOST_ERRORS: Final = 10
_LONGEST_DETAIL: Final = 200
_TIME_S: Final = 1.0
_SCHEMA_TIME_S: Final = 2.0  # one that takes longer would hold up all payloads at each start
_META_SCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"
_LEFT_OUT: Final = ("format", "pattern", "patternProperties", "unevaluatedItems")
_LEFT_OUT_TOO: Final = ("unevaluatedProperties",)

Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class UnusableSchemaError(ValueError):
    """A plugin's schema is none; the message says why."""


class _TooLongError(Exception):
    """The check took all the time that there is for it."""


class PayloadSchema:
    """A schema, ready to check payloads. All methods take time: call them in a thread, one at a
    time. ``text``: as it came."""

    def __init__(self, schema: bytes) -> None:
        """Raise UnusableSchemaError when this is no schema."""
        if len(schema) > MAX_SCHEMA_BYTES:
            raise UnusableSchemaError(f"a schema holds {MAX_SCHEMA_BYTES:,} bytes at most")
        self.text = schema
        try:
            parsed = _of_this_draft(msgspec.json.decode(schema))
            bounded = self._bounded()
            self._until = time.monotonic() + _SCHEMA_TIME_S
            meta_schema, parts = _of_schemas()
            fault = best_match(bounded(meta_schema, registry=parts).iter_errors(parsed))
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise UnusableSchemaError(_short(str(error))) from None
        except _TooLongError:
            raise UnusableSchemaError("it takes too long to check") from None
        if fault is not None:
            where = _path(fault, "payload_schema")
            raise UnusableSchemaError(f"{where}: {_short(fault.message)}")
        registry: Registry[Any] = Registry()  # it fetches nothing
        self._validator: Validator = bounded(parsed, registry=registry)

    def faults(self, payload: bytes) -> list[FieldError]:
        """Return what is wrong with a payload, by its path; nothing when it cannot be told in
        time, or the schema leads nowhere."""
        try:
            value = msgspec.json.decode(payload)
        except Exception:  # noqa: BLE001  what cannot be read is refused for that
            return []
        return self.faults_in(value)

    def faults_in(self, value: Any) -> list[FieldError]:  # any JSON value
        """Return what is wrong with a payload that was read already."""
        self._until = time.monotonic() + _TIME_S
        found: list[FieldError] = []
        try:
            for error in islice(self._validator.iter_errors(value), _MOST_ERRORS):
                fault = _closest(error)
                found.append(FieldError(_path(fault, "payload"), _short(_told(fault))))
        except Exception:  # noqa: BLE001  a schema can refer to what is not there, or to itself
            return found
        return found

    def _bounded(self) -> type[Validator]:
        keywords: Mapping[str, Keyword] = Draft202012Validator.VALIDATORS
        changed = {name: self._in_time(check) for name, check in keywords.items()}
        changed["uniqueItems"] = self._in_time(_unique_items)
        changed["additionalProperties"] = self._in_time(_additional_properties)
        changed.update(dict.fromkeys((*_LEFT_OUT, *_LEFT_OUT_TOO), _heed_not))
        extended: type[Validator] = validators.extend(  # type: ignore[no-untyped-call]
            Draft202012Validator, changed
        )
        return extended

    def _in_time(self, check: Keyword) -> Keyword:
        def bounded(
            validator: Any, value: Any, instance: Any, schema: Any
        ) -> Iterator[ValidationError] | None:
            if time.monotonic() > self._until:
                raise _TooLongError
            return check(validator, value, instance, schema)

        return bounded


def _heed_not(_validator: Any, _value: Any, _instance: Any, _schema: Any) -> None:
    return None


def _unique_items(
    validator: Any, value: Any, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    """As the standard has it, without comparing each item with all others."""
    if value and validator.is_type(instance, "array"):
        items = {msgspec.json.encode(item, order="sorted") for item in instance}
        if len(items) < len(instance):
            yield ValidationError("an item is there twice")


def _additional_properties(
    validator: Any, value: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    """As the standard has it, where there are no patterns of names."""
    if not validator.is_type(instance, "object") or "patternProperties" in schema:
        return
    known = schema.get("properties", {})
    for name in instance:
        if name in known:
            continue
        if value is False:
            yield ValidationError(f"{name!r} is none of its properties", path=[name])
        else:
            yield from validator.descend(instance[name], value, path=name)


@cache
def _of_schemas() -> tuple[Any, Registry[Any]]:
    """Return the schema of schemas, and the parts that it refers to. As they name their draft, they
    would have a validator of their own, without our bounds."""
    of_draft = [uri for uri in REGISTRY if "/draft/2020-12/" in uri]
    parts = {uri: _of_this_draft(REGISTRY.contents(uri)) for uri in of_draft}
    registry: Registry[Any] = Registry()
    resources = [(uri, DRAFT202012.create_resource(part)) for uri, part in parts.items()]
    return parts[_META_SCHEMA], registry.with_resources(resources)


def _of_this_draft(schema: Any) -> Any:  # any JSON value
    """Return the schema without what would have parts of it checked by the rules of another."""
    if isinstance(schema, dict):
        return {
            name: _of_this_draft(value)
            for name, value in schema.items()
            if not (name == "$schema" and isinstance(value, str))
        }
    return [_of_this_draft(item) for item in schema] if isinstance(schema, list) else schema


def _closest(error: ValidationError) -> ValidationError:
    """Return what is wrong by the one way that was meant, of several that are allowed."""
    while (branches := _branches(error)) and len(meant := _meant(branches)) == 1:
        # What says more than that none fits.
        error = min(meant[0], key=lambda fault: bool(fault.context))
    return error


def _told(error: ValidationError) -> str:
    branches = _branches(error)
    if not branches:
        return error.message
    told = dict.fromkeys(faults[0].message for faults in branches)
    return f"fits none of the ways that are allowed: {'; '.join(told)}"


def _branches(error: ValidationError) -> list[list[ValidationError]]:
    """Return the faults by each way that would be allowed."""
    branches: dict[str | int, list[ValidationError]] = {}
    for fault in error.context or ():
        branches.setdefault(fault.relative_schema_path[0], []).append(fault)
    return list(branches.values())


def _meant(branches: list[list[ValidationError]]) -> list[list[ValidationError]]:
    """Leave out the ways that want another kind of value, or one of some others."""
    return [
        faults
        for faults in branches
        if not any(
            fault.validator in ("type", "enum", "const") and not fault.relative_path
            for fault in faults
        )
    ]


def _path(error: ValidationError, root: str) -> str:
    return _short(root + error.json_path.removeprefix("$"))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_DETAIL else text[: _LONGEST_DETAIL - 1] + "…"
