"""What a job is to work on: read, and made JSON where it is a plan in a format of the field."""

from __future__ import annotations

import codecs
import json
import re
import sys
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from forge_shared.job_messages import MAX_FILE_BYTES
from forge_shared.plans.model import MalformedPlanError, plan_to_json
from forge_shared.plans.text import plan_from_text
from forgectl.client import ClientError

STDIN: Final = "-"

_NOTHING: Final = b"null"
_PLANNER: Final = "prodplan"
_MIB: Final = 1024 * 1024
# As PowerShell's `>` writes it, with a mark of the byte order.
_UTF16: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_BEGINS_JSON: Final = (b"{", b"[", b'"')
_BYTE = re.compile(r" \(byte (?P<at>[0-9]+)\)$")


def read(job_type: str, source: str | None) -> bytes:
    """Return the payload in a file, or of the standard input, as JSON; None: what is piped in, if
    anything is.

    Raises ClientError, which says in which line what is wrong.
    """
    if source is None:
        if sys.stdin is None or sys.stdin.isatty():
            return _NOTHING
        return _checked(job_type, STDIN, _bytes_of(STDIN) or _NOTHING)
    return _checked(job_type, source, _bytes_of(source))


def stdin() -> BinaryIO:
    """Return the standard input; raises ClientError where it was closed."""
    if sys.stdin is None:
        raise ClientError("The standard input cannot be read: it is closed.")
    return sys.stdin.buffer


def _checked(job_type: str, source: str, body: bytes) -> bytes:
    if len(body) > MAX_FILE_BYTES:
        raise ClientError(
            f"{_called(source)} is too large: a payload has {MAX_FILE_BYTES // _MIB} MiB at most."
        )
    body = _in_utf8(body, source)
    fault = _json_fault(body)
    if fault is None:
        return body
    text = body.strip()
    if job_type == _PLANNER and text and not text.startswith(_BEGINS_JSON):
        return _plan(body, source)
    raise ClientError(f"{_called(source)} is no JSON: {fault}. {_wanted(job_type)}")


def _in_utf8(body: bytes, source: str) -> bytes:
    """Return a text as UTF-8, without the mark it begins with."""
    encoding = _UTF16.get(body[:2])
    if encoding is None:
        return body.removeprefix(codecs.BOM_UTF8)
    try:
        return body[2:].decode(encoding).encode()
    except UnicodeDecodeError as error:
        raise ClientError(
            f"{_called(source)} begins as UTF-16, and is none at byte {error.start + 2}."
        ) from None


def _wanted(job_type: str) -> str:
    if job_type == _PLANNER:
        return "A plan is JSON, or a JSPLIB, FJSPLIB or PSPLIB file."
    return (
        f"Write the payload as JSON, in the form that {job_type} takes; only {_PLANNER} takes "
        "other files too."
    )


def _plan(body: bytes, source: str) -> bytes:
    try:
        plan = plan_from_text(body.decode("utf-8", errors="replace"))
    except MalformedPlanError as error:
        raise ClientError(
            f"{_called(source)} is neither JSON nor a plan that can be read: {error}."
        ) from None
    return json.dumps(plan_to_json(plan), separators=(",", ":")).encode()


def _bytes_of(source: str) -> bytes:
    try:
        if source == STDIN:
            return stdin().read(MAX_FILE_BYTES + 1)
        with Path(source).open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ClientError(f"{source} cannot be read: {error.strerror}.") from None


def _called(source: str) -> str:
    return "What came on the standard input" if source == STDIN else source


def _json_fault(body: bytes) -> str | None:
    """Return what is wrong with it as JSON, and where; None: nothing."""
    try:
        body.decode()
        msgspec.json.format(body, indent=-1)  # looks at all of it, and makes no objects
    except UnicodeDecodeError as error:
        return f"{_place(body, error.start)}: it is not UTF-8"
    except (msgspec.DecodeError, RecursionError) as error:
        told = str(error).removeprefix("JSON is malformed: ")
        if (match := _BYTE.search(told)) is None:
            return "it is empty" if not body.strip() else "it ends too soon"
        return f"{_place(body, int(match['at']))}: {told[: match.start()]}"
    return None


def _place(body: bytes, at: int) -> str:
    line = body.count(b"\n", 0, at) + 1
    column = at - body.rfind(b"\n", 0, at)
    return f"line {line}, column {column}"
