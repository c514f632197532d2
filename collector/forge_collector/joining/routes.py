"""Invites, and joining with them, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import structlog
from aiohttp import web

from forge_collector.access.rules import Credential
from forge_collector.clock import Clock
from forge_collector.db import Database
from forge_collector.fleet import store as fleet
from forge_collector.http.limits import AttemptLimiter
from forge_collector.http.problems import ProblemError, invalid, not_found
from forge_collector.http.reach import Reach
from forge_collector.http.routing import ADMIN, OPEN, Call, Route, empty, json_response
from forge_collector.joining import rules, store
from forge_collector.joining.rules import RefusedError
from forge_shared import joining
from forge_shared.joining import JoinString
from forge_shared.messages import (
    Invite,
    InviteRequest,
    Invites,
    Joined,
    JoinRequest,
    MintedInvite,
)

_GUESSES_PER_MINUTE: Final = 30
_log = structlog.get_logger()


class JoiningRoutes:
    """``reach``: how other machines find this collector and know it. ``admit``: called with the
    token of a machine that was let in, which is durable by then."""

    def __init__(
        self, db: Database, clock: Clock, reach: Reach, admit: Callable[[Credential], None]
    ) -> None:
        self._db = db
        self._clock = clock
        self._reach = reach
        self._admit = admit
        self._guesses = AttemptLimiter(_GUESSES_PER_MINUTE)

    def routes(self) -> list[Route[Any]]:
        return [
            Route(
                "POST",
                "/api/invites",
                ADMIN,
                self.mint,
                "Make an invite, with which machines join",
                body=InviteRequest,
                replies={201: MintedInvite},
            ),
            Route(
                "GET", "/api/invites", ADMIN, self.invites, "List invites", replies={200: Invites}
            ),
            Route(
                "DELETE",
                "/api/invites/{id}",
                ADMIN,
                self.revoke,
                "Revoke an invite",
                replies={204: None},
                problems=("not_found",),
            ),
            Route(
                "POST",
                "/api/join",
                OPEN,
                self.join,
                "Become part of the fleet, with a code and a token of one's own making",
                body=JoinRequest,
                replies={200: Joined},
                problems=(
                    "invite_unknown",
                    "invite_expired",
                    "invite_used_up",
                    "invite_revoked",
                    "node_id_taken",
                    "too_many_attempts",
                ),
            ),
        ]

    async def mint(self, call: Call[InviteRequest]) -> web.Response:
        try:
            code, invite = rules.mint(call.body, self._clock.now_ms())
        except ValueError as error:
            raise invalid("uses", str(error)) from None
        url = self._reach.url_for(call.request.host)
        join_string = _join_string(JoinString(url, self._reach.ca_fingerprint, code), call)
        await self._db.write(lambda tx: store.add(tx, invite))
        fingerprint = self._reach.ca_fingerprint
        minted = MintedInvite(
            self._shown(store.Listed(invite, [])),
            join_string=join_string,
            url=url,
            ca_fingerprint=fingerprint.hex() if fingerprint is not None else None,
        )
        return json_response(minted, status=201)

    async def invites(self, _call: Call[None]) -> web.Response:
        found = await self._db.read(store.listed)
        return json_response(Invites([self._shown(one) for one in found]))

    async def revoke(self, call: Call[None]) -> web.Response:
        invite_id, now_ms = call.path("id"), self._clock.now_ms()
        if not await self._db.write(lambda tx: store.revoke(tx, invite_id, now_ms)):
            raise not_found(f"invite with the id {invite_id[:64]!r}")
        return empty()

    async def join(self, call: Call[JoinRequest]) -> web.Response:
        address = call.request.remote or ""
        with self._guesses.attempt(address, self._clock.monotonic_ms(), rules.UNKNOWN):
            token = await self._claim(call.body)
        # Here, with nothing awaited in between: a revocation that is committed later is carried
        # out later too.
        self._admit(token)
        node_id = token.node_id or ""
        _log.info("joined", node=node_id, credential=token.id, address=address)
        return json_response(Joined(node_id))

    async def _claim(self, request: JoinRequest) -> Credential:
        """Return the token that a claim brings; raises ProblemError."""
        try:
            claim, now_ms = rules.claim_of(request), self._clock.now_ms()
            return await self._db.write(lambda tx: store.claim(tx, claim, now_ms, fleet.exists))
        except RefusedError as refused:
            raise ProblemError(refused.code, str(refused)) from None

    def _shown(self, found: store.Listed) -> Invite:
        invite = found.invite
        return Invite(
            id=invite.id,
            status=invite.status(self._clock.now_ms()),
            uses=invite.uses,
            used=invite.used,
            node_id=invite.node_id,
            created_at=invite.created_at,
            expires_at=invite.expires_at,
            joined=found.joined,
        )


def _join_string(wanted: JoinString, call: Call[InviteRequest]) -> str:
    """Return the join string; raises ProblemError where agents could not read it."""
    try:
        text = str(wanted)
        joining.parse(text)
    except ValueError:
        raise invalid(
            "Host",
            f"{call.request.host[:100]!r} is no address that other machines can use: call the "
            "collector by one, or start it with --public-url",
        ) from None
    return text
