"""The keyring: every credential that is valid now, in memory, so that a request costs no query."""

from __future__ import annotations

from collections.abc import Iterable

from forge_collector.access.rules import ADMIN_SECRET_ID, Credential, Kind
from forge_collector.clock import Clock
from forge_collector.events import CredentialRevoked, Events, NodeForgotten
from forge_collector.http.auth import Principal
from forge_shared import identity
from forge_shared.messages import Role

# Compared with when there is no record, so that an unknown id takes as long as a wrong secret.
_NO_HASH = bytes(32)


class Keyring:
    """Authenticates callers (an `http.auth.Authenticator`)."""

    def __init__(self, admin_secret: str, clock: Clock, events: Events) -> None:
        self._admin_hash = identity.secret_hash(admin_secret)
        self._clock = clock
        self._events = events
        self._credentials: dict[str, Credential] = {}

    def load(self, credentials: Iterable[Credential]) -> None:
        for credential in credentials:
            self.add(credential)

    def add(self, credential: Credential) -> None:
        self._credentials[credential.id] = credential

    def by_token(self, text: str) -> Principal | None:
        if (parsed := identity.parse(text)) is not None:
            return self._proven(parsed, Kind.TOKEN)
        if identity.matches(text, self._admin_hash):
            return Principal(ADMIN_SECRET_ID, Role.ADMIN, None, ADMIN_SECRET_ID, Role.ADMIN.value)
        return None

    def by_session(self, text: str) -> Principal | None:
        parsed = identity.parse(text)
        return self._proven(parsed, Kind.SESSION) if parsed else None

    def is_valid(self, principal: Principal) -> bool:
        if principal.credential_id == ADMIN_SECRET_ID:
            return True
        credential = self._credentials.get(principal.credential_id)
        return credential is not None and not credential.is_expired(self._clock.now_ms())

    def of_kind(self, kind: Kind) -> list[Credential]:
        now_ms = self._clock.now_ms()
        return [
            credential
            for credential in self._credentials.values()
            if credential.kind is kind and not credential.is_expired(now_ms)
        ]

    def drop(self, credential_ids: Iterable[str]) -> None:
        """Stop honouring these credentials, and say so."""
        for credential_id in credential_ids:
            if self._credentials.pop(credential_id, None) is not None:
                self._events.publish(CredentialRevoked(credential_id))

    def drop_expired(self) -> None:
        now_ms = self._clock.now_ms()
        self.drop([key for key, value in self._credentials.items() if value.is_expired(now_ms)])

    def drop_of_node(self, forgotten: NodeForgotten) -> None:
        self.drop(
            [key for key, value in self._credentials.items() if value.node_id == forgotten.node_id]
        )

    def _proven(self, parsed: identity.Credential, kind: Kind) -> Principal | None:
        credential = self._credentials.get(parsed.id)
        proven = identity.matches(parsed.secret, credential.secret_hash if credential else _NO_HASH)
        if credential is None or not proven or credential.kind is not kind:
            return None
        if credential.is_expired(self._clock.now_ms()):
            return None
        owner = self._credentials.get(credential.granted_by or "", credential)
        return Principal(
            credential.id,
            credential.role,
            credential.node_id,
            credential.granted_by or credential.id,
            owner.name or owner.node_id or owner.role.value,
        )
