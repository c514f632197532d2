"""Invites: how long they let machines in, and which node a machine becomes."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from forge_collector.access.rules import Credential, Kind
from forge_shared import identity, joining, names
from forge_shared.messages import InviteRequest, InviteStatus, JoinRequest, Role

# An invite that ended is kept for as long as somebody may still come with it, and be told.
KEPT_ENDED_MS: Final = 7 * 24 * 3600 * 1000

UNKNOWN: Final = "invite_unknown"
NODE_ID_TAKEN: Final = "node_id_taken"

_ANOTHER: Final = "Make another: Add a machine on the page, or forgectl invite."
_ENDED: Final = {
    InviteStatus.EXPIRED: ("invite_expired", f"This invite has expired. {_ANOTHER}"),
    InviteStatus.USED_UP: (
        "invite_used_up",
        f"As many machines have joined with this invite as it is for. {_ANOTHER}",
    ),
    InviteStatus.REVOKED: ("invite_revoked", f"This invite was revoked. {_ANOTHER}"),
}
_MOST_OF_ONE_NAME: Final = 1000


class RefusedError(Exception):
    """A claim does not let its machine in. ``code``: the problem's; the message says what to do."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Invite(NamedTuple):
    """An invite as it is kept. Its id is found by the code, of which only the hash is here.
    ``node_id``: whom it makes of a machine, None: whoever is free. Times are Unix ms."""

    id: str
    code_hash: bytes
    node_id: str | None
    uses: int
    used: int
    created_at: int
    expires_at: int
    used_up_at: int | None = None
    revoked_at: int | None = None

    def status(self, now_ms: int) -> InviteStatus:
        if self.revoked_at is not None:
            return InviteStatus.REVOKED
        if self.used >= self.uses:
            return InviteStatus.USED_UP
        return InviteStatus.EXPIRED if self.expires_at <= now_ms else InviteStatus.OPEN


class Claim(NamedTuple):
    """A machine that wants in. It made its token itself: here are the id, and the secret's hash.
    ``node_id``: who it wants to be, if that is settled."""

    code: str
    token_id: str
    secret_hash: bytes
    hostname: str
    node_id: str | None


def mint(wanted: InviteRequest, now_ms: int) -> tuple[str, Invite]:
    """Return the code of a new invite, and the invite; raises ValueError."""
    if wanted.node_id is not None and wanted.uses != 1:
        raise ValueError("an invite for one node is for one machine: leave uses out, or node_id")
    code = identity.mint_code()
    invite = Invite(
        id=identity.code_id(code),
        code_hash=identity.secret_hash(code),
        node_id=wanted.node_id,
        uses=wanted.uses,
        used=0,
        created_at=now_ms,
        expires_at=now_ms + wanted.expires_in_s * 1000,
    )
    return code, invite


def claim_of(request: JoinRequest) -> Claim:
    return Claim(
        code=code_from(request.code),
        token_id=request.token_id,
        secret_hash=bytes.fromhex(request.secret_hash),
        hostname=request.hostname,
        node_id=request.node_id,
    )


def code_from(typed: str) -> str:
    """Return the code that was typed by hand, perhaps in capitals and in groups; raises
    RefusedError for what is none."""
    code = "".join(typed.split()).replace("-", "").lower()
    if not joining.is_code(code):
        raise unknown()
    return code


def check_open(invite: Invite, now_ms: int) -> None:
    """Raise RefusedError that says how the invite ended, if it did."""
    if (ended := _ENDED.get(invite.status(now_ms))) is not None:
        raise RefusedError(*ended)


def check_same(token: Credential, claim: Claim) -> None:
    """Raise RefusedError unless this is the token that the claim brings: it has brought it before,
    and whoever it made of the machine then, it is."""
    if token.kind is not Kind.TOKEN or token.role is not Role.NODE or token.node_id is None:
        raise unknown()
    check_hash(token.secret_hash, claim)


def check_hash(kept: bytes, claim: Claim) -> None:
    """Raise RefusedError unless a claim brings the very token that was brought before."""
    if not hmac.compare_digest(kept, claim.secret_hash):
        # Whoever invents ids of tokens learns nothing about those there are.
        raise unknown()


def settled_id(invite: Invite, claim: Claim) -> str | None:
    """Return the id that invite or machine insist on, None if neither does; raises RefusedError
    when they insist on two."""
    if invite.node_id is None or claim.node_id in {None, invite.node_id}:
        return invite.node_id or claim.node_id
    raise RefusedError(
        NODE_ID_TAKEN,
        f"This invite is for {invite.node_id} alone. Join without --node-id, or make an invite "
        f"for {claim.node_id}.",
    )


def chosen_id(invite: Invite, claim: Claim, is_taken: Callable[[str], bool]) -> str:
    """Return who a machine becomes: never somebody who is there already, unless the invite says
    so; raises RefusedError."""
    wanted = settled_id(invite, claim)
    if wanted is None:
        free = next((one for one in candidates(claim.hostname) if not is_taken(one)), None)
        if free is None:
            raise _taken(names.node_id_from(claim.hostname))
        return free
    if invite.node_id is None and is_taken(wanted):
        raise _taken(wanted)
    return wanted


def candidates(hostname: str) -> Iterator[str]:
    """Yield the ids that a machine of this name may get, the nearest first."""
    base = names.node_id_from(hostname)
    yield base
    for number in range(2, _MOST_OF_ONE_NAME):
        yield names.with_suffix(base, f"-{number}")


def unknown() -> RefusedError:
    return RefusedError(
        UNKNOWN,
        "This collector does not know the invite: it was mistyped, is another collector's, or "
        f"ended long ago. {_ANOTHER}",
    )


def token_gone() -> RefusedError:
    """The token came in by a claim, and was revoked since: it never comes in again."""
    return RefusedError(
        "invite_revoked",
        f"This machine had joined, and its token was revoked since. {_ANOTHER}",
    )


def _taken(node_id: str) -> RefusedError:
    return RefusedError(
        NODE_ID_TAKEN,
        f"{node_id} is another machine's already. Give this one an id of its own with --node-id; "
        f"or, if it is that machine, make an invite for it: forgectl invite --node {node_id}.",
    )
