"""How a node is doing, in the words that people read."""

from __future__ import annotations

from enum import StrEnum

from forge_shared.messages import Status


class Condition(StrEnum):
    """A node's status, and ``off``: it is marked as normally off, and silent, which is no fault."""

    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"
    OFF = "off"


def condition(status: Status, *, ephemeral: bool) -> Condition:
    if ephemeral and status is not Status.ONLINE:
        return Condition.OFF
    return Condition(status.value)
