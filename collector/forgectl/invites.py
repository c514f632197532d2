"""Invites in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from forge_shared import joining
from forge_shared.messages import Invite, MintedInvite, Release
from forgectl import fetching, output

COLUMNS: Final = ("ID", "STATUS", "USED", "FOR", "GOOD UNTIL", "JOINED")

_JOINED_SHOWN: Final = 3


def told(minted: MintedInvite, release: Release | None) -> Iterator[str]:
    """Yield the lines that say how to join with a new invite. ``release``: what the collector has
    to hand out."""
    invite = minted.invite
    join_string = output.printable(minted.join_string)
    yield join_string
    yield ""
    yield f"Good for {_whom(invite)}, until {output.local_time(invite.expires_at)}."
    yield ""
    found = list(fetching.lines(minted, release)) if release is not None else []
    for processor, line in found:
        yield f"On Linux, {output.printable(processor)}: fetch the agent from here, and join:"
        yield ""
        yield f"  {output.printable(line)}"
        yield ""
    yield "Where forge-agent is installed already:" if found else "There, with forge-agent:"
    yield ""
    yield f"  forge-agent join --install {join_string}"
    yield ""
    if minted.ca_fingerprint is not None:
        yield f"Collector: {output.printable(minted.url)}, with the fingerprint"
        yield f"  {_grouped(minted.ca_fingerprint)}"
        if code := _code(minted.join_string):
            yield f"The code alone, for `forge-agent join --discover`: {code}"
    else:
        yield f"Collector: {output.printable(minted.url)}"
    if _is_loopback(minted.url):
        yield (
            "Other machines cannot reach it there: it listens on this machine alone. Start it with "
            "--host 0.0.0.0 --tls auto, then make another invite."
        )


def row(invite: Invite) -> list[str]:
    shown = invite.joined[:_JOINED_SHOWN]
    more = invite.used - len(shown)
    return [
        invite.id,
        invite.status.value.replace("_", " "),
        f"{invite.used} of {invite.uses}",
        invite.node_id or "",
        output.local_time(invite.expires_at),
        ", ".join([*shown, *([f"and {more} more"] if more > 0 else [])]),
    ]


def _whom(invite: Invite) -> str:
    if invite.node_id is not None:
        return f"one machine, which becomes {invite.node_id}"
    return "one machine" if invite.uses == 1 else f"{invite.uses} machines"


def _code(join_string: str) -> str:
    try:
        code = joining.parse(join_string).code
    except joining.JoinStringError:
        return ""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def _grouped(fingerprint: str) -> str:
    try:
        return joining.grouped(bytes.fromhex(fingerprint))
    except ValueError:
        return output.printable(fingerprint)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.") or host.endswith(".localhost")
