"""The journal of leases: what this worker holds, on disk before it acts on it.

A claim's id is there before the claim is sent, so that a lost answer is asked for again; a lease is
there before its job starts, so that a worker that starts again gives back what the one before held,
and says whether that was told to stop.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from forge_agent import private_files
from forge_shared import identity

_FILE: Final = "journal.ndjson"
_COMPACT_BYTES: Final = 256 * 1024


class Lease(NamedTuple):
    """One that was given to this machine. ``job_id`` and ``lease`` name it."""

    job_id: str
    lease: str


class OpenClaim(NamedTuple):
    """A claim whose answer may never have come."""

    claim_id: str
    worker_id: str


class Journal:
    """Appended to, a line a fact, and written anew when it has grown. Usable from several threads.

    Raises OSError where it cannot be written: then nothing may be claimed.
    """

    def __init__(self, folder: Path, worker_id: str) -> None:
        self._path = folder / _FILE
        self._worker_id = worker_id
        self._lock = threading.Lock()
        self._leases: dict[str, Lease] = {}
        self._released: set[str] = set()
        self._is_told_to_stop = False
        self._claim: OpenClaim | None = None
        self._written_by: str | None = None
        self._read()
        self.left_claim, self.left_worker = self._left()
        self.left_leases = list(self._leases.values())
        self._fd = -1
        self._write_anew()

    def next_claim(self) -> str:
        """Return the id for the next claim; once it was answered with jobs, it is another."""
        with self._lock:
            if self._claim is None or self._claim.worker_id != self._worker_id:
                claim = OpenClaim(_new_id(), self._worker_id)
                self._append(_claim_line(claim), sync=True)
                self._claim = claim
            return self._claim.claim_id

    def leased(self, leases: Iterable[Lease]) -> None:
        """Note what the last claim has brought, and the id of the one after it."""
        with self._lock:
            new = list(leases)
            self._leases |= {lease.lease: lease for lease in new}
            claim = OpenClaim(_new_id(), self._worker_id)
            line = {**_claim_line(claim), "leased": [list(lease) for lease in new]}
            if self._is_told_to_stop:
                self._released |= {lease.lease for lease in new}
                line["released"] = True
            self._append(line, sync=True)
            self._claim = claim

    def forget_claim(self) -> None:
        """The last claim is settled, with nothing: the next one is another."""
        with self._lock:
            self._claim = None

    def release(self) -> None:
        """Note that this worker was told to stop: what it leaves is no fault of the jobs."""
        with self._lock:
            self._is_told_to_stop = True
            self._released = set(self._leases)
            with contextlib.suppress(OSError):
                self._append({"released": True}, sync=True)

    def is_released(self, lease: str) -> bool:
        with self._lock:
            return lease in self._released

    def ended(self, lease: str) -> None:
        """Forget a lease whose result is on disk, or which is lost. Should that be forgotten in a
        power cut, it is given back once more, and refused."""
        with self._lock:
            self._released.discard(lease)
            if self._leases.pop(lease, None) is not None:
                with contextlib.suppress(OSError):
                    self._append({"ended": lease}, sync=False)

    def close(self) -> None:
        with self._lock:
            os.close(self._fd)
            self._fd = -1

    def _append(self, line: dict[str, Any], *, sync: bool) -> None:
        size = os.fstat(self._fd).st_size
        if size > _COMPACT_BYTES:
            self._write_anew()
            size = os.fstat(self._fd).st_size
        # In one write: what a crash leaves of it has no end of line, and is not believed.
        content = json.dumps(line).encode() + b"\n"
        if os.write(self._fd, content) != len(content):
            os.ftruncate(self._fd, size)  # else the next line would be a part of this one
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        if sync:
            os.fsync(self._fd)

    def _write_anew(self) -> None:
        lines: list[dict[str, Any]] = [
            {"written_by": self._worker_id},
            {"leased": [list(one) for one in self._leases.values() if one.lease in self._released]},
            {"released": True},
            {
                "leased": [
                    list(one) for one in self._leases.values() if one.lease not in self._released
                ]
            },
        ]
        if self._claim is not None:
            lines.append(_claim_line(self._claim))
        content = "".join(json.dumps(line) + "\n" for line in lines)
        private_files.write(self._path, content.encode())
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        before, self._fd = self._fd, os.open(self._path, flags)
        if before >= 0:
            os.close(before)

    def _left(self) -> tuple[OpenClaim | None, str | None]:
        """Return the claim that was left open, and who wrote this last, which is no more: a folder
        has one worker at a time. This may have been another node once, of which nobody is told."""
        claim, worker_id = self._claim, self._written_by
        return (
            claim if claim is not None and self._is_of_this_node(claim.worker_id) else None,
            worker_id if worker_id is not None and self._is_of_this_node(worker_id) else None,
        )

    def _is_of_this_node(self, worker_id: str) -> bool:
        return _node_of(worker_id) == _node_of(self._worker_id)

    def _read(self) -> None:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        for text in content[: content.rfind(b"\n") + 1].splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
                self._take(json.loads(text))

    def _take(self, line: dict[str, Any]) -> None:
        if "written_by" in line:
            self._written_by = str(line["written_by"])
        for job_id, lease in line.get("leased", []):
            self._leases[str(lease)] = Lease(str(job_id), str(lease))
        if "released" in line:
            self._released = set(self._leases)
        if "claim_id" in line:
            self._claim = OpenClaim(str(line["claim_id"]), str(line["worker_id"]))
        if "ended" in line:
            self._leases.pop(str(line["ended"]), None)


def _node_of(worker_id: str) -> str:
    return worker_id.rpartition(".")[0]


def _new_id() -> str:
    """Return an id for a claim. In the collector's index those of one time stand together."""
    return identity.uuid7(int(time.time() * 1000))


def _claim_line(claim: OpenClaim) -> dict[str, Any]:
    return {"claim_id": claim.claim_id, "worker_id": claim.worker_id}
