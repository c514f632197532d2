"""Which job is meant by an id that was typed, or by its beginning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode

from forge_shared.job_messages import Job, Jobs, JobSummary
from forge_shared.messages import BOOT_ID_PATTERN
from forgectl import ids
from forgectl.client import Client

_MOST_OF_A_PAGE: Final = 500
_WHOLE = re.compile(BOOT_ID_PATTERN)


def meant(client: Client, typed: str) -> str:
    """Return the id of the job that is meant; raises ClientError."""
    typed = typed.strip().lower()
    if _WHOLE.fullmatch(typed):
        return typed
    is_long_enough = len(typed) >= ids.SHORTEST
    found = listed(client, {"q": typed}, _MOST_OF_A_PAGE) if is_long_enough else []
    return ids.meant(typed, [job.id for job in found], "job")


def job(client: Client, typed: str) -> Job:
    """Return the job that is meant; raises ClientError."""
    return client.get(f"/api/jobs/{meant(client, typed)}", Job)


def listed(client: Client, filters: dict[str, str], limit: int) -> list[JobSummary]:
    """Return that many jobs, newest first; raises ClientError."""
    return [job for page in pages(client, filters, limit) for job in page.jobs]


def pages(client: Client, filters: dict[str, str], limit: int) -> Iterator[Jobs]:
    """Yield pages of jobs, newest first, with as many jobs together as the limit says."""
    left = limit
    before: dict[str, str] = {}
    while left > 0:
        asked = {**filters, **before, "limit": str(min(left, _MOST_OF_A_PAGE))}
        page = client.get(f"/api/jobs?{urlencode(asked)}", Jobs)
        yield page
        left -= len(page.jobs)
        if page.next is None:
            return
        before = {"before": page.next}
