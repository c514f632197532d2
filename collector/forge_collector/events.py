"""Domain events: the one place where they are declared and passed on.

A feature publishes what happened to it; others that care subscribe, in app.py. Subscribers run at
once, in the event loop, and must be quick. docs/protocol.md lists the events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from forge_shared.messages import Status


@dataclass(frozen=True, slots=True)
class NodeAdded:
    """A node was heard for the first time."""

    name: ClassVar[str] = "node.added"
    node_id: str


@dataclass(frozen=True, slots=True)
class NodeStatusChanged:
    """A node's status is another than before. ``silence_ms``: since it was last heard."""

    name: ClassVar[str] = "node.status_changed"
    node_id: str
    before: Status
    after: Status
    silence_ms: int
    ephemeral: bool


@dataclass(frozen=True, slots=True)
class NodeForgotten:
    """An admin removed a node, with its tokens and history; it need not have pushed."""

    name: ClassVar[str] = "node.forgotten"
    node_id: str


@dataclass(frozen=True, slots=True)
class NodeTokenShared:
    """Two machines push with this node's token at once; the later one became ``sibling_id``."""

    name: ClassVar[str] = "node.token_shared"
    node_id: str
    sibling_id: str


@dataclass(frozen=True, slots=True)
class CredentialRevoked:
    """A token or session is no longer valid, because somebody revoked it or it expired."""

    name: ClassVar[str] = "credential.revoked"
    credential_id: str


@dataclass(frozen=True, slots=True)
class JobSucceeded:
    """A job's result was accepted."""

    name: ClassVar[str] = "job.succeeded"
    job_id: str
    job_type: str


@dataclass(frozen=True, slots=True)
class JobFailed:
    """A job will not be tried again unless somebody says so."""

    name: ClassVar[str] = "job.failed"
    job_id: str
    job_type: str


@dataclass(frozen=True, slots=True)
class JobCancelled:
    """A job was ended because somebody asked for it."""

    name: ClassVar[str] = "job.cancelled"
    job_id: str
    job_type: str


@dataclass(frozen=True, slots=True)
class WorkerLoadChanged:
    """A node works on so many jobs now."""

    name: ClassVar[str] = "worker.load_changed"
    node_id: str
    running: int


Event = (
    NodeAdded
    | NodeStatusChanged
    | NodeForgotten
    | NodeTokenShared
    | CredentialRevoked
    | JobSucceeded
    | JobFailed
    | JobCancelled
    | WorkerLoadChanged
)
E = TypeVar(
    "E",
    NodeAdded,
    NodeStatusChanged,
    NodeForgotten,
    NodeTokenShared,
    CredentialRevoked,
    JobSucceeded,
    JobFailed,
    JobCancelled,
    WorkerLoadChanged,
)


class Events:
    """Passes events on to whoever subscribed to their type."""

    def __init__(self) -> None:
        self._subscribers: defaultdict[type[Any], list[Callable[[Any], None]]] = defaultdict(list)

    def subscribe(self, kind: type[E], receive: Callable[[E], None]) -> None:
        self._subscribers[kind].append(receive)

    def publish(self, event: Event) -> None:
        for receive in self._subscribers[type(event)]:
            receive(event)
