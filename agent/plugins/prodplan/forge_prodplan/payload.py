"""A job's payload: a plan, or the text of one in a format of the field; and options beside it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from forge_prodplan.errors import MalformedPayloadError
from forge_shared.plans.document import plan_from_json
from forge_shared.plans.model import MalformedPlanError, Plan
from forge_shared.plans.text import plan_from_text

_LONGEST_LIMIT_S: Final = 30 * 24 * 3600


class Payload(NamedTuple):
    """``time_limit_s``: how long to search; None: not said."""

    plan: Plan
    time_limit_s: int | None


def read(payload: object) -> Payload:
    """Return what is to be done; raises MalformedPayloadError, which says where it is wrong."""
    try:
        table = _table(payload)
        return Payload(_plan(table), _time_limit_s(table.get("options", {})))
    except MalformedPlanError as error:
        raise MalformedPayloadError(str(error)) from error


def _table(payload: object) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise MalformedPlanError("plan", "must be an object: a plan, or one with a text")
    return payload


def _plan(payload: dict[str, Any]) -> Plan:
    if "text" not in payload:
        return plan_from_json(payload)
    if payload.keys() - {"text", "options"}:
        raise MalformedPlanError("plan", "beside a text there may be options, and nothing else")
    if not isinstance(payload["text"], str):
        raise MalformedPlanError("text", "must be a text")
    return plan_from_text(payload["text"])


def _time_limit_s(options: object) -> int | None:
    if not isinstance(options, dict) or options.keys() - {"time_limit_s"}:
        raise MalformedPlanError("options", "must be an object; known: time_limit_s")
    limit = options.get("time_limit_s")
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _LONGEST_LIMIT_S:
        raise MalformedPlanError(
            "options.time_limit_s", f"must be a whole number from 1 to {_LONGEST_LIMIT_S}"
        )
    return limit
