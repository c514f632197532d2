"""Answers name the collector, once, and not which versions it is made of."""

from __future__ import annotations

from multidict import CIMultiDictProxy

from tests.integration.http_api.running import Server


async def test_the_server_header_names_no_versions(server: Server) -> None:
    reply = await server.get("/healthz")
    assert isinstance(reply.headers, CIMultiDictProxy)
    assert reply.headers.getall("Server") == ["forge-collector"]
