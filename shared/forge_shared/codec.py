"""JSON and NDJSON in and out: size limits, and errors that say which field is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeVar

import msgspec

from forge_shared import metrics, refusals
from forge_shared.messages import Snapshot

NDJSON: Final = "application/x-ndjson"
MAX_BODY_BYTES: Final = 8 * 1024 * 1024  # after decompression
MAX_LINES: Final = 500
MAX_VALUES: Final = 1024
_SAFE_STEPS: Final = 2**53  # beyond it doubles skip whole steps

T = TypeVar("T")

_LINE = re.compile(rb"\S[^\n]*")


class MalformedError(ValueError):
    """The bytes are not JSON at all."""

    code: Final = "malformed_json"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The body is not valid JSON: {reason}.")


class InvalidError(ValueError):
    """The JSON is not the message it should be. ``field`` is a path such as ``values.cpu.pct``."""

    code: str

    def __init__(self, field: str, reason: str, code: str = "invalid") -> None:
        super().__init__(f"{field or 'body'}: {reason}")
        self.field = field
        self.reason = reason
        self.code = code


class TooManyLinesError(ValueError):
    """The batch is longer than one request may be."""

    code: Final = "too_many_lines"

    def __init__(self) -> None:
        super().__init__(f"A batch holds {MAX_LINES} lines at most; send it in smaller parts.")


def decode(body: bytes, message: type[T]) -> T:
    """Decode one JSON message; raises MalformedError or InvalidError."""
    return _decode(body, message)


def decode_snapshot(line: bytes) -> Snapshot:
    """Decode and check one snapshot; raises MalformedError or InvalidError."""
    try:
        snapshot = _decode(line, Snapshot)
    except InvalidError as error:
        raise _naming_the_value(line, error) from None
    _check_values(snapshot.values)
    return snapshot


def of_validation(error: msgspec.ValidationError) -> InvalidError:
    """Say of what msgspec refused which field is wrong, and why."""
    return InvalidError(*refusals.of_message(str(error)))


def encode(message: object) -> bytes:
    return msgspec.json.encode(message)


def lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield an NDJSON body's lines with their numbers, from 1; blank lines count, but hold nothing.

    One at a time: a body of millions of tiny lines need not be taken apart to be refused.
    """
    number, counted_to = 1, 0
    for match in _LINE.finditer(body):
        number += body.count(b"\n", counted_to, match.start())
        counted_to = match.start()
        yield number, match.group()


def batch(body: bytes) -> list[tuple[int, bytes]]:
    """Return the lines of a request's NDJSON body with their numbers, but for blank ones; raises
    TooManyLinesError."""
    found = list(islice(lines(body), MAX_LINES + 1))
    if len(found) > MAX_LINES:
        raise TooManyLinesError
    return found


def _decode(body: bytes | msgspec.Raw, message: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=message)
    except msgspec.ValidationError as error:
        raise of_validation(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        held = bytes(msgspec.Raw(body))  # a damaged row may hold text in the place of bytes
        raise MalformedError(refusals.of_bytes(str(error), held)) from None
    except RecursionError:
        raise MalformedError("it is nested too deeply") from None


def _naming_the_value(line: bytes, error: InvalidError) -> InvalidError:
    """msgspec says that some value is wrong, but not which."""
    if error.field != "values":
        return error
    try:
        values = _decode(_decode(line, dict[str, msgspec.Raw])["values"], dict[str, msgspec.Raw])
    except (MalformedError, InvalidError, KeyError):
        return error
    for key, value in values.items():
        try:
            _decode(value, float)
        except InvalidError as fault:
            return InvalidError(f"values.{key[:64]}", fault.reason, error.code)
    return error


def _check_values(values: dict[str, int | float]) -> None:
    if len(values) > MAX_VALUES:
        raise InvalidError(
            "values",
            f"a snapshot holds {MAX_VALUES} values at most, this one has {len(values)}",
            "too_many_values",
        )
    for key, value in values.items():
        try:
            bound = metrics.resolution(key) * _SAFE_STEPS
        except ValueError as error:
            raise InvalidError(f"values.{key[:64]!r}", str(error), "bad_metric_key") from None
        # Written so that NaN, which compares false with everything, is refused too.
        if not -bound < value < bound:
            raise InvalidError(
                f"values.{key}",
                f"must be a finite number between -{bound:.4g} and {bound:.4g}",
                "out_of_bounds",
            )
