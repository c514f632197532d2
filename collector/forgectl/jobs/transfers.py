"""Large payloads and results, to and fro in parts: after a cut they go on where they were."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from forge_shared import backoff
from forge_shared.job_messages import JobFile
from forgectl import output
from forgectl.client import Client, ClientError

PAYLOAD: Final = "payload"
RESULT: Final = "result"

# A part must pass in half a minute, also over a line of 300 kbit/s.
_PART_BYTES: Final = 1024 * 1024
_READ_BYTES: Final = 1024 * 1024
_MOST_FAILURES: Final = 8  # in a row: two minutes at most
# After a cut the part before may still be on its way, or may have arrived.
_PASSING: Final = frozenset({"file_conflict", "range_mismatch"})

Progress = Callable[[int], None]


class _Patience:
    """Waits after each failure, longer each time, until it is enough."""

    def __init__(self) -> None:
        self._failures = 0

    def renew(self) -> None:
        self._failures = 0

    def endure(self, error: ClientError) -> None:
        """Wait; raises the error instead when trying again would not help, or did not."""
        is_passing = self._failures > 0 and error.code in _PASSING
        self._failures += 1
        if (error.is_final and not is_passing) or self._failures > _MOST_FAILURES:
            raise error
        output.notice(f"{error} Going on …")
        time.sleep(backoff.full_jitter_s(self._failures, random.random()))  # noqa: S311


def path_of(job_id: str, name: str) -> str:
    return f"/api/jobs/{job_id}/files/{name}"


def upload(client: Client, job_id: str, body: bytes, progress: Progress) -> None:
    """Send a job's payload, or what is still missing of it; raises ClientError."""
    path, size = path_of(job_id, PAYLOAD), len(body)
    patience = _Patience()
    received: int | None = None  # not known: it is asked first
    while received != size:
        try:
            if received is None:
                part, part_range = b"", f"bytes */{size}"
            else:
                part = body[received : received + _PART_BYTES]
                part_range = f"bytes {received}-{received + len(part) - 1}/{size}"
            now = client.put_part(path, part, part_range, JobFile).received
        except ClientError as error:
            patience.endure(error)
            received = None
            continue
        if part:
            patience.renew()
        received = now
        progress(received)


def download(client: Client, job_id: str, file: JobFile, first: int = 0) -> Iterator[bytes]:
    """Yield a file's bytes from ``first`` on; raises ClientError."""
    patience = _Patience()
    at = first
    while at < file.size:
        try:
            with closing(client.bytes_from(path_of(job_id, file.name), at)) as chunks:
                for chunk in chunks:
                    at += len(chunk)
                    patience.renew()
                    yield chunk
        except ClientError as error:
            patience.endure(error)
        else:
            if at < file.size:
                patience.endure(ClientError("The collector broke off.", is_final=False))
    if at > file.size:
        raise ClientError(f"The collector sent {at:,} bytes, of a file of {file.size:,}.")


def download_to(
    target: Path, client: Client, job_id: str, file: JobFile, progress: Progress
) -> None:
    """Put a file in the target's place once it is whole and its hash is right.

    What an interrupted one left beside the target is gone on with; raises ClientError.
    """
    draft = target.with_name(f".{target.name}.{file.sha256[:12]}.part")
    try:
        digest, there = _digest_of(draft)
        if there > file.size:
            draft.unlink()
            digest, there = hashlib.sha256(), 0
        with draft.open("ab") as out:
            progress(there)
            for chunk in download(client, job_id, file, there):
                out.write(chunk)
                digest.update(chunk)
                there += len(chunk)
                progress(there)
        if digest.hexdigest() != file.sha256:
            draft.unlink()
            raise ClientError(f"What came is not what {file.name} should be; fetch it again.")
        draft.replace(target)
    except OSError as error:
        raise ClientError(f"{target} cannot be written: {error.strerror}.") from None


def checked(chunks: Iterator[bytes], file: JobFile) -> Iterator[bytes]:
    """Pass bytes on; raises ClientError at the end when they are not the file's."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != file.sha256:
        raise ClientError(f"What came is not what {file.name} should be; fetch it again.")


def _digest_of(draft: Path) -> tuple[hashlib._Hash, int]:
    digest, size = hashlib.sha256(), 0
    if draft.exists():
        with draft.open("rb") as file:
            while chunk := file.read(_READ_BYTES):
                digest.update(chunk)
                size += len(chunk)
    return digest, size
