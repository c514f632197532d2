"""How the pushes of these tests come in: with a token that the store knows."""

from __future__ import annotations

from typing import Final

from forge_collector.access.rules import Credential, Kind
from forge_collector.fleet.store import Receipt
from forge_shared.messages import Role

NOW: Final = 1_800_000_000_000
TOKEN: Final = Credential(
    id="a-token",
    kind=Kind.TOKEN,
    role=Role.NODE,
    node_id="n1",
    name=None,
    secret_hash=bytes(32),
    granted_by=None,
    created_at=NOW,
    expires_at=None,
)


def receipt(
    received_at: int = NOW,
    heard_ms: int = 0,
    offset_ms: int | None = None,
    credential_id: str = TOKEN.id,
) -> Receipt:
    return Receipt(received_at, heard_ms, offset_ms, credential_id)
