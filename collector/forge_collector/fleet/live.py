"""The fleet as it is now, in memory: each node's latest snapshot, its status, and who watches.

Every change is stamped with the version it will be published in. A client is at some version; what
it gets is what changed since. So a slow client skips versions, never queues them, and a client
that comes back says which version it has. A frame between two versions is encoded once.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import UNSET

from forge_collector.clock import Clock
from forge_collector.events import (
    Events,
    NodeAdded,
    NodeForgotten,
    NodeStatusChanged,
    NodeTokenShared,
    WorkerLoadChanged,
)
from forge_collector.fleet import rules
from forge_collector.fleet.store import NodeRow, Receipt, Stored
from forge_collector.fleet.watching import Watches
from forge_collector.history import rules as history_rules
from forge_collector.history.store import LastOfBoot, Recorded
from forge_collector.http.streams import event
from forge_shared import codec
from forge_shared.condition import Condition, condition
from forge_shared.messages import (
    Card,
    CardFacts,
    FleetFrame,
    Host,
    Node,
    NodeEdit,
    Point,
    Snapshot,
    Status,
)

EVENT_NAME: Final = "fleet"
_MAX_GONE: Final = 1000
_MAX_FRAMES: Final = 64
_NOTHING: Final = -1  # the version of a client that has nothing yet
_VERSION = re.compile(r"[0-9]{1,18}")


# The version it was published in, and a value. A plain tuple of numbers, which the garbage
# collector passes by: a large fleet has hundreds of thousands.
SparkPoint = tuple[int, int | float]


@dataclass(slots=True)
class LiveNode:
    """One node. ``heard_ms`` is by the listening clock; ``values_json`` is kept encoded because
    nothing but the API's list reads it, and decoded it takes several times the memory."""

    id: str
    name: str
    tags: list[str]
    ephemeral: bool
    host: Host
    first_seen: int
    last_seen: int
    heard_ms: int
    status: Status
    boot_id: str | None = None
    seq: int = -1
    clock_offset_ms: int | None = None
    latest_ts: int = 0
    values_json: bytes | None = None
    card_values: dict[str, int | float] = field(default_factory=dict)
    sibling_of: str | None = None
    jobs: int = 0
    sparkline: deque[SparkPoint] = field(
        default_factory=lambda: deque(maxlen=rules.SPARKLINE_POINTS)
    )
    changed_in: int = 0
    facts_changed_in: int = 0


@dataclass(slots=True)
class _Seat:
    """What a boot told last, as it goes from one node to another with it."""

    boot_id: str | None
    seq: int = -1
    clock_offset_ms: int | None = None
    latest_ts: int = 0
    values_json: bytes | None = None
    card_values: dict[str, int | float] = field(default_factory=dict)

    @classmethod
    def of(cls, node: LiveNode) -> _Seat:
        return cls(
            node.boot_id,
            node.seq,
            node.clock_offset_ms,
            node.latest_ts,
            node.values_json,
            node.card_values,
        )

    def take(self, node: LiveNode) -> None:
        node.boot_id, node.seq = self.boot_id, self.seq
        node.clock_offset_ms = self.clock_offset_ms
        node.latest_ts, node.values_json = self.latest_ts, self.values_json
        node.card_values = self.card_values


class LiveFleet:
    """All nodes, and the versions of them that are published to clients."""

    def __init__(self, clock: Clock, events: Events) -> None:
        self._clock = clock
        self._events = events
        self._listened_before_ms = 0
        self._started_ms = clock.monotonic_ms()
        self._nodes: dict[str, LiveNode] = {}
        self._gone: dict[str, int] = {}
        self._forgot_gone_before = 0
        self._has_news = False
        self._version = 0
        self._changed: dict[str, LiveNode] = {}
        self._published_nodes: list[LiveNode] = []
        self._frames: dict[int, bytes] = {}
        self._published = asyncio.Event()
        self._watches = Watches()
        self._siblings: Counter[str] = Counter()  # how many there are of a node
        # Versions count from each start of the collector: an id of another start means nothing.
        self._epoch = os.urandom(4).hex()

    # --- coming in -------------------------------------------------------------------------

    def listened_ms(self) -> int:
        """Return the listening clock: how long the collector has listened, over all its starts.

        Silence is measured with it, so that only silence the collector could hear counts: its own
        downtime makes no node offline.
        """
        return self._listened_before_ms + self._clock.monotonic_ms() - self._started_ms

    def restore(self, rows: Iterable[tuple[NodeRow, LastOfBoot | None]], listened_ms: int) -> None:
        """Bring the fleet back. ``listened_ms``: the listening clock as it was last noted."""
        rows = list(rows)
        # It is noted now and then; a node heard after the last note tells that it went further.
        self._listened_before_ms = max([listened_ms, *(row.heard_ms for row, _ in rows)])
        self._started_ms = self._clock.monotonic_ms()
        for row, last in rows:
            silence_ms = self._listened_before_ms - row.heard_ms
            node = _of_row(row, rules.status(silence_ms, rules.expected_interval_s(row.host)))
            node.boot_id = row.live_boot_id
            if row.sibling_of is not None:
                node.sibling_of = row.sibling_of
                self._siblings[row.sibling_of] += 1
            if last is not None:
                _restore_live(node, last)
            elif row.last is not None:
                _show(node, row.last)
            self._nodes[row.id] = node

    def heard(self, node_id: str, push: rules.Push, stored: Stored, receipt: Receipt) -> None:
        """Take note of a push that was stored."""
        if stored.settled:
            self._settle(stored.settled)
        if stored.is_rival:
            return
        node_id = stored.node_id or node_id
        node = self._nodes.get(node_id) or self._added(node_id, receipt)
        node.heard_ms = receipt.heard_ms
        node.last_seen = max(node.last_seen, receipt.received_at)
        if push.is_live and stored.accepted and _is_newer(node, push.snapshots[0], stored):
            self._take(node, push.snapshots[0], stored)
        self._refresh_status(node, self.listened_ms())
        self._touch(node)

    def edited(self, node_id: str, changes: NodeEdit) -> None:
        node = self._nodes[node_id]
        if changes.name is not UNSET:
            node.name = changes.name
        if changes.tags is not UNSET:
            node.tags = changes.tags
        if changes.ephemeral is not UNSET:
            node.ephemeral = changes.ephemeral
        self._touch_facts(node)

    def note_load(self, event: WorkerLoadChanged) -> None:
        """Show how many jobs a node works on."""
        node = self._nodes.get(event.node_id)
        if node is not None and node.jobs != event.running:
            node.jobs = event.running
            self._touch(node)

    def forgotten(self, node_id: str) -> None:
        """Follow the store where a node is no more, one that never pushed too."""
        forgotten = self._nodes.pop(node_id, None)
        if forgotten is not None:
            self._say_goodbye(forgotten)
        self._events.publish(NodeForgotten(node_id))

    def _say_goodbye(self, forgotten: LiveNode) -> None:
        node_id = forgotten.id
        self._let_go(forgotten)
        self._changed.pop(node_id, None)
        self._gone.pop(node_id, None)  # put back last: the first is the one gone longest
        self._gone[node_id] = self._version + 1
        self._has_news = True
        if len(self._gone) > _MAX_GONE:
            oldest = next(iter(self._gone))
            self._forgot_gone_before = self._gone.pop(oldest)
        self._watches.end(node_id)

    def refresh_statuses(self) -> dict[str, Recorded]:
        """Let silence take its course; return what those that just went offline last told."""
        now_ms = self.listened_ms()
        went_offline: dict[str, Recorded] = {}
        for node in self._nodes.values():
            if self._refresh_status(node, now_ms):
                self._touch(node)
                if node.status is Status.OFFLINE and node.values_json is not None:
                    went_offline[node.id] = Recorded(node.latest_ts, node.values_json)
        return went_offline

    # --- going out -------------------------------------------------------------------------

    def is_node(self, node_id: str) -> bool:
        return node_id in self._nodes

    def node(self, node_id: str) -> Node | None:
        node = self._nodes.get(node_id)
        return self._as_message(node) if node else None

    def interval_s(self, node_id: str) -> int | None:
        """Return how often a node usually pushes; None when there is no such node."""
        node = self._nodes.get(node_id)
        return None if node is None else rules.expected_interval_s(node.host)

    def nodes(self) -> list[Node]:
        return [self._as_message(node) for node in self._nodes.values()]

    def count_by_condition(self) -> Counter[Condition]:
        return Counter(
            condition(node.status, ephemeral=node.ephemeral) for node in self._nodes.values()
        )

    def watch(self, node_id: str) -> AbstractContextManager[AsyncIterator[bytes]]:
        """Watch a node for as long as the block lasts; gives its encoded events."""
        return self._watches.open(node_id, _latest(self._nodes[node_id]))

    def wanted_interval_s(self, node_id: str) -> int:
        """Return how often a node is to push."""
        return rules.wanted_interval_s(is_watched=self._watches.get(node_id) is not None)

    def count_watched(self) -> int:
        return len(self._watches)

    def publish(self) -> None:
        """Make what changed since the last time a new version, and wake whoever waits for one."""
        if not self._has_news:
            return
        self._version += 1
        self._frames.clear()
        self._published_nodes = list(self._changed.values())
        self._changed = {}
        self._has_news = False
        self._published.set()
        self._published = asyncio.Event()

    async def frames(self, last_event_id: str | None) -> AsyncIterator[bytes]:
        """Yield encoded events: at once what the client lacks, then what changes."""
        seen = self._version_of(last_event_id)
        while True:
            if seen == self._version:
                await self._published.wait()
            if seen < self._forgot_gone_before:
                seen = _NOTHING  # it missed more goodbyes than are remembered
            seen, frame = self._version, self._frame_since(seen)
            yield frame

    def _frame_since(self, seen: int) -> bytes:
        frame = self._frames.get(seen)
        if frame is None:
            if len(self._frames) >= _MAX_FRAMES:
                self._frames.clear()  # clients at ever other versions must not fill the memory
            frame = self._frames[seen] = self._encoded(seen, self._changed_since(seen))
        return frame

    def _changed_since(self, seen: int) -> Iterable[LiveNode]:
        # Nearly every client is at the version before: its frame needs no look at other nodes.
        if seen == self._version - 1 and seen != _NOTHING:
            return self._published_nodes
        return (node for node in self._nodes.values() if node.changed_in > seen)

    def _encoded(self, seen: int, changed: Iterable[LiveNode]) -> bytes:
        frame = FleetFrame(
            full=seen == _NOTHING,
            now=self._clock.now_ms(),
            nodes=[self._card(node, seen) for node in changed],
            gone=[node_id for node_id, version in self._gone.items() if version > seen >= 0],
        )
        return event(EVENT_NAME, codec.encode(frame), f"{self._epoch}.{self._version}")

    def _version_of(self, event_id: str | None) -> int:
        epoch, _, version = (event_id or "").partition(".")
        if epoch != self._epoch or not _VERSION.fullmatch(version):
            return _NOTHING
        seen = int(version)
        return seen if seen <= self._version else _NOTHING

    def _card(self, node: LiveNode, seen: int) -> Card:
        """Return what a client at ``seen`` lacks of a node. Sparkline points stamped with a later
        version come with that one, and only with it."""
        return Card(
            id=node.id,
            status=node.status,
            last_seen=node.last_seen,
            values=node.card_values,
            cpu=[value for stamp, value in node.sparkline if seen < stamp <= self._version],
            jobs=node.jobs,
            facts=self._facts(node) if node.facts_changed_in > seen else None,
        )

    def _facts(self, node: LiveNode) -> CardFacts:
        return CardFacts(
            name=node.name,
            os=node.host.os,
            platform=node.host.platform,
            tags=node.tags,
            ephemeral=node.ephemeral,
            cpu_cores=node.host.cpu_cores,
            mem_total_bytes=node.host.mem_total_bytes,
            agent_version=node.host.agent_version,
            first_seen=node.first_seen,
            clock_offset_ms=node.clock_offset_ms,
            shares_token_of=self._shares_token_of(node),
        )

    def _as_message(self, node: LiveNode) -> Node:
        return Node(
            id=node.id,
            name=node.name,
            status=node.status,
            first_seen=node.first_seen,
            last_seen=node.last_seen,
            tags=node.tags,
            ephemeral=node.ephemeral,
            host=node.host,
            clock_offset_ms=node.clock_offset_ms,
            latest=_latest(node),
            shares_token_of=self._shares_token_of(node),
        )

    # --- changes ---------------------------------------------------------------------------

    def _added(self, node_id: str, receipt: Receipt) -> LiveNode:
        node = LiveNode(
            node_id,
            node_id,
            [],
            ephemeral=False,
            host=Host(),
            first_seen=receipt.received_at,
            last_seen=receipt.received_at,
            heard_ms=receipt.heard_ms,
            status=Status.ONLINE,
        )
        # It stays among the gone: a client that knew its namesake must forget that one first.
        self._nodes[node_id] = node
        self._touch_facts(node)
        self._events.publish(NodeAdded(node_id))
        return node

    def _settle(self, rows: Iterable[NodeRow]) -> None:
        """Follow the store where boots turned out to belong elsewhere than was thought."""
        rows = list(rows)
        # What a boot told last goes with it.
        by_boot = {
            node.boot_id: _Seat.of(node) for row in rows if (node := self._nodes.get(row.id))
        }
        for row in rows:
            node = self._nodes.get(row.id)
            if node is None:
                node = self._nodes[row.id] = _of_row(row, Status.ONLINE)
                self._events.publish(NodeAdded(row.id))
                if row.sibling_of is not None:
                    self._events.publish(NodeTokenShared(row.sibling_of, row.id))
            elif node.sibling_of is not None and row.sibling_of is None:
                self._let_go(node)
            if row.sibling_of is not None and node.sibling_of is None:
                self._join(node, row.sibling_of)
            if node.boot_id != row.live_boot_id:
                by_boot.get(row.live_boot_id, _Seat(row.live_boot_id)).take(node)
            node.host, node.heard_ms, node.last_seen = row.host, row.heard_ms, row.last_seen
            self._refresh_status(node, self.listened_ms())
            self._touch_facts(node)

    def _join(self, node: LiveNode, origin_id: str) -> None:
        node.sibling_of = origin_id
        self._siblings[origin_id] += 1
        if (origin := self._nodes.get(origin_id)) is not None:
            self._touch_facts(origin)

    def _let_go(self, node: LiveNode) -> None:
        """End what a node has to do with those that share its token: it has one of its own, or is
        no more."""
        origin_id, node.sibling_of = node.sibling_of, None
        if origin_id is not None:
            self._siblings[origin_id] -= 1
            if (origin := self._nodes.get(origin_id)) is not None:
                self._touch_facts(origin)
        elif node.id not in self._nodes and self._siblings.pop(node.id, 0):
            for sibling in self._nodes.values():
                if sibling.sibling_of == node.id:
                    sibling.sibling_of = None
                    self._touch_facts(sibling)

    def _shares_token_of(self, node: LiveNode) -> str | None:
        return node.sibling_of or (node.id if self._siblings.get(node.id) else None)

    def _take(self, node: LiveNode, snapshot: Snapshot, stored: Stored) -> None:
        offset_ms = history_rules.significant_offset(stored.clock_offset_ms)
        if snapshot.host is not None or offset_ms != node.clock_offset_ms:
            node.host = snapshot.host or node.host
            node.clock_offset_ms = offset_ms
            self._touch_facts(node)
        node.boot_id, node.seq = snapshot.boot_id, snapshot.seq
        node.latest_ts = history_rules.corrected(snapshot.ts, stored.clock_offset_ms)
        node.values_json = stored.body
        node.card_values = rules.card_values(snapshot.values)
        value = snapshot.values.get(rules.SPARKLINE_METRIC)
        watch = self._watches.get(node.id)
        if watch is not None:
            watch.tell(_latest(node))
            value = None if value is None else watch.thinned(node.latest_ts, value)
        if value is not None:
            node.sparkline.append((self._version + 1, value))

    def _refresh_status(self, node: LiveNode, now_ms: int) -> bool:
        silence_ms = now_ms - node.heard_ms
        after = rules.status(silence_ms, rules.expected_interval_s(node.host))
        if after is node.status:
            return False
        before, node.status = node.status, after
        self._events.publish(NodeStatusChanged(node.id, before, after, silence_ms, node.ephemeral))
        return True

    def _touch(self, node: LiveNode) -> None:
        node.changed_in = self._version + 1
        self._changed[node.id] = node
        self._has_news = True

    def _touch_facts(self, node: LiveNode) -> None:
        node.facts_changed_in = self._version + 1
        self._touch(node)


def _of_row(row: NodeRow, status: Status) -> LiveNode:
    return LiveNode(
        row.id,
        row.name,
        row.tags,
        row.ephemeral,
        row.host,
        row.first_seen,
        row.last_seen,
        row.heard_ms,
        status,
    )


def _restore_live(node: LiveNode, last: LastOfBoot) -> None:
    node.seq = last.seq
    node.clock_offset_ms = history_rules.significant_offset(last.clock_offset_ms)
    for recorded in last.recorded:
        value = _show(node, recorded).get(rules.SPARKLINE_METRIC)
        if value is not None:
            node.sparkline.append((0, value))


def _show(node: LiveNode, recorded: Recorded) -> dict[str, int | float]:
    """Make a stored snapshot the node's latest; return its values."""
    values = codec.decode(recorded.body, dict[str, int | float])
    node.latest_ts, node.values_json = recorded.ts, recorded.body
    node.card_values = rules.card_values(values)
    return values


def _is_newer(node: LiveNode, snapshot: Snapshot, stored: Stored) -> bool:
    """Tell whether a live push tells news: of a boot never heard before, or later in the live one.
    A boot that was live once and is not now has been followed by another."""
    return stored.is_new_boot or (snapshot.boot_id == node.boot_id and snapshot.seq > node.seq)


def _latest(node: LiveNode) -> Point | None:
    if node.values_json is None:
        return None
    # Already encoded when it came in; Raw goes out as it is.
    return Point(node.latest_ts, msgspec.Raw(node.values_json))  # type: ignore[arg-type]
