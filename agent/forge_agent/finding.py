"""`forge-agent join --discover`: which of the collectors on this network is meant."""

from __future__ import annotations

import sys

from forge_agent import discovery
from forge_agent.core import adverts
from forge_agent.core.adverts import Advert, ChoiceError, Chosen
from forge_agent.discovery import DiscoveryError
from forge_agent.terminal import complain, say
from forge_shared import joining


class NotChosenError(Exception):
    """No collector was chosen; the message says what to do."""

    def __init__(self, why: str, *, exit_code: int = 1) -> None:
        super().__init__(why)
        self.exit_code = exit_code


def show() -> int:
    """List the collectors that announce themselves; return the exit code."""
    try:
        found = discovery.browse()
    except DiscoveryError as error:
        complain(str(error))
        return 1
    if not found:
        complain(adverts.NONE_FOUND)
        return 1
    _list(found)
    say(
        "Anybody on this network can announce anything: compare the fingerprint with the one on"
        " your collector's page.\n"
        "To join: `forge-agent join STRING`, with the join string from Add a machine on that page;"
        " or `forge-agent join --discover CODE`, with its code alone."
    )
    return 0


def choose(fingerprint: str | None) -> Chosen:
    """Return the collector that a bare code is for: the one with this fingerprint, or the only one
    there is, once somebody has compared it. Raises NotChosenError."""
    try:
        prefix = None if fingerprint is None else adverts.prefix_of(fingerprint)
    except ChoiceError as error:
        raise NotChosenError(str(error), exit_code=2) from None
    if prefix is None and not _is_terminal():
        raise NotChosenError(
            "A code alone does not tell whom to trust: add --fingerprint HEX with what the"
            " collector's page shows, or use the whole join string.",
            exit_code=2,
        )
    try:
        found = discovery.browse()
        chosen = adverts.choose(found, prefix)
    except DiscoveryError as error:
        raise NotChosenError(str(error)) from None
    except ChoiceError as error:
        if found:
            _list(found)
        raise NotChosenError(str(error)) from None
    if prefix is None:
        _compare(chosen)
    return chosen


def addresses_of(fingerprint: bytes) -> tuple[str, ...]:
    """Return where something announces itself with this fingerprint: addresses to try."""
    try:
        found = discovery.browse()
    except DiscoveryError:
        return ()
    return next(
        (one.urls for one in adverts.collectors(found) if one.fingerprint == fingerprint), ()
    )


def _compare(chosen: Chosen) -> None:
    say(f"{chosen.name} announces itself at {chosen.urls[0]}, with the fingerprint")
    say(f"  {joining.grouped(chosen.fingerprint)}")
    try:
        answer = input("Does the collector's page show the same? [y/N] ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise NotChosenError("Then this is not your collector. Nothing was sent to it.")


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _list(found: list[Advert]) -> None:
    say(adverts.told(found))
