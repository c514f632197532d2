"""What came of a job: printed, or put in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from forge_shared.job_messages import Job, JobError, JobFile, JobStatus
from forgectl import figures, output
from forgectl.client import Client, ClientError
from forgectl.jobs import bars, transfers

_STDOUT: Final = "-"


class Outcome(Struct, omit_defaults=True):
    """A job's end, for programs."""

    id: str
    status: JobStatus
    result: Raw | UnsetType = UNSET
    error: JobError | None = None


def deliver(client: Client, job: Job, target: Path | None) -> None:
    """Print the result, or put it in the target's place; raises ClientError."""
    file = _file(job)
    to_file = target is not None and str(target) != _STDOUT
    if file is None:
        text = msgspec.json.format(bytes(job.result), indent=2) + b"\n"
        if to_file and target is not None:
            _write(target, text)
        else:
            output.data(text.decode(errors="replace"))
    elif to_file and target is not None:
        with bars.bytes_shown("Downloading", file.size) as progress:
            transfers.download_to(target, client, job.id, file, progress)
    elif sys.stdout.isatty():
        raise ClientError(f"It has {figures.size(file.size)}: say with -o where to put it.")
    else:
        for chunk in transfers.checked(transfers.download(client, job.id, file), file):
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def as_json(client: Client, job: Job) -> None:
    """Print how it ended, with its result; raises ClientError."""
    outcome = Outcome(job.id, job.status, error=job.error)
    if job.status is JobStatus.SUCCEEDED:
        outcome.result = _whole(client, job)
    output.as_json(outcome)


def _whole(client: Client, job: Job) -> Raw:
    file = _file(job)
    if file is None:
        return job.result
    chunks = transfers.checked(transfers.download(client, job.id, file), file)
    return Raw(b"".join(chunks))


def _file(job: Job) -> JobFile | None:
    return next((file for file in job.files if file.name == transfers.RESULT), None)


def _write(target: Path, text: bytes) -> None:
    try:
        target.write_bytes(text)
    except OSError as error:
        raise ClientError(f"{target} cannot be written: {error.strerror}.") from None
