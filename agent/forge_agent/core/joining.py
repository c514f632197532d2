"""What joining decides: whose settings these are, which token goes on, what an answer means."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from forge_agent.core.untrusted import json_object, printable
from forge_shared import identity, names
from forge_shared.joining import JoinString

_TRY_AGAIN: Final = "Try the same line again in a moment: it goes on where it was."


class Pending(NamedTuple):
    """A token that may be claimed already, and for which collector it was made: by its authority's
    fingerprint (hex), or by its address where it has none."""

    collector: str
    token: str

    def __repr__(self) -> str:
        # The token must not reach a log by way of a traceback.
        return f"Pending({self.collector!r}, <token>)"


class Claimed(NamedTuple):
    """The collector took the claim."""

    node_id: str


class Refused(NamedTuple):
    """It did not. ``why``: sentences for people. ``token_is_free``: the collector has not got the
    token, by an earlier claim either."""

    why: str
    token_is_free: bool = False


def collector_of(url: str, fingerprint: bytes | None) -> str:
    """Return what names a collector: its authority, wherever it is; else its address."""
    return fingerprint.hex() if fingerprint is not None else url.rstrip("/")


def claim(string: JoinString, token: str, hostname: str, node_id: str | None) -> bytes:
    """Return the body of POST /api/join: the token's hash, never the token."""
    credential = identity.parse(token)
    if credential is None:
        raise ValueError("no token of ours")
    wanted = {} if node_id is None else {"node_id": node_id}
    return json.dumps(
        {
            "code": string.code,
            "token_id": credential.id,
            "secret_hash": identity.secret_hash(credential.secret).hex(),
            "hostname": printable(hostname, 200),
            **wanted,
        }
    ).encode()


def judge(status: int, body: bytes, location: str) -> Claimed | Refused:
    """Tell what the answer to a claim means."""
    answer = json_object(body)
    if status == 200:
        node_id = answer.get("node_id")
        if isinstance(node_id, str) and names.is_node_id(node_id):
            return Claimed(node_id)
        return Refused("What answers there is no collector: must one sign in to this network?")
    detail = answer.get("detail")
    if not isinstance(detail, str) or not isinstance(answer.get("code"), str):
        return Refused(_of_another(status, location))
    advice = _TRY_AGAIN if status >= 500 else ""
    # A claim that was made before is answered as it was, however its invite has ended since.
    return Refused(f"{printable(detail)} {advice}".rstrip(), token_is_free=status == 410)


def _of_another(status: int, location: str) -> str:
    """Say that this answer is none of a collector's own."""
    if 300 <= status < 400:
        return (
            f"It redirects to {printable(location, 100)!r}, and redirects are not followed: start"
            " the collector with that as its --public-url, and ask for a new join string."
        )
    if status == 404:
        return "There is no joining at that address: is the collector older than this agent?"
    if status >= 500:
        return f"It answers {status}: it, or a proxy before it, is in trouble. {_TRY_AGAIN}"
    return f"It answers {status}, which is no answer of a collector."


# --- TOML ---------------------------------------------------------------------------------------


def toml(values: Mapping[str, str | int]) -> str:
    """Return a table of strings and numbers as TOML, a line each."""
    return "".join(f"{_key(name)} = {_value(values[name])}\n" for name in values)


def without(text: str, settings: frozenset[str]) -> str:
    """Return a TOML text without the lines that give one of these settings; by the look of them:
    whether the rest says what it did is for the caller to check."""
    kept = [line for line in text.splitlines() if _name_in(line) not in settings]
    return "".join(f"{line}\n" for line in kept)


def _name_in(line: str) -> str:
    return line.partition("=")[0].strip().strip("\"'").upper() if "=" in line else ""


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _value(value: str | int) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _quoted(value)


def _quoted(text: str) -> str:
    """Write a basic string (TOML 1.0): control characters, DEL among them, must be escaped."""
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in {'"', "\\"}:
        return "\\" + char
    return f"\\u{ord(char):04X}" if ord(char) < 0x20 or ord(char) == 0x7F else char
