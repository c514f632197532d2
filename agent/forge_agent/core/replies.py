"""What the collector's answer means for the snapshots that were sent."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple

from forge_agent.core.untrusted import json_object

LONGEST_RETRY_AFTER_S: Final = 300
_DETAIL_LENGTH: Final = 300


class Action(Enum):
    """What to do with the snapshots of a request."""

    DONE = "done"  # stored, or refused for good: forget them
    DROP = "drop"  # the body as a whole is refused for good: forget and count them
    HALVE = "halve"  # too large: send fewer at once
    KEEP = "keep"  # not stored: keep them and try again


class Judgement(NamedTuple):
    """``rejected`` counts lines that the collector will never take, ``duplicates`` those it had
    before. ``reason`` is for people; it may hold the other side's words. ``refused``: the collector
    does not know our token."""

    action: Action
    reason: str = ""
    rejected: int = 0
    duplicates: int = 0
    interval_s: int | None = None
    retry_after_s: float = 0.0
    refused: bool = False


def judge(
    *, status: int, body: bytes, lines: int, retry_after: str | None = None, location: str = ""
) -> Judgement:
    """Judge the answer to a request that carried this many lines."""
    if status == 200:
        return _judge_accepted(body, lines)
    reason = f"{status} {_problem_detail(body)}".rstrip()
    if status == 413:
        return Judgement(Action.HALVE if lines > 1 else Action.DROP, reason)
    if status in {400, 422} and not _is_web_page(body):
        return Judgement(Action.DROP, reason)
    if 300 <= status < 400:
        reason = f"{status}, it redirects to {location!r}: set CENTRAL_URL to where it is"
    return Judgement(
        Action.KEEP,
        reason,
        retry_after_s=_seconds(retry_after) if status in {429, 503} else 0.0,
        refused=status in {401, 403},
    )


def _judge_accepted(body: bytes, lines: int) -> Judgement:
    """Read a 200. One whose figures do not add up promises nothing: the snapshots are kept."""
    reply = json_object(body)
    accepted, duplicates = _count(reply, "accepted"), _count(reply, "duplicates")
    rejected, interval_s = reply.get("rejected"), _count(reply, "interval_s")
    if (
        accepted is None
        or duplicates is None
        or interval_s is None
        or not isinstance(rejected, list)
        or accepted + duplicates + len(rejected) != lines
    ):
        return Judgement(Action.KEEP, "the answer is not a collector's; is CENTRAL_URL right?")
    return Judgement(
        Action.DONE,
        reason=_first_rejection(rejected),
        rejected=len(rejected),
        duplicates=duplicates,
        interval_s=interval_s,
    )


def _count(reply: dict[str, Any], name: str) -> int | None:
    value = reply.get(name)
    return value if isinstance(value, int) and value is not True and value >= 0 else None


def _first_rejection(rejected: list[Any]) -> str:
    first = rejected[0] if rejected else None
    if not isinstance(first, dict):
        return ""
    return f"{first.get('code')}: {first.get('detail')}"[:_DETAIL_LENGTH]


def _problem_detail(body: bytes) -> str:
    """Return what a problem document (RFC 9457) says, or nothing."""
    detail = json_object(body).get("detail")
    # It becomes a part of our own sentences.
    return detail[:_DETAIL_LENGTH].rstrip(". ") if isinstance(detail, str) else ""


def _is_web_page(body: bytes) -> bool:
    """A proxy between may answer 400 with a page of its own; it does not speak for the collector,
    so nothing is dropped on its word."""
    return body.lstrip().startswith(b"<")


def _seconds(retry_after: str | None) -> float:
    """Read Retry-After in seconds; its form with a date is left to the backoff."""
    text = (retry_after or "").strip()
    if not (text.isascii() and text.isdigit()):
        return 0.0
    return float(min(LONGEST_RETRY_AFTER_S, int(text[:9])))
