"""Sending a job: once, also where the reply to it is lost."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from forge_shared import backoff
from forge_shared.job_messages import (
    MAX_INLINE_BYTES,
    FileDigest,
    JobStatus,
    JobSubmission,
    SubmittedJob,
)
from forgectl import output
from forgectl.client import Client, ClientError
from forgectl.jobs import bars, transfers

_MOST_TRIES: Final = 6
_REFUSED: Final = "payload_invalid"

T = TypeVar("T")


def submit(client: Client, job_id: str, wanted: JobSubmission, payload: bytes) -> SubmittedJob:
    """Submit a job with this id, and upload its payload where that is too large for a message.

    Again with the same id and payload, it goes on where it was cut off; raises ClientError.
    """
    is_file = len(payload) > MAX_INLINE_BYTES
    submission = msgspec.structs.replace(
        wanted,
        id=job_id,
        payload=msgspec.Raw(b"null" if is_file else payload),
        payload_file=_digest(payload) if is_file else None,
    )
    try:
        submitted = until_answered(lambda: client.post("/api/jobs", submission, SubmittedJob))
    except ClientError as error:
        if not error.was_sent:
            raise
        raise ClientError(f"{error} It may be there all the same: {_again(job_id)}.") from None
    # One that has this dedup_key, and not this id, is somebody else's to bring the payload of.
    if is_file and submitted.id == job_id and submitted.status is JobStatus.WAITING:
        try:
            with bars.bytes_shown("Uploading", len(payload)) as progress:
                transfers.upload(client, job_id, payload, progress)
        except ClientError as error:
            if error.code == _REFUSED:
                raise  # the job has failed by that, and the same again would have the same answer
            raise ClientError(f"{error} {_to_go_on(job_id)}") from None
        except KeyboardInterrupt:
            output.notice(f"Interrupted. {_to_go_on(job_id)}")
            raise
    return submitted


def until_answered(send: Callable[[], T], *, was_sent: bool = False) -> T:
    """Send jobs until there is an answer: the same ids again make no second jobs. ``was_sent``: the
    collector has answered before, so it is worth being patient from the first time on."""
    tries = 0
    while True:
        try:
            return send()
        except ClientError as error:
            tries += 1
            was_sent = was_sent or error.was_sent
            if error.is_final or not was_sent or tries == _MOST_TRIES:
                error.was_sent = was_sent
                raise
            output.notice(f"{error} Trying again …")
        time.sleep(backoff.full_jitter_s(tries, random.random()))  # noqa: S311  no secret


def _digest(payload: bytes) -> FileDigest:
    return FileDigest(len(payload), hashlib.sha256(payload).hexdigest())


def _again(job_id: str) -> str:
    return f"the same command with --id {job_id} makes no second job"


def _to_go_on(job_id: str) -> str:
    return f"To go on with it, run the same command with --id {job_id}."
