"""What the routes of jobs have in common: whose jobs a caller sees, and how refusals are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
from aiohttp import web

from forge_collector.db import Tx
from forge_collector.http.auth import Principal
from forge_collector.http.problems import ProblemError, invalid, not_found
from forge_collector.jobs import rules, store
from forge_shared.job_messages import MAX_INLINE_BYTES
from forge_shared.messages import BOOT_ID_PATTERN, FieldError, Role

LEASE_HEADER: Final = "Forge-Lease"
_JOB_ID = re.compile(BOOT_ID_PATTERN)


def owner_seen(principal: Principal) -> str | None:
    """Return whose jobs the caller sees and nobody else's; None: everybody's."""
    return principal.owner_id if principal.role is Role.SUBMITTER else None


def check_is_seen(tx: Tx, job_id: str, owner_id: str | None) -> None:
    """Raise NoSuchJobError for a job that the caller does not see."""
    if owner_id is not None and store.submitter_of(tx, job_id) != owner_id:
        raise rules.NoSuchJobError(job_id)


def lease_of(request: web.Request) -> str | None:
    """Return the lease that a request names; what cannot be one, as the store could not look it up,
    is none."""
    lease = request.headers.get(LEASE_HEADER)
    return lease if lease is not None and lease.isascii() else None


def job_id_of(text: str) -> str:
    """Return a job's id from an address; raises ProblemError 404 for what cannot be one."""
    if not _JOB_ID.fullmatch(text):
        raise _no_job(text)
    return text


@contextmanager
def refusals_told(job_id: str) -> Iterator[None]:
    """Make problems of what the queue refuses."""
    try:
        yield
    except rules.RefusedError as error:
        raise ProblemError(error.code, str(error)) from None
    except rules.NoSuchJobError:
        raise _no_job(job_id) from None


def check_inline(field: str, document: msgspec.Raw | msgspec.UnsetType) -> None:
    """Raise ProblemError for JSON that is too large to stand in a message, or cannot be read."""
    if document is msgspec.UNSET:
        return
    if is_too_large(document):
        raise ProblemError(
            "too_large",
            f"{field} holds {MAX_INLINE_BYTES:,} bytes at most; send what is larger as a file.",
        )
    try:
        # Raw bytes were looked at for their ends alone.
        msgspec.json.decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(field, f"it is no JSON that can be read again: {error}") from None


def payload_not_taken(job_type: str, faults: list[FieldError]) -> ProblemError:
    return ProblemError(
        "payload_invalid",
        f"{faults[0].field}: {faults[0].detail}. `forgectl jobs types --json`, or GET "
        f"/api/workers, has the schema that {job_type} wants.",
        errors=faults,
    )


def is_too_large(document: msgspec.Raw | msgspec.UnsetType) -> bool:
    return document is not msgspec.UNSET and len(bytes(document)) > MAX_INLINE_BYTES


def _no_job(job_id: str) -> ProblemError:
    return not_found(f"job {job_id[:64]!r}")
