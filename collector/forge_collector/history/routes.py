"""A node's recent points over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from forge_collector.db import Database
from forge_collector.history import rules, store
from forge_collector.http.problems import not_found
from forge_collector.http.routing import VIEWER, Call, Route, json_response
from forge_shared.messages import NodeSnapshot, Point


class HistoryRoutes:
    """``is_node``: whether there is a node with this id, with or without history."""

    def __init__(self, db: Database, is_node: Callable[[str], bool]) -> None:
        self._db = db
        self._is_node = is_node

    def routes(self) -> list[Route[Any]]:
        return [
            Route(
                "GET",
                "/api/nodes/{node_id}/snapshot",
                VIEWER,
                self.snapshot,
                f"A node's last {rules.SNAPSHOT_POINTS} points",
                replies={200: NodeSnapshot},
                problems=("not_found",),
            )
        ]

    async def snapshot(self, call: Call[None]) -> web.Response:
        node_id = call.path("node_id")
        if not self._is_node(node_id):
            raise not_found(f"node {node_id[:64]!r}")
        recorded = await self._db.read(lambda tx: store.recent(tx, node_id, rules.SNAPSHOT_POINTS))
        return json_response(NodeSnapshot(node_id, [_point(*row) for row in recorded]))


def _point(ts: int, body: bytes) -> Point:
    # Values are stored as the JSON they are sent as: no need to decode and encode them again.
    return Point(ts, msgspec.Raw(body))  # type: ignore[arg-type]
