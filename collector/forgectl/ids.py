"""Which invite, token or job is meant by an id that was typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from forgectl.client import ClientError

SHORTEST: Final = 4  # an empty variable of a script means none, also where there is only one


def meant(typed: str, known: Sequence[str], what: str) -> str:
    """Return the known id that this is, or is the beginning of; raises ClientError."""
    if typed in known:
        return typed
    if len(typed) < SHORTEST:
        raise ClientError(
            f"There is no {what} {typed!r}: give its id, as `forgectl {what}s list` shows it, or "
            f"at least the first {SHORTEST} characters."
        )
    found = [each for each in known if each.startswith(typed)]
    if not found:
        raise ClientError(
            f"There is no {what} {typed!r}, nor one whose id begins with it; "
            f"`forgectl {what}s list` shows which there are."
        )
    if len(found) > 1:
        raise ClientError(
            f"{typed!r} is the beginning of {len(found)} {what}s: give more of the id, as "
            f"`forgectl {what}s list` shows it."
        )
    return found[0]
