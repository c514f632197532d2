"""All there is to tell of a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from forge_shared.job_messages import Incumbent, Job, Requirements
from forgectl import durations, figures, sizes
from forgectl.jobs import attempts, words
from forgectl.jobs.attempts import Numbered
from forgectl.output import local_time, printable

_LOGS_SHOWN: Final = 3
_LOG_LINES_SHOWN: Final = 20
_SOLUTIONS_SHOWN: Final = 8
_LONGEST_SHOWN: Final = 4000  # characters of a payload or a result
_LINES_SHOWN: Final = 40


def lines(job: Job) -> Iterator[str]:
    """Yield all there is to tell of a job."""
    yield words.title(job)
    for label, told in _facts(job):
        yield f"  {label:<12}{told}"
    for known in attempts.numbered(job.attempts):
        yield ""
        yield f"  {_attempt(known)}"
        if known.place > len(job.attempts) - _LOGS_SHOWN:
            yield from _log(known.attempt.log_tail)
    for label, document in (("payload", job.payload), ("result", job.result)):
        if (text := bytes(document).decode(errors="replace")) != "null":
            yield ""
            yield f"  {label}"
            yield from _document(text)


def _facts(job: Job) -> Iterator[tuple[str, str]]:
    yield "status", words.state(job)
    if told := words.progress(job):
        yield "progress", told
    if job.cancel_requested and job.status not in words.FINISHED:
        yield "cancel", "asked for; its worker stops it"
    by = f" by {printable(job.submitted_by)}" if job.submitted_by else ""
    yield "submitted", f"{local_time(job.created_at)}{by}"
    if job.claimed_by and job.claimed_at is not None:
        yield "claimed", f"{local_time(job.claimed_at)} by {printable(job.claimed_by)}"
    if job.finished_at is not None:
        yield "finished", local_time(job.finished_at)
    yield "attempts", f"{job.attempt_count} of {job.max_attempts}"
    yield "class", f"{job.resource_class.value}, priority {job.priority}"
    if told := _requirements(job.requires):
        yield "requires", told
    if told := ", ".join(_limits(job)):
        yield "limits", told
    if job.dedup_key is not None:
        yield "dedup key", printable(job.dedup_key)
    if job.incumbents:
        yield "solutions", _solutions(job.incumbents)
    for file in job.files:
        there = "" if file.received == file.size else f", {figures.size(file.received)} of it there"
        yield "file", f"{printable(file.name)}, {figures.size(file.size)}{there}"


def _requirements(wanted: Requirements) -> str:
    told = [
        wanted.os or "",
        f"{wanted.cores} cores" if wanted.cores else "",
        f"{sizes.told(wanted.memory_bytes)} of memory" if wanted.memory_bytes else "",
        f"tags {' '.join(wanted.tags)}" if wanted.tags else "",
        f"node {wanted.node}" if wanted.node else "",
        f"version {wanted.min_version} or later" if wanted.min_version else "",
    ]
    return printable(", ".join(filter(None, told)))


def _limits(job: Job) -> Iterator[str]:
    if job.deadline is not None:
        yield f"of no use after {local_time(job.deadline)}"
    if job.wall_limit_s is not None:
        yield f"{durations.told(job.wall_limit_s)} in all"
    if job.no_progress_limit_s is not None:
        yield f"{durations.told(job.no_progress_limit_s)} without progress"


def _solutions(found: Sequence[Incumbent]) -> str:
    # What is proved of the best there can be is told with the solution there was already.
    objectives = list(dict.fromkeys(each.objective for each in found))
    more = "… → " if len(objectives) > _SOLUTIONS_SHOWN else ""
    shown = " → ".join(words.number(each) for each in objectives[-_SOLUTIONS_SHOWN:])
    return f"{len(objectives)}: {more}{shown}"


def _attempt(known: Numbered) -> str:
    attempt = known.attempt
    if attempt.ended_at is None:
        ended, took = "running", ""
    else:
        ended = attempts.ending(attempt)
        took = f", took {figures.span(attempt.ended_at - attempt.started_at)}"
    return (
        f"{attempts.title(known)} on {printable(attempt.node_id)}, "
        f"{local_time(attempt.started_at)}{took}: {ended}"
    )


def _log(tail: str) -> Iterator[str]:
    found = tail.rstrip().split("\n") if tail.strip() else []
    if len(found) > _LOG_LINES_SHOWN:
        yield f"    | … {len(found) - _LOG_LINES_SHOWN} lines before; --json has them"
    for line in found[-_LOG_LINES_SHOWN:]:
        yield f"    | {printable(line.rstrip().expandtabs())}"


def _document(text: str) -> Iterator[str]:
    shown = msgspec.json.format(text, indent=2).split("\n") if len(text) <= _LONGEST_SHOWN else []
    if not 0 < len(shown) <= _LINES_SHOWN:
        yield f"    {figures.size(len(text.encode()))} of JSON; --json has it"
        return
    for line in shown:
        yield f"    {printable(line)}"
