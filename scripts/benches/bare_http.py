"""The peer of the ingest bench: an aiohttp server that reads a push and answers, and no more.

No token is looked at, nothing is decoded, nothing is stored: what the same HTTP costs by itself.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from forge_shared import codec, identity
from forge_shared.messages import IngestReply, MintedToken, MintToken, Role

_ACCEPTED = codec.encode(IngestReply(accepted=1, duplicates=0, rejected=[], interval_s=5))


async def mint(request: web.Request) -> web.Response:
    wanted = codec.decode(await request.read(), MintToken)
    credential = identity.mint("forge", 0)
    minted = MintedToken(credential.id, Role.NODE, wanted.node_id, str(credential))
    return web.Response(body=codec.encode(minted), status=201, content_type="application/json")


async def ingest(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=_ACCEPTED, content_type="application/json")


async def edit(_request: web.Request) -> web.Response:
    return web.Response(body=b"{}", content_type="application/json")


async def metrics(_request: web.Request) -> web.Response:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return web.Response(body=generate_latest(registry))


async def serve() -> None:
    app = web.Application()
    app.router.add_post("/api/tokens", mint)
    app.router.add_post("/api/ingest/{node_id}", ingest)
    app.router.add_patch("/api/nodes/{node_id}", edit)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())
