"""What credentials there are, how long they live, and what a request for one must say."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from forge_shared import identity
from forge_shared.messages import HumanRole, Login, MintToken, Role

CODE_LIFETIME_MS: Final = 10 * 60 * 1000
SESSION_LIFETIME_MS: Final = 14 * 24 * 3600 * 1000
MIN_ADMIN_SECRET_LENGTH: Final = 16
ADMIN_SECRET_ID: Final = "admin-secret"

TOKEN_PREFIX: Final = "forge"
SESSION_PREFIX: Final = "session"


class Kind(StrEnum):
    TOKEN = "token"
    SESSION = "session"
    CODE = "code"


class Credential(NamedTuple):
    """A credential as it is kept. ``granted_by``: the credential that ends with it ends this one
    too; None where it stands alone. Times are Unix ms; ``expires_at`` None: until revoked."""

    id: str
    kind: Kind
    role: Role
    node_id: str | None
    name: str | None
    secret_hash: bytes
    granted_by: str | None
    created_at: int
    expires_at: int | None

    def is_expired(self, now_ms: int) -> bool:
        return self.expires_at is not None and self.expires_at <= now_ms


class Minted(NamedTuple):
    """A new credential, and the one text that proves it."""

    text: str
    credential: Credential


def mint_token(wanted: MintToken, now_ms: int) -> Minted:
    """Return a new token; raises ValueError when the request does not say what for."""
    if wanted.node_id is not None:
        if wanted.role is not None or wanted.name is not None:
            raise ValueError("give either node_id, or role and name, not both")
        return _mint(TOKEN_PREFIX, Kind.TOKEN, Role.NODE, now_ms, node_id=wanted.node_id)
    if wanted.role is None or wanted.name is None:
        raise ValueError("give node_id for a machine, or role and name for a person or a script")
    return _mint(TOKEN_PREFIX, Kind.TOKEN, Role(wanted.role), now_ms, name=wanted.name)


def mint_session(role: Role, granted_by: str | None, now_ms: int) -> Minted:
    return _mint(
        SESSION_PREFIX,
        Kind.SESSION,
        role,
        now_ms,
        granted_by=granted_by,
        expires_at=now_ms + SESSION_LIFETIME_MS,
    )


def mint_code(role: HumanRole, now_ms: int) -> Minted:
    code = identity.mint_code()
    return Minted(
        code,
        Credential(
            id=identity.code_id(code),
            kind=Kind.CODE,
            role=Role(role),
            node_id=None,
            name=None,
            secret_hash=identity.secret_hash(code),
            granted_by=None,
            created_at=now_ms,
            expires_at=now_ms + CODE_LIFETIME_MS,
        ),
    )


def check_login(login: Login) -> None:
    """Raise ValueError unless the login holds exactly one proof."""
    if (login.code is None) == (login.secret is None):
        raise ValueError("give either code, from a login link, or secret")


def _mint(
    prefix: str,
    kind: Kind,
    role: Role,
    now_ms: int,
    *,
    node_id: str | None = None,
    name: str | None = None,
    granted_by: str | None = None,
    expires_at: int | None = None,
) -> Minted:
    text = identity.mint(prefix, now_ms)
    credential = Credential(
        id=text.id,
        kind=kind,
        role=role,
        node_id=node_id,
        name=name,
        secret_hash=identity.secret_hash(text.secret),
        granted_by=granted_by,
        created_at=now_ms,
        expires_at=expires_at,
    )
    return Minted(str(text), credential)
