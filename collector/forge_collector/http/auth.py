"""Who calls: a bearer token, or the cookie of a signed-in browser."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from aiohttp import web

from forge_collector.http.problems import ProblemError
from forge_shared.messages import Role

_BEARER: Final = "bearer "  # schemes are case-insensitive (RFC 9110, section 11.1)


class Principal(NamedTuple):
    """An authenticated caller. ``credential_id`` is what a revocation names; ``owner_id`` whose
    the caller's things are: a session's are those of the token it was signed in with; ``name``
    what people call that."""

    credential_id: str
    role: Role
    node_id: str | None
    owner_id: str = ""
    name: str = ""


class Authenticator(Protocol):
    """Knows the credentials that are valid now."""

    def by_token(self, text: str) -> Principal | None: ...

    def by_session(self, text: str) -> Principal | None: ...

    def is_valid(self, principal: Principal) -> bool:
        """Tell whether one who was authenticated before still is."""


def cookie_name(port: int) -> str:
    """Cookies of one host are shared by all its ports: two collectors must not share a name."""
    return f"forge_session_{port}"


def may_use_cookie(request: web.Request) -> bool:
    return "Authorization" not in request.headers


def identify(request: web.Request, authenticator: Authenticator, cookie: str) -> Principal:
    """Return who calls; raises ProblemError 401 that says how to get in."""
    header = request.headers.get("Authorization")
    if header is not None:
        principal = (
            authenticator.by_token(header[len(_BEARER) :])
            if header[: len(_BEARER)].lower() == _BEARER
            else None
        )
        detail = "This bearer token is unknown or was revoked; ask an admin for a new one."
    else:
        session = request.cookies.get(cookie)
        principal = authenticator.by_session(session) if session else None
        detail = (
            "Sign in with a login link (`forgectl login-link`), or send "
            "`Authorization: Bearer TOKEN`."
        )
    if principal is None:
        raise _unauthenticated(detail)
    return principal


def check_still_valid(principal: Principal, authenticator: Authenticator) -> None:
    """Raise ProblemError 401 when a caller was revoked since it was identified."""
    if not authenticator.is_valid(principal):
        raise revoked_meanwhile()


def revoked_meanwhile() -> ProblemError:
    return _unauthenticated("Your token or session was revoked meanwhile; nothing was changed.")


def _unauthenticated(detail: str) -> ProblemError:
    return ProblemError(
        "unauthenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="forge-fleet"'}
    )
