"""Bringing an archive to disk, piece by piece, and checking that it is the one that was signed."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Final, NamedTuple

from forge_agent.update.release import Archive
from forge_agent.update.sources import MissingError, Source, SourceError

PIECE_BYTES: Final = 256 * 1024  # each within a request's 10 s: 26 kB/s will do


class Patience(NamedTuple):
    """``waits_s``: between attempts that fail in a row; ``limit_s``: for all of it."""

    waits_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
    limit_s: float = 1800.0


class DownloadError(Exception):
    """The archive is not there; the message says why."""


class Download:
    """One archive from one source, within the patience there is."""

    def __init__(self, source: Source, archive: Archive, patience: Patience | None = None) -> None:
        self._source = source
        self._archive = archive
        self._patience = patience or Patience()
        self._until_s = time.monotonic() + self._patience.limit_s

    def fetch(self, path: Path) -> None:
        """Have the archive at ``path``; raises DownloadError, or OSError of the disk.

        What an attempt before has left there is gone on with. If that turns out to be something
        else, all is fetched anew, once.
        """
        had_some = path.exists()
        if self._fetched(path) or (had_some and self._fetched(path)):
            return
        raise DownloadError(
            f"{self._archive.name} is not the file that was signed. Nothing was installed; the"
            " release must be signed again."
        )

    def _fetched(self, path: Path) -> bool:
        """Fetch what is missing; return whether the whole has the right hash, or remove it."""
        digest = hashlib.sha256()
        size = self._archive.size
        with path.open("a+b") as file:
            if file.tell() > size:
                file.truncate(0)
            file.seek(0)
            while piece := file.read(PIECE_BYTES):
                digest.update(piece)
            while (done := file.tell()) < size:
                piece = self._piece(done, min(PIECE_BYTES, size - done))
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() == self._archive.sha256:
            return True
        path.unlink()
        return False

    def _piece(self, start: int, length: int) -> bytes:
        failure = SourceError("it takes too long")
        for wait_s in (0.0, *self._patience.waits_s):
            time.sleep(wait_s)
            if time.monotonic() > self._until_s:
                break
            try:
                return self._source.part(self._archive.name, start, length)
            except MissingError as error:
                failure = error
                break
            except SourceError as error:
                failure = error
        raise DownloadError(
            f"The download of {self._archive.name} broke off at {start:,} of"
            f" {self._archive.size:,} bytes: {failure}. Nothing was installed; update again to go"
            " on from there."
        )
