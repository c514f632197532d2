"""Tokens, logins and sessions over HTTP."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from forge_collector.access import rules, store
from forge_collector.access.live import Keyring
from forge_collector.access.rules import Kind
from forge_collector.clock import Clock
from forge_collector.db import Database
from forge_collector.http.limits import AttemptLimiter
from forge_collector.http.problems import ProblemError, invalid, not_found
from forge_collector.http.reach import Reach, is_loopback
from forge_collector.http.routing import (
    ADMIN,
    ANYONE,
    OPEN,
    Call,
    Route,
    empty,
    json_response,
)
from forge_shared.messages import (
    HumanRole,
    Login,
    LoginLink,
    LoginLinkRequest,
    MintedToken,
    MintToken,
    Role,
    Session,
    Sessions,
    Token,
    Tokens,
    Whoami,
)

_LOGIN_ATTEMPTS_PER_MINUTE: Final = 10


class AccessRoutes:
    """Handlers over the keyring and the store. ``cookie``: the session cookie's name."""

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        clock: Clock,
        *,
        cookie: str,
        local_node_id: str | None,
        version: str,
        reach: Reach,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._clock = clock
        self._cookie = cookie
        self._local_node_id = local_node_id
        self._version = version
        self._reach = reach
        self._failures = AttemptLimiter(_LOGIN_ATTEMPTS_PER_MINUTE)

    def routes(self) -> list[Route[Any]]:
        return [
            Route("GET", "/api/whoami", ANYONE, self.whoami, "Who you are", replies={200: Whoami}),
            Route(
                "POST",
                "/api/tokens",
                ADMIN,
                self.mint_token,
                "Mint a token for a node, a person or a script",
                body=MintToken,
                replies={201: MintedToken},
            ),
            Route("GET", "/api/tokens", ADMIN, self.tokens, "List tokens", replies={200: Tokens}),
            Route(
                "DELETE",
                "/api/tokens/{id}",
                ADMIN,
                self.revoke_token,
                "Revoke a token",
                replies={204: None},
                problems=("not_found",),
            ),
            Route(
                "POST",
                "/api/login",
                OPEN,
                self.login,
                "Sign a browser in",
                body=Login,
                replies={204: None},
                problems=("login_failed", "too_many_attempts"),
            ),
            Route(
                "POST",
                "/api/login-links",
                ADMIN,
                self.make_login_link,
                "Make a link that signs one browser in, once",
                body=LoginLinkRequest,
                replies={201: LoginLink},
            ),
            Route("DELETE", "/api/session", ANYONE, self.sign_out, "Sign out", replies={204: None}),
            Route(
                "GET",
                "/api/sessions",
                ADMIN,
                self.sessions,
                "List signed-in browsers",
                replies={200: Sessions},
            ),
            Route(
                "DELETE",
                "/api/sessions/{id}",
                ADMIN,
                self.revoke_session,
                "Sign a browser out",
                replies={204: None},
                problems=("not_found",),
            ),
        ]

    async def whoami(self, call: Call[None]) -> web.Response:
        return json_response(
            Whoami(
                role=call.principal.role,
                node_id=call.principal.node_id,
                local_node_id=self._local_node_id,
                version=self._version,
            )
        )

    # --- tokens ----------------------------------------------------------------------------

    async def mint_token(self, call: Call[MintToken]) -> web.Response:
        try:
            text, credential = rules.mint_token(call.body, self._clock.now_ms())
        except ValueError as error:
            raise invalid("body", str(error)) from None
        await self._db.write(lambda tx: store.add(tx, credential))
        self._keyring.add(credential)
        minted = MintedToken(credential.id, credential.role, credential.node_id, text)
        return json_response(minted, status=201)

    async def tokens(self, _call: Call[None]) -> web.Response:
        return json_response(
            Tokens(
                [
                    Token(token.id, token.role, token.node_id, token.name, token.created_at)
                    for token in self._keyring.of_kind(Kind.TOKEN)
                ]
            )
        )

    async def revoke_token(self, call: Call[None]) -> web.Response:
        await self._revoke(call.path("id"), Kind.TOKEN)
        return empty()

    # --- sessions --------------------------------------------------------------------------

    async def login(self, call: Call[Login]) -> web.Response:
        try:
            rules.check_login(call.body)
        except ValueError as error:
            raise invalid("body", str(error)) from None
        address = call.request.remote or ""
        with self._failures.attempt(address, self._clock.monotonic_ms(), "login_failed"):
            session = await self._session_for(call.body, self._clock.now_ms())
        if not await self._db.write(lambda tx: store.add_granted(tx, session.credential)):
            raise ProblemError("login_failed", "This token was revoked just now.")
        self._keyring.add(session.credential)
        response = empty()
        response.set_cookie(
            self._cookie,
            session.text,
            max_age=rules.SESSION_LIFETIME_MS // 1000,
            httponly=True,
            samesite="Strict",
            secure=self._reach.is_over_tls(call.request),
        )
        return response

    async def make_login_link(self, call: Call[LoginLinkRequest]) -> web.Response:
        code, credential = rules.mint_code(call.body.role, self._clock.now_ms())
        await self._db.write(lambda tx: store.add(tx, credential))
        link = LoginLink(
            code=code,
            url=f"{self._address_for(call.request)}/#/login/{code}",
            role=call.body.role,
            expires_at=credential.created_at + rules.CODE_LIFETIME_MS,
        )
        return json_response(link, status=201)

    async def sign_out(self, call: Call[None]) -> web.Response:
        principal = call.principal
        removed = await self._db.write(
            lambda tx: store.revoke(tx, principal.credential_id, Kind.SESSION)
        )
        self._keyring.drop(removed)
        response = empty()
        response.del_cookie(self._cookie)
        return response

    async def sessions(self, call: Call[None]) -> web.Response:
        return json_response(
            Sessions(
                [
                    Session(
                        id=session.id,
                        role=HumanRole(session.role),
                        created_at=session.created_at,
                        expires_at=session.created_at + rules.SESSION_LIFETIME_MS,
                        current=session.id == call.principal.credential_id,
                    )
                    for session in self._keyring.of_kind(Kind.SESSION)
                ]
            )
        )

    async def revoke_session(self, call: Call[None]) -> web.Response:
        await self._revoke(call.path("id"), Kind.SESSION)
        return empty()

    # --- shared steps ----------------------------------------------------------------------

    def _address_for(self, request: web.Request) -> str:
        """Return the address to put into a link for somebody's browser."""
        url = self._reach.url_for(request.host)
        if self._reach.public_url is None and is_loopback(urlsplit(url).hostname or ""):
            # Nobody but the caller gets here, perhaps through a tunnel with another port.
            return f"{request.scheme}://{request.host}"
        return url

    async def _session_for(self, login: Login, now_ms: int) -> rules.Minted:
        """Return a session for what the login proves; raises ProblemError 401."""
        if (code := login.code) is not None:
            used = await self._db.write(lambda tx: store.redeem_code(tx, code, now_ms))
            if used is not None:
                return rules.mint_session(used.role, None, now_ms)
            detail = "This login link was used or has expired; make another: forgectl login-link."
        else:
            principal = self._keyring.by_token(login.secret or "")
            if principal is not None and principal.role is not Role.NODE:
                return rules.mint_session(principal.role, principal.credential_id, now_ms)
            detail = "This is neither the admin secret nor a token for people."
        raise ProblemError("login_failed", detail)

    async def _revoke(self, credential_id: str, kind: Kind) -> None:
        removed = await self._db.write(lambda tx: store.revoke(tx, credential_id, kind))
        if not removed:
            raise not_found(f"{kind} with the id {credential_id[:64]!r}")
        self._keyring.drop(removed)
