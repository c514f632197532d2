"""What machines ask of the collector itself: is it alive and ready, its figures, its API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from forge_collector.http.problems import ProblemError
from forge_collector.http.routing import OPEN, VIEWER, Call, Route, json_response
from forge_shared.messages import Health


class ServiceRoutes:
    """``is_ready``: whether pushes can be stored. ``document``: the OpenAPI document, encoded."""

    def __init__(
        self,
        *,
        is_ready: Callable[[], bool],
        exposition: Callable[[], bytes],
        exposition_type: str,
        document: Callable[[], bytes],
    ) -> None:
        self._is_ready = is_ready
        self._exposition = exposition
        self._exposition_type = exposition_type
        self._document = document

    def routes(self) -> list[Route[Any]]:
        return [
            Route("GET", "/healthz", OPEN, self.health, "Is it alive?", replies={200: Health}),
            Route(
                "GET",
                "/readyz",
                OPEN,
                self.ready,
                "Can it store pushes?",
                replies={200: Health},
                problems=("not_ready",),
            ),
            Route(
                "GET",
                "/metrics",
                VIEWER,
                self.metrics,
                "The collector's own figures, for Prometheus",
                replies={200: "text/plain"},
            ),
            Route(
                "GET",
                "/api/openapi.json",
                VIEWER,
                self.openapi,
                "This API as an OpenAPI document",
                replies={200: dict[str, Any]},
            ),
        ]

    async def health(self, _call: Call[None]) -> web.Response:
        return json_response(Health("ok"))

    async def ready(self, _call: Call[None]) -> web.Response:
        if not self._is_ready():
            raise ProblemError("not_ready", "The collector is starting, stopping or overloaded.")
        return json_response(Health("ready"))

    async def metrics(self, _call: Call[None]) -> web.Response:
        return web.Response(
            body=self._exposition(), headers={"Content-Type": self._exposition_type}
        )

    async def openapi(self, _call: Call[None]) -> web.Response:
        return web.Response(body=self._document(), content_type="application/json")
