"""Bounds on what a caller can make the collector hold: bodies, slow bodies, guesses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from forge_collector.http.problems import ProblemError, too_large, too_many_attempts

BODY_TIMEOUT_S: Final = 30.0
_MAX_ADDRESSES: Final = 4096


async def read_body(request: web.Request, limit_bytes: int) -> bytes:
    """Return the decompressed body; raises ProblemError 400, 408 or 413.

    aiohttp decompresses in bounded chunks as they are read, so a compressed bomb is stopped at
    the limit, not after it was unpacked.
    """
    if request.content_length is not None and request.content_length > limit_bytes:
        raise too_large(limit_bytes)
    try:
        if request.content.is_eof():  # it came with its head, as nearly all do: no timer needed
            return await _read(request, limit_bytes)
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _read(request, limit_bytes)
    except TimeoutError:
        raise ProblemError(
            "request_timeout", f"A body must arrive within {BODY_TIMEOUT_S:.0f} s."
        ) from None
    except (HttpProcessingError, web.RequestPayloadError, UnicodeDecodeError) as error:
        raise ProblemError(
            "malformed_request",
            f"The body does not match its Content-Encoding or Transfer-Encoding: {error}.",
            headers={"Connection": "close"},  # nobody can tell where the next request begins
        ) from None


async def _read(request: web.Request, limit_bytes: int) -> bytes:
    body = bytearray()
    while chunk := await request.content.readany():
        body += chunk
        if len(body) > limit_bytes:
            raise too_large(limit_bytes)
    return bytes(body)


def leave_compressed_unread(request: web.Request) -> None:
    """After an answer, do not go on unpacking what of a compressed body nobody read.

    aiohttp reads and drops the rest of a body for up to 10 s, so that its sender sees the answer;
    of a bomb that is gigabytes, and nobody else is served meanwhile.
    """
    if "Content-Encoding" in request.headers:
        # aiohttp takes this figure for all connections only.
        request.protocol._lingering_time = 0.0  # noqa: SLF001


class AttemptLimiter:
    """A bucket of attempts for each address, refilled evenly over a minute."""

    def __init__(self, attempts_per_minute: int) -> None:
        self._capacity = float(attempts_per_minute)
        self._buckets: dict[str, tuple[float, int]] = {}

    @contextmanager
    def attempt(self, address: str, now_ms: int, guess: str) -> Iterator[None]:
        """Count what the block does as an attempt if it raises a ProblemError with the code
        ``guess``; raises ProblemError 429."""
        # Taken before anything is looked at, so that guesses sent all at once count too.
        if not self.allow(address, now_ms):
            raise too_many_attempts()
        was_guess = False
        try:
            yield
        except ProblemError as error:
            was_guess = error.code == guess
            raise
        finally:
            if not was_guess:
                self.give_back(address)

    def allow(self, address: str, now_ms: int) -> bool:
        """Take one attempt; False when the address has used up its own."""
        left, since_ms = self._buckets.pop(address, (self._capacity, now_ms))
        left = min(self._capacity, left + (now_ms - since_ms) / 60_000 * self._capacity)
        allowed = left >= 1
        # Put back last: the first key is then the address heard of longest ago.
        self._buckets[address] = (left - 1 if allowed else left, now_ms)
        if len(self._buckets) > _MAX_ADDRESSES:
            del self._buckets[next(iter(self._buckets))]
        return allowed

    def give_back(self, address: str) -> None:
        """Return an attempt that turned out well: it was no guess."""
        if (bucket := self._buckets.get(address)) is not None:
            self._buckets[address] = (min(self._capacity, bucket[0] + 1), bucket[1])
