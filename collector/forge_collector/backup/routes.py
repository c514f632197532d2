"""A copy of the store over HTTP, for ``forge-collector backup`` beside a running collector.

The caller says nothing but that it wants one: where it is kept is the caller's own affair, so that
no request makes the collector write to a place that somebody else names.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import structlog
from aiohttp import web

from forge_collector.db import Database
from forge_collector.http.auth import Authenticator, Principal, check_still_valid
from forge_collector.http.problems import RETRY_AFTER_FULL_S, RETRY_AFTER_S, ProblemError
from forge_collector.http.routing import ADMIN, Call, Route

_log = structlog.get_logger()

MEDIA_TYPE: Final = "application/vnd.sqlite3"
_DRAFT: Final = "backup.draft"
_CHUNK_BYTES: Final = 1024 * 1024
_STALLED_S: Final = 60.0
_LOOK_EVERY_S: Final = 0.2
_TURN_WAIT_S: Final = 1.0  # for the end of one whose last bytes are on their way
# Pushes come before backups: so much of the disk is left to them.
_ROOM_LEFT_BYTES: Final = 128 * 1024 * 1024


def remove_leftover(folder: Path) -> None:
    """Remove the copy that a collector which was killed has left."""
    (folder / _DRAFT).unlink(missing_ok=True)


class BackupRoutes:
    """``folder``: where the copy is made, on the store's own disk."""

    def __init__(self, db: Database, folder: Path, authenticator: Authenticator) -> None:
        self._db = db
        self._folder = folder
        self._authenticator = authenticator
        self._one_at_a_time = asyncio.Lock()

    def routes(self) -> list[Route[Any]]:
        return [
            Route(
                "GET",
                "/api/backup",
                ADMIN,
                self.backup,
                "The whole store as one SQLite file, as it is when the copy is made",
                replies={200: MEDIA_TYPE},
                problems=("overloaded", "storage_full", "storage_failed"),
            )
        ]

    async def backup(self, call: Call[None]) -> web.StreamResponse:
        async with self._alone(), self._copy(call.request) as file:
            return await self._send(call.request, call.principal, file)

    @property
    def _draft(self) -> Path:
        return self._folder / _DRAFT

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_TURN_WAIT_S):
                await self._one_at_a_time.acquire()
        except TimeoutError:
            raise ProblemError(
                "overloaded",
                "Another backup is being taken; try again when it is done.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            ) from None
        try:
            yield
        finally:
            self._one_at_a_time.release()

    @asynccontextmanager
    async def _copy(self, request: web.Request) -> AsyncIterator[BinaryIO]:
        """Copy the store to a draft, and open it; in the end it is gone."""
        self._check_room(sum(self._db.footprint()))
        stop = threading.Event()
        copying = asyncio.ensure_future(self._db.copy(self._draft, stop))
        try:
            while not copying.done():
                await asyncio.wait({copying}, timeout=_LOOK_EVERY_S)
                self._check_room(0)
                if request.transport is None or request.transport.is_closing():
                    raise ConnectionResetError("the caller has left")
            await copying
            with self._draft.open("rb") as file:
                with suppress(PermissionError):  # where open files cannot be removed
                    self._draft.unlink()
                yield file
        finally:
            stop.set()
            await asyncio.gather(copying, return_exceptions=True)
            self._draft.unlink(missing_ok=True)

    def _check_room(self, bytes_to_write: int) -> None:
        free_bytes = shutil.disk_usage(self._folder).free
        if free_bytes >= bytes_to_write + _ROOM_LEFT_BYTES:
            return
        needed = (bytes_to_write + _ROOM_LEFT_BYTES) // 1_000_000
        raise ProblemError(
            "storage_full",
            f"A backup passes through the collector's data folder, which has "
            f"{free_bytes // 1_000_000:,} MB free; it needs {needed:,} MB. Make room, then try "
            "again.",
            headers={"Retry-After": str(RETRY_AFTER_FULL_S)},
        )

    async def _send(
        self, request: web.Request, principal: Principal, file: BinaryIO
    ) -> web.StreamResponse:
        length = file.seek(0, 2)
        file.seek(0)
        response = web.StreamResponse(
            headers={
                "Content-Type": MEDIA_TYPE,
                "Content-Length": str(length),
                "Content-Disposition": 'attachment; filename="fleet.db"',
            }
        )
        # It may have taken minutes; who was revoked meanwhile gets none of it.
        check_still_valid(principal, self._authenticator)
        await response.prepare(request)
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            if not self._authenticator.is_valid(principal):
                break  # short of what was announced, and so of no use
            try:
                async with asyncio.timeout(_STALLED_S):
                    await response.write(chunk)
            except TimeoutError:
                break
        else:
            await response.write_eof()
            _log.info("backup taken", bytes=length)
            return response
        if request.transport is not None:
            request.transport.abort()
        return response
