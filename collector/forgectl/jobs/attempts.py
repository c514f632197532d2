"""A job's attempts in words, numbered as they came, as on the page: what the collector counts
begins anew with each retry, and leaves out what is not charged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from forge_shared.job_messages import Attempt, AttemptOutcome
from forgectl.jobs import words

_UNCHARGED: Final = frozenset(
    {AttemptOutcome.YIELDED, AttemptOutcome.UNSTARTED, AttemptOutcome.CANCELLED}
)


class Numbered(NamedTuple):
    """``place``: from 1, whether it was charged or not. ``is_retry``: the first one since somebody
    had the job tried again."""

    attempt: Attempt
    place: int
    is_charged: bool
    is_retry: bool


def numbered(attempts: Sequence[Attempt]) -> list[Numbered]:
    """``attempts``: oldest first."""
    found: list[Numbered] = []
    for place, attempt in enumerate(attempts, 1):
        is_retry = place > 1 and _is_retried(attempts[place - 2], attempt)
        found.append(Numbered(attempt, place, attempt.outcome not in _UNCHARGED, is_retry))
    return found


def _is_retried(before: Attempt, after: Attempt) -> bool:
    if before.outcome is AttemptOutcome.CANCELLED:
        return True
    # The next attempt after one that was not charged has the same number.
    return after.number < before.number + (before.outcome not in _UNCHARGED)


def title(known: Numbered) -> str:
    """Return which attempt it is, with what is to be known of its number."""
    remarks = [
        *([] if known.is_charged else ["not charged"]),
        *(["the first after a retry"] if known.is_retry else []),
    ]
    return f"attempt {known.place}" + (f" ({', '.join(remarks)})" if remarks else "")


def ending(attempt: Attempt) -> str:
    """Return how an attempt ended, and why."""
    outcome = attempt.outcome.value if attempt.outcome else "ended"
    if attempt.error is None:
        return outcome.replace("_", " ")
    why = words.failure(attempt.error)
    # Often the code of the error is the outcome itself.
    return why if attempt.error.code == outcome else f"{outcome.replace('_', ' ')}: {why}"
