"""What an admin does for the fleet: mints its tokens, tags machines, reads figures, tidies up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final, TypeVar

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from forge_shared import codec
from forge_shared.messages import (
    LoginLink,
    LoginLinkRequest,
    MintedToken,
    MintToken,
    NodeEdit,
    Problem,
)
from scripts.simulation.machines import Machine

_AT_ONCE: Final = 64
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)

T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[int], None]


class AdminError(Exception):
    """The collector refused something, or is not there; the message says which."""


class Admin:
    """An admin's side of the API. Every method raises AdminError."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def mint(
        self, machines: Sequence[Machine], stopping: asyncio.Event, progress: Progress
    ) -> list[MintedToken]:
        """Return a token for each machine; for fewer of them when stopped meanwhile."""

        async def one(machine: Machine) -> MintedToken:
            body = MintToken(node_id=machine.node_id)
            reply = await self._call("POST", "/api/tokens", body)
            return codec.decode(reply, MintedToken)

        return await _for_each(machines, one, stopping, progress)

    async def edit(self, machine: Machine) -> None:
        """Give a machine its tags, and say whether it is normally off. It must have pushed."""
        body = NodeEdit(tags=list(machine.tags), ephemeral=machine.family.ephemeral)
        await self._call("PATCH", f"/api/nodes/{machine.node_id}", body)

    async def clean(self, tokens: Sequence[MintedToken], progress: Progress) -> None:
        """Revoke every token and forget every node; some never pushed, and are no nodes yet."""

        async def one(token: MintedToken) -> None:
            await self._delete(f"/api/tokens/{token.id}")
            await self._delete(f"/api/nodes/{token.node_id}")

        await _for_each(tokens, one, asyncio.Event(), progress)

    async def login_link(self) -> str:
        reply = await self._call("POST", "/api/login-links", LoginLinkRequest())
        return codec.decode(reply, LoginLink).url

    async def metrics(self) -> dict[str, float]:
        """Return the collector's own figures that have no labels."""
        text = (await self._call("GET", "/metrics")).decode()
        return {
            sample.name: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if not sample.labels
        }

    async def _delete(self, path: str) -> None:
        status, reply = await self._request("DELETE", path, None)
        if status != HTTPStatus.NOT_FOUND:
            _check(status, reply, f"DELETE {path}")

    async def _call(self, method: str, path: str, body: object | None = None) -> bytes:
        status, reply = await self._request(method, path, body)
        _check(status, reply, f"{method} {path}")
        return reply

    async def _request(self, method: str, path: str, body: object | None) -> tuple[int, bytes]:
        # Without a body there must be no Content-Type either.
        content: dict[str, Any] = {}
        if body is not None:
            content = {
                "data": codec.encode(body),
                "headers": {"Content-Type": "application/json"},
            }
        try:
            async with self._session.request(method, self._url + path, **content) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise AdminError(f"{self._url} does not answer ({error!r}).") from None


@asynccontextmanager
async def connected(url: str, token: str) -> AsyncIterator[Admin]:
    connector = aiohttp.TCPConnector(limit=_AT_ONCE)
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(
        connector=connector, headers=headers, timeout=_TIMEOUT
    ) as session:
        yield Admin(session, url)


async def _for_each(
    items: Iterable[T],
    do: Callable[[T], Awaitable[R]],
    stopping: asyncio.Event,
    progress: Progress,
) -> list[R]:
    """Do it for each item, so many at once; return the results in the items' order."""
    waiting = enumerate(items)
    done: dict[int, R] = {}

    async def work() -> None:
        for index, item in waiting:
            if stopping.is_set():
                return
            done[index] = await do(item)
            progress(len(done))

    workers = await asyncio.gather(*(work() for _ in range(_AT_ONCE)), return_exceptions=True)
    for outcome in workers:
        if isinstance(outcome, BaseException):
            raise outcome
    return [done[index] for index in sorted(done)]


def _check(status: int, reply: bytes, what: str) -> None:
    if status < HTTPStatus.BAD_REQUEST:
        return
    try:
        detail = codec.decode(reply, Problem).detail
    except (codec.MalformedError, codec.InvalidError, msgspec.DecodeError):
        detail = reply[:200].decode(errors="replace")
    raise AdminError(f"{what} was answered {status}: {detail}")
