"""Where a release comes from: the collector, or a folder. Neither is trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from forge_agent.transport import Connection, TransportError
from forge_shared import __version__


class SourceError(Exception):
    """It did not come; the message says why. It may come another time."""


class MissingError(SourceError):
    """There is no such file there."""


class Source(Protocol):
    name: str

    def whole(self, file: str, limit_bytes: int) -> bytes:
        """Return a small file; raises SourceError, also when it is larger than that."""

    def part(self, file: str, start: int, length: int) -> bytes:
        """Return so many bytes of a file from there on; raises SourceError."""

    def close(self) -> None: ...


class Collector:
    """``GET /api/releases/…``. No credential goes with it: releases are open to all."""

    name = "The collector"

    def __init__(self, url: str, ca_file: Path | None) -> None:
        self._connection = Connection(url, ca_file=ca_file)

    def whole(self, file: str, limit_bytes: int) -> bytes:
        status, body = self._get(file, {})
        if status != 200 or not 0 < len(body) <= limit_bytes:
            raise SourceError(f"it answers {status} with {len(body)} bytes for {file}")
        return body

    def part(self, file: str, start: int, length: int) -> bytes:
        status, body = self._get(file, {"Range": f"bytes={start}-{start + length - 1}"})
        if status != 206 or len(body) != length:
            raise SourceError(f"it answers {status} with {len(body)} bytes for {length} of {file}")
        return body

    def close(self) -> None:
        self._connection.close()

    def _get(self, file: str, headers: dict[str, str]) -> tuple[int, bytes]:
        agent = {"User-Agent": f"forge-agent/{__version__}"}
        try:
            reply = self._connection.get(f"/api/releases/{file}", {**agent, **headers})
        except TransportError as error:
            raise SourceError(str(error)) from None
        if reply.status == 404:
            raise MissingError(f"it has no {file}")
        return reply.status, reply.body


class Folder:
    """A folder with the same files, for machines that are not to ask the collector."""

    name = "The folder"

    def __init__(self, path: Path) -> None:
        self._path = path

    def whole(self, file: str, limit_bytes: int) -> bytes:
        if not self._path.is_dir():
            raise SourceError(f"there is no folder {self._path}")
        body = self._read(file, 0, limit_bytes + 1)
        if len(body) > limit_bytes:
            raise SourceError(f"{self._path / file} is too large")
        return body

    def part(self, file: str, start: int, length: int) -> bytes:
        body = self._read(file, start, length)
        if len(body) != length:
            raise SourceError(f"{self._path / file} ends at {start + len(body)} bytes")
        return body

    def close(self) -> None:
        """Nothing is kept open."""

    def _read(self, file: str, start: int, length: int) -> bytes:
        try:
            with (self._path / file).open("rb") as opened:
                opened.seek(start)
                return opened.read(length)
        except FileNotFoundError:
            raise MissingError(f"there is no {self._path / file}") from None
        except OSError as error:
            raise SourceError(f"{self._path / file}: {error.strerror}") from None
