"""Payloads, results and checkpoints that are too large for a message: files of a job, carried in
parts, going on where a broken connection left off."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from forge_agent.work.collector import Line, RefusedError, UnansweredError
from forge_agent.work.kept import MOST_FILE_BYTES

PART_BYTES: Final = 4 * 1024 * 1024
_PART_TIMEOUT_S: Final = 60.0


class BrokenFileError(Exception):
    """The file that came is not the one that was announced; the message says how."""


# Below, ``held`` is a job's id and its lease.


def digest(path: Path) -> dict[str, Any]:
    """Return size and SHA-256 of a file, as messages name them; raises OSError."""
    sha256 = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            sha256.update(part)
            size += len(part)
    return {"size": size, "sha256": sha256.hexdigest()}


def download(
    line: Line,
    held: tuple[str, str],
    name: str,
    wanted: Any,
    path: Path,
    *,
    goes_on: Callable[[], bool],
) -> None:
    """Fetch what is still missing of a file, while it ``goes_on``. Raises UnansweredError,
    RefusedError, OSError, or BrokenFileError when all of it is there and wrong."""
    job_id, lease = held
    size = int(wanted["size"])
    if size > MOST_FILE_BYTES:
        raise BrokenFileError(f"the {name} that was announced is larger than files may be")
    received = path.stat().st_size if path.exists() else 0
    with path.open("ab") as file:
        while received < size:
            if not goes_on():
                return
            last = min(size, received + PART_BYTES) - 1
            reply = line.request(
                "GET",
                _path_of(job_id, name),
                b"",
                {"Forge-Lease": lease, "Range": f"bytes={received}-{last}"},
                timeout_s=_PART_TIMEOUT_S,
            )
            if reply.status != 206 and received:
                raise UnansweredError("the answer is not the part that was asked for")
            if not reply.body:
                raise UnansweredError("the file came without its bytes")
            file.write(reply.body)
            received += len(reply.body)
    if digest(path) != {"size": size, "sha256": wanted["sha256"]}:
        path.unlink()
        raise BrokenFileError(f"the {name} that came is not the one that was announced")


def upload(line: Line, held: tuple[str, str], name: str, path: Path) -> None:
    """Send what the collector lacks of a file. Raises UnansweredError, RefusedError, OSError."""
    try:
        _upload(line, held, name, path)
    except RefusedError as error:
        # A part that we took for lost was not, or another is still on its way.
        if error.code in {"file_conflict", "range_mismatch"}:
            raise UnansweredError(str(error)) from None
        raise


def _upload(line: Line, held: tuple[str, str], name: str, path: Path) -> None:
    job_id, lease = held
    announced = digest(path)
    headers = {"Forge-Lease": lease, "Forge-Sha256": announced["sha256"]}
    size = announced["size"]
    received = _received(
        line.request(
            "PUT", _path_of(job_id, name), b"", {**headers, "Content-Range": f"bytes */{size}"}
        ).body
    )
    with path.open("rb") as file:
        while received < size:
            file.seek(received)
            part = file.read(PART_BYTES)
            content_range = f"bytes {received}-{received + len(part) - 1}/{size}"
            reply = line.request(
                "PUT",
                _path_of(job_id, name),
                part,
                {
                    **headers,
                    "Content-Type": "application/octet-stream",
                    "Content-Range": content_range,
                },
                timeout_s=_PART_TIMEOUT_S,
            )
            before, received = received, _received(reply.body)
            if received <= before:
                raise UnansweredError("the file does not grow")


def _path_of(job_id: str, name: str) -> str:
    return f"/api/jobs/{quote(job_id, safe='')}/files/{quote(name, safe='')}"


def _received(body: bytes) -> int:
    try:
        return int(json.loads(body)["received"])
    except (ValueError, TypeError, KeyError):
        raise UnansweredError("the answer is not a collector's") from None
