"""Ingest, the fleet, its stream, and editing nodes, over HTTP."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from forge_collector.clock import Clock
from forge_collector.db import Database, Tx
from forge_collector.fleet import rules, store
from forge_collector.fleet.live import LiveFleet
from forge_collector.http import problems
from forge_collector.http.admission import Admission
from forge_collector.http.auth import revoked_meanwhile
from forge_collector.http.problems import ProblemError, invalid, not_found, too_large
from forge_collector.http.routing import (
    ADMIN,
    NODE,
    VIEWER,
    Call,
    Route,
    empty,
    json_response,
)
from forge_collector.http.streams import Streams
from forge_collector.telemetry import Telemetry
from forge_shared import codec, names
from forge_shared.messages import (
    BOOT_ID_PATTERN,
    EARLIEST_MS,
    LATEST_MS,
    PATTERN_HELP,
    Fleet,
    IngestReply,
    Node,
    NodeEdit,
    Snapshot,
)

SENT_AT_HEADER: Final = "Forge-Sent-At"
BOOT_ID_HEADER: Final = "Forge-Boot-Id"
# A replay of 500 snapshots takes 15 ms of a core, live pushes of as many 125 ms: at this rate all
# replays together take an eighth of one.
_REPLAY_BYTES_PER_S: Final = 4 * 1024 * 1024
_REPLAY_BYTES_AT_ONCE: Final = 16 * 1024 * 1024  # some come over slow lines
# A live push waits for these at most in the writer's queue.
_REPLAYS_STORED_AT_ONCE: Final = 2
_UNKNOWN_SIZE: Final = 512 * 1024


def replay_admission(speed: float = 1.0) -> Admission:
    """Return what admits replays, of a collector that is so much quicker than usual."""
    return Admission(
        bytes_per_s=_REPLAY_BYTES_PER_S * speed,
        bytes_at_once=_REPLAY_BYTES_AT_ONCE,
    )


class FleetRoutes:
    def __init__(
        self,
        db: Database,
        live: LiveFleet,
        streams: Streams,
        clock: Clock,
        telemetry: Telemetry,
        *,
        is_known_elsewhere: Callable[[Tx, str], bool],
    ) -> None:
        """``is_known_elsewhere``: whether others have something of a node, which they forget when
        they hear that it was."""
        self._db = db
        self._live = live
        self._streams = streams
        self._clock = clock
        self._telemetry = telemetry
        self._is_known_elsewhere = is_known_elsewhere
        self._replays = replay_admission()
        self._replays_stored = asyncio.Semaphore(_REPLAYS_STORED_AT_ONCE)

    def routes(self) -> list[Route[Any]]:
        return [
            Route(
                "POST",
                "/api/ingest/{node_id}",
                NODE,
                self.ingest,
                "Push one snapshot, or replay a batch of them",
                raw_body={"application/json": Snapshot, codec.NDJSON: str},
                replies={200: IngestReply},
                headers={
                    SENT_AT_HEADER: {
                        "type": "integer",
                        "minimum": EARLIEST_MS,
                        "maximum": LATEST_MS,
                        "description": "The node's clock as it sends, Unix ms.",
                    },
                    BOOT_ID_HEADER: {
                        "type": "string",
                        "pattern": BOOT_ID_PATTERN,
                        "description": "The boot of the agent that replays, whatever it replays.",
                    },
                },
                problems=(
                    "malformed_json",
                    "invalid",
                    "bad_metric_key",
                    "out_of_bounds",
                    "too_many_values",
                    "too_many_lines",
                    "unsupported_media_type",
                ),
                gate=self._gate,
            ),
            Route(
                "GET",
                "/api/fleet",
                VIEWER,
                self.fleet,
                "Every node, with its status and latest values",
                replies={200: Fleet},
            ),
            Route(
                "GET",
                "/api/fleet/events",
                VIEWER,
                self.events,
                "The fleet as cards, live: one full frame, then what changes",
                replies={200: "text/event-stream"},
                headers={"Last-Event-ID": {"type": "string"}},
                problems=("not_ready",),
                streams=True,
            ),
            Route(
                "GET",
                "/api/nodes/{node_id}",
                VIEWER,
                self.node,
                "One node, with its facts and latest values",
                replies={200: Node},
                problems=("not_found",),
            ),
            Route(
                "GET",
                "/api/nodes/{node_id}/events",
                VIEWER,
                self.watch,
                "One node, live: each snapshot as it comes, every second while this is open",
                replies={200: "text/event-stream"},
                problems=("not_found", "not_ready"),
                streams=True,
            ),
            Route(
                "PATCH",
                "/api/nodes/{node_id}",
                ADMIN,
                self.edit,
                "Change a node's name, tags, or whether it is normally off",
                body=NodeEdit,
                replies={200: Node},
                problems=("not_found",),
            ),
            Route(
                "DELETE",
                "/api/nodes/{node_id}",
                ADMIN,
                self.forget,
                "Forget a node, its history and its tokens",
                replies={204: None},
                problems=("not_found",),
            ),
        ]

    async def ingest(self, call: Call[bytes]) -> web.Response:
        received_at = self._clock.now_ms()
        node_id = call.path("node_id")
        if not names.is_node_id(node_id):
            raise invalid("node_id", names.NODE_ID_HELP)
        push = _read_push(call.request.content_type, call.body)
        sent_at = _sent_at(call.request)
        receipt = store.Receipt(
            received_at,
            heard_ms=self._live.listened_ms(),
            clock_offset_ms=None if sent_at is None else received_at - sent_at,
            credential_id=call.principal.credential_id,
            boot_id=_boot_id(call.request),
        )
        try:
            if push.is_live:
                stored = await self._db.write(lambda tx: store.ingest(tx, node_id, push, receipt))
            else:
                async with self._replays_stored:
                    stored = await self._db.write(
                        lambda tx: store.ingest(tx, node_id, push, receipt)
                    )
        except store.RevokedError:
            raise revoked_meanwhile() from None
        self._live.heard(node_id, push, stored, receipt)
        duplicates = len(push.snapshots) - stored.accepted
        self._telemetry.count_push(stored.accepted, duplicates, len(push.rejected))
        return json_response(
            IngestReply(
                accepted=stored.accepted,
                duplicates=duplicates,
                rejected=push.rejected,
                interval_s=self._live.wanted_interval_s(stored.node_id or node_id),
            )
        )

    def _gate(self, request: web.Request) -> Callable[[], None] | None:
        """Let live pushes pass, and replays so many as leave room for them."""
        if request.content_type != codec.NDJSON:
            return None
        node_id = request.match_info["node_id"]
        wait_s = self._replays.enter(node_id, _claimed_size(request), self._clock.monotonic_ms())
        if wait_s is not None:
            raise ProblemError(
                "overloaded",
                "Many nodes replay, and live pushes go first; nothing of this was kept, send it "
                "again later.",
                headers={"Retry-After": str(math.ceil(wait_s))},
            )
        return lambda: self._replays.leave(node_id)

    async def fleet(self, _call: Call[None]) -> web.Response:
        return json_response(Fleet(self._live.nodes()))

    async def events(self, call: Call[None]) -> web.StreamResponse:
        last_event_id = call.request.headers.get("Last-Event-ID")
        frames = self._live.frames(last_event_id)
        return await self._streams.serve(call.request, call.principal, frames)

    async def node(self, call: Call[None]) -> web.Response:
        return self._node_response(call.path("node_id"))

    async def watch(self, call: Call[None]) -> web.StreamResponse:
        node_id = call.path("node_id")
        if not self._live.is_node(node_id):
            raise _no_node(node_id)
        with self._live.watch(node_id) as frames:
            return await self._streams.serve(call.request, call.principal, frames)

    async def edit(self, call: Call[NodeEdit]) -> web.Response:
        node_id = call.path("node_id")
        try:
            await self._db.write(lambda tx: store.edit(tx, node_id, call.body))
        except store.NoSuchNodeError:
            raise _no_node(node_id) from None
        self._live.edited(node_id, call.body)
        return self._node_response(node_id)

    async def forget(self, call: Call[None]) -> web.Response:
        node_id = call.path("node_id")

        def unit(tx: Tx) -> None:
            store.forget(tx, node_id, is_known_elsewhere=self._is_known_elsewhere(tx, node_id))

        try:
            await self._db.write(unit)
        except store.NoSuchNodeError:
            raise _no_node(node_id) from None
        self._live.forgotten(node_id)
        return empty()

    def _node_response(self, node_id: str) -> web.Response:
        node = self._live.node(node_id)
        if node is None:
            raise _no_node(node_id)
        return json_response(node)


def _claimed_size(request: web.Request) -> int:
    """Return how much a replay counts for; raises ProblemError when it claims more than is taken
    of any, since the claim alone would keep others out."""
    size = request.content_length or 0
    if size > codec.MAX_BODY_BYTES:
        raise too_large(codec.MAX_BODY_BYTES)
    is_told = request.content_length is not None and "Content-Encoding" not in request.headers
    return size if is_told else max(size, _UNKNOWN_SIZE)


def _read_push(content_type: str, body: bytes) -> rules.Push:
    """Read a push; raises ProblemError."""
    try:
        if content_type == codec.NDJSON:
            return rules.read_replay(body)
        if content_type == "application/json":
            return rules.read_live(body)
    except (codec.MalformedError, codec.InvalidError, codec.TooManyLinesError) as error:
        raise problems.of_codec(error) from None
    raise ProblemError(
        "unsupported_media_type",
        f"Send one snapshot as application/json, or a batch, one a line, as {codec.NDJSON}.",
    )


def _sent_at(request: web.Request) -> int | None:
    """Return the node's clock when it sent the request, in Unix ms."""
    text = request.headers.get(SENT_AT_HEADER)
    if text is None:
        return None
    sent_at = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1
    if not EARLIEST_MS <= sent_at <= LATEST_MS:
        raise invalid(SENT_AT_HEADER, "must be Unix time in ms, from 2000 to 2100")
    return sent_at


def _boot_id(request: web.Request) -> str | None:
    """Return the boot of the agent that sends a replay, if it tells."""
    text = request.headers.get(BOOT_ID_HEADER)
    if text is not None and not re.fullmatch(BOOT_ID_PATTERN, text):
        raise invalid(BOOT_ID_HEADER, PATTERN_HELP[BOOT_ID_PATTERN])
    return text


def _no_node(node_id: str) -> ProblemError:
    return not_found(f"node {node_id[:64]!r}")
