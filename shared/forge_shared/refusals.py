"""What msgspec refuses, said for people: it speaks in Python's types, and counts in signs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from forge_shared.job_messages import JOB_PATTERN_HELP
from forge_shared.messages import PATTERN_HELP

_PATTERN_HELP: Final = {**PATTERN_HELP, **JOB_PATTERN_HELP}
_KINDS: Final[Mapping[str, str]] = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}
_FOUND: Final[Mapping[str, str]] = {**_KINDS, "int": "a number", "float": "one with decimals"}
_BOUNDS: Final[Mapping[str, str]] = {
    "<=": "{} at most",
    ">=": "{} at least",
    "<": "less than {}",
    ">": "more than {}",
}
_LENGTHS: Final[Mapping[str, str]] = {"<=": "at most", ">=": "at least"}

_PATH: Final = re.compile(r" - at (?P<key>`key` in )?`\$\.?(?P<path>[^`]*)`$")
_NAMED: Final = re.compile(r"Object (?P<what>contains unknown|missing required) field `(.*)`$")
_KIND: Final = re.compile(r"Expected `(?P<kind>[^`]*)`, got `(?P<found>[^`]*)`$")
_BOUND: Final = re.compile(
    r"Expected `(?P<kind>\w+)`(?P<length> of length)? (?P<sign>[<>]=?) (?P<number>[\d.-]+)$"
)
_PATTERN: Final = re.compile(r"Expected `str` matching regex (?P<quoted>.*)$")
_CHOICE: Final = re.compile(r"Invalid enum value (?P<value>.*)$")

_BYTE: Final = re.compile(r" \(byte \d+\)$")
_HALF_PAIR: Final = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")


class Refused(NamedTuple):
    """``field``: a path, such as ``requires.cores``; empty: the message itself."""

    field: str
    reason: str


def of_message(text: str) -> Refused:
    """Turn ``Expected `int`, got `str` - at `$.seq``` into a field and a reason."""
    match = _PATH.search(text)
    fault = text[: match.start()] if match else text
    path = match["path"] if match else ""
    if (named := _NAMED.match(fault)) is not None:
        unknown = named["what"] == "contains unknown"
        path = f"{path}.{named[2]}".removeprefix(".")
        reason = "there is no such field" if unknown else "is missing"
    else:
        reason = _reason(fault)
    if match is not None and match["key"]:
        return Refused(path, _of_each("key", reason))
    # Of an object whose keys are free, msgspec does not say which value it is.
    field, among, rest = path.partition("[...]")
    if among and rest:
        return Refused(field, f"in each value in it, {rest.removeprefix('.')}: {reason}")
    return Refused(field, _of_each("value", reason) if among else reason)


def of_bytes(text: str, body: bytes) -> str:
    """Return why bytes are no JSON."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 (byte {error.start})"
    if not body.strip():
        return "it is empty"
    if _BYTE.search(text) is not None:
        return text.removeprefix("JSON is malformed: ")
    # Behind half of a pair msgspec looks for the other, and so for the end of the body.
    half = _HALF_PAIR.search(body)
    return f"it has half of a surrogate pair (byte {half.start()})" if half else "it ends too soon"


def _reason(fault: str) -> str:
    if (match := _KIND.match(fault)) is not None:
        wanted = " or ".join(_KINDS.get(one, one) for one in match["kind"].split(" | "))
        return f"must be {wanted}, not {_FOUND.get(match['found'], match['found'])}"
    if (match := _BOUND.match(fault)) is not None:
        return _bound(match)
    if (match := _PATTERN.match(fault)) is not None:
        # msgspec quotes the pattern as Python source.
        told = (help_ for known, help_ in _PATTERN_HELP.items() if match["quoted"] == repr(known))
        return next(told, f"must match the pattern {match['quoted']}")
    if (match := _CHOICE.match(fault)) is not None:
        return f"must be one that is known, and {match['value']} is not"
    return fault.replace("`", "'")


def _bound(match: re.Match[str]) -> str:
    kind, sign = match["kind"], match["sign"]
    what = _KINDS.get(kind, kind)
    value = float(match["number"]) if "." in match["number"] else int(match["number"])
    number = f"{value:,}".removesuffix(".0")
    if not match["length"]:
        return f"must be {what}, {_BOUNDS[sign].format(number)}"
    if (sign, number) == (">=", "1"):
        return "must not be empty"
    one, many = ("character", "characters") if kind == "str" else ("entry", "entries")
    return f"must be {what} of {_LENGTHS[sign]} {number} {one if number == '1' else many}"


def _of_each(what: str, reason: str) -> str:
    return f"each {what} in it {reason}" if reason.startswith("must ") else reason
