"""Machines that claim, as these tests need them."""

from __future__ import annotations

from typing import Final, NamedTuple

from forge_collector.joining.rules import Claim
from forge_shared import identity

NOW: Final = 1_800_000_000_000
HOUR_MS: Final = 3_600_000


class Machine(NamedTuple):
    """A machine with a token of its own making."""

    hostname: str
    token: identity.Credential

    def claim(self, code: str, node_id: str | None = None) -> Claim:
        return Claim(
            code, self.token.id, identity.secret_hash(self.token.secret), self.hostname, node_id
        )


def machine(hostname: str = "nas") -> Machine:
    return Machine(hostname, identity.mint("forge", NOW))
