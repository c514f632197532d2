"""Jobs: submitted, watched, ended, fetched."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource
from msgspec import Struct

from forge_shared import identity
from forge_shared.job_messages import (
    Job,
    Jobs,
    JobStatus,
    JobSubmission,
    Requirements,
    ResourceClass,
    SubmittedJobs,
    Workers,
)
from forge_shared.messages import BOOT_ID_PATTERN
from forgectl import durations, login, moments, output
from forgectl.client import Client, ClientError
from forgectl.commands.running import json_option, reports_errors
from forgectl.jobs import (
    batches,
    details,
    finding,
    listing,
    needs,
    payloads,
    results,
    submitting,
    types,
    watching,
    words,
)

_INTERRUPTED: Final = 130  # as shells have it: 128 + SIGINT
_LONGEST_S: Final = 30 * 86_400
_CODES: Final = {
    JobStatus.SUCCEEDED: 0,
    JobStatus.FAILED: 3,
    JobStatus.CANCELLED: 4,
}
_UNFINISHED: Final = 5
_OF_A_BATCH: Final = frozenset({"batch", "job_id", "as_json"})
_UUID = re.compile(BOOT_ID_PATTERN)
_LONGEST_NAME: Final = 64


class Told(Struct, omit_defaults=True):
    """What became of a job that was to be cancelled or tried again. ``error``: why nothing."""

    id: str
    status: JobStatus | None = None
    error: str | None = None


@click.group("jobs")
def jobs() -> None:
    """Submit jobs, watch them, and fetch their results.

    JOB_ID is a job's id, or the beginning of it.
    """


# --- submitting -------------------------------------------------------------------------------


def _a_duration(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        seconds = durations.read_s(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if not 1 <= seconds <= _LONGEST_S:
        raise click.BadParameter(f"{text!r} is not between 1s and 30d.")
    return seconds


def _a_moment_ahead(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> int | None:
    if text is None:
        return None
    try:
        return moments.read_ahead(text, time.time_ns() // 1_000_000)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _requirements(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> Requirements:
    try:
        return needs.read(texts)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _an_id(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text is not None and not _UUID.fullmatch(text):
        raise click.BadParameter(f"{text!r} is no UUID in lower case.")
    return text


@jobs.command("submit")
@click.argument("job_type", metavar="TYPE", required=False)
@click.argument("source", metavar="[FILE|-]", required=False)
@click.option("--name", help="What people call it; by default the file's name.")
@click.option(
    "--priority",
    type=click.IntRange(-100, 100),
    default=0,
    show_default=True,
    help="Higher ones go first; each point is worth a minute of waiting.",
)
@click.option(
    "--require",
    "requires",
    multiple=True,
    callback=_requirements,
    help=f"What a machine must have: {needs.HELP}; may be repeated.",
)
@click.option(
    "--class",
    "resource_class",
    type=click.Choice([each.value for each in ResourceClass]),
    help="What it mostly uses; by default what its type says.",
)
@click.option("--delay", "delay_s", callback=_a_duration, help="Start no earlier: 10m, 2h.")
@click.option(
    "--deadline",
    callback=_a_moment_ahead,
    help=f"When it is of no use any more: {moments.HELP_AHEAD}.",
)
@click.option(
    "--wall-limit", "wall_limit_s", callback=_a_duration, help="Stop an attempt after so long."
)
@click.option(
    "--no-progress-limit",
    "no_progress_limit_s",
    callback=_a_duration,
    help="Stop an attempt that reports no progress for so long.",
)
@click.option(
    "--attempts",
    type=click.IntRange(1, 20),
    help="How often to try; by default what its type says.",
)
@click.option(
    "--dedup-key", metavar="KEY", help="While a job with this key is unfinished, make no other."
)
@click.option(
    "--id",
    "job_id",
    metavar="UUID",
    callback=_an_id,
    help="Its id; the same again makes no second job, and goes on with its upload.",
)
@click.option(
    "--batch",
    metavar="FILE|-",
    help="Submit many jobs: each line of FILE is one, as JSON. --id is the batch's then.",
)
@click.option("--watch", "watches", is_flag=True, help="Watch it until it is over.")
@json_option
@reports_errors
def submit(
    job_type: str | None,
    source: str | None,
    *,
    batch: str | None,
    job_id: str | None,
    watches: bool,
    as_json: bool,
    **options: Any,  # as JobSubmission has them, but for the class and the attempts
) -> int | None:
    """Submit a job of TYPE with the payload in FILE.

    FILE holds JSON; for prodplan also a plan as JSPLIB, FJSPLIB or PSPLIB has it. What is larger
    than 1 MiB is uploaded in parts. Without FILE, what is piped in is the payload. The new job's
    id is printed.

    With --batch, and without TYPE: many jobs, and their ids.
    """
    if batch is not None:
        return _submit_batch(batch, job_id, as_json=as_json)
    if job_type is None:
        raise click.UsageError("Missing argument 'TYPE'.")
    payload = payloads.read(job_type, source)
    wanted = JobSubmission(
        type=job_type,
        name=options["name"] or _name_of(source),
        priority=options["priority"],
        requires=options["requires"],
        resource_class=_class(options["resource_class"]),
        delay_s=options["delay_s"] or 0,
        deadline=options["deadline"],
        wall_limit_s=options["wall_limit_s"],
        no_progress_limit_s=options["no_progress_limit_s"],
        max_attempts=options["attempts"],
        dedup_key=options["dedup_key"],
    )
    client = login.client()
    job_id = job_id or identity.uuid7(time.time_ns() // 1_000_000)
    submitted = submitting.submit(client, job_id, wanted, payload)
    if submitted.deduplicated:
        output.notice("There is one already, and this is it.")
    if not watches:
        if as_json:
            output.as_json(submitted)
        else:
            click.echo(output.printable(submitted.id))
        return None
    return _watched(client, submitted.id, as_json=as_json)


def _submit_batch(source: str, batch_id: str | None, *, as_json: bool) -> int | None:
    """Submit what a file's lines say, and print what became of them as it is known."""
    _check_the_lines_say_it_all()
    all_told = SubmittedJobs([], [])

    def tell(told: SubmittedJobs) -> None:
        all_told.jobs += told.jobs
        all_told.refused += told.refused
        for refused in told.refused:
            output.notice(f"Line {refused.line}: {refused.detail}")
        if not as_json:
            # The rest is submitted also when nobody reads the ids any more.
            with output.until_closed():
                for job in told.jobs:
                    click.echo(output.printable(job.id))

    batch_id = batch_id or identity.uuid7(time.time_ns() // 1_000_000)
    batches.submit(login.client(), source, batch_id, tell)
    if as_json:
        output.as_json(all_told)
    known = sum(job.deduplicated for job in all_told.jobs)
    if known:
        output.notice(f"{known} of them were there already.")
    if not all_told.refused:
        return None
    lines = len(all_told.jobs) + len(all_told.refused)
    output.notice(f"Refused: {len(all_told.refused)} of {lines} lines.")
    return 1


def _check_the_lines_say_it_all() -> None:
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        is_given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if is_given and name not in _OF_A_BATCH:
            raise click.UsageError(
                f"With --batch the lines say all about their jobs: leave out "
                f"{parameter.get_error_hint(context)}."
            )


def _class(text: str | None) -> ResourceClass | None:
    return None if text is None else ResourceClass(text)


def _name_of(source: str | None) -> str | None:
    if source is None or source == payloads.STDIN:
        return None
    name = output.printable(Path(source).name.encode(errors="replace").decode())
    return name[:_LONGEST_NAME] or None


@jobs.command("types")
@json_option
@reports_errors
def list_types(as_json: bool) -> None:
    """List the types of job that there are.

    With --json: also the schemas of their payloads.
    """
    found = login.client().get("/api/workers", Workers).types
    if as_json:
        output.as_json(found)
    elif found:
        output.table(types.COLUMNS, map(types.row, found))
    else:
        output.notice("No worker has offered any yet: `forge-agent work on`.")


# --- looking ----------------------------------------------------------------------------------


@jobs.command("list")
@click.option("--status", type=click.Choice([each.value for each in JobStatus]))
@click.option("--type", "job_type", help="Jobs of this type.")
@click.option("--node", "node_id", metavar="NODE_ID", help="Those that it works on, or did last.")
@click.option("--search", metavar="TEXT", help="In the name, or at the beginning of the id.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many."
)
@json_option
@reports_errors
def list_jobs(
    status: str | None,
    job_type: str | None,
    node_id: str | None,
    search: str | None,
    *,
    limit: int,
    as_json: bool,
) -> None:
    """List jobs, the newest first; with a submitter's token its own."""
    filters = {"status": status, "type": job_type, "node": node_id, "q": search}
    given = {key: value for key, value in filters.items() if value is not None}
    *before, last = finding.pages(login.client(), given, limit)
    found = [job for page in (*before, last) for job in page.jobs]
    if as_json:
        output.as_json(Jobs(found, last.counts, last.next))
        return
    console = output.console()
    if found:
        console.print(listing.table(found, console), crop=False)
    elif given:
        output.notice("No job is like that.")
    more = " More of these: --limit." if last.next is not None else ""
    output.notice(f"In all: {listing.counted(last.counts)}.{more}")


@jobs.command("show")
@click.argument("job_id")
@json_option
@reports_errors
def show(job_id: str, as_json: bool) -> None:
    """Show all of a job: why it waits, its attempts with logs, its result."""
    job = finding.job(login.client(), job_id)
    if as_json:
        output.as_json(job)
    else:
        for line in details.lines(job):
            click.echo(line)


@jobs.command("watch")
@click.argument("job_id")
@json_option
@reports_errors
def watch(job_id: str, as_json: bool) -> int | None:
    """Watch a job until it is over; Ctrl-C leaves it running.

    Ends with 0 when it succeeded, with 3 when it failed, with 4 when it was cancelled.
    """
    client = login.client()
    return _watched(client, finding.meant(client, job_id), as_json=as_json)


def _watched(client: Client, job_id: str, *, as_json: bool) -> int:
    try:
        job = watching.until_over(client, job_id, as_json=as_json)
    except KeyboardInterrupt:
        output.notice(
            f"It goes on. `forgectl jobs watch {job_id}` shows it again, `forgectl jobs cancel "
            f"{job_id}` ends it."
        )
        return _INTERRUPTED
    return _CODES[job.status]


@jobs.command("result")
@click.argument("job_id")
@click.option(
    "-o",
    "--output",
    "target",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to; by default it is printed.",
)
@json_option
@reports_errors
def result(job_id: str, target: Path | None, as_json: bool) -> int | None:
    """Print a job's result, or put it in a file.

    With --json: the job's id, status and result or error, whatever became of it.
    """
    client = login.client()
    job = finding.job(client, job_id)
    if as_json:
        results.as_json(client, job)
    elif job.status is JobStatus.SUCCEEDED:
        results.deliver(client, job, target)
    else:
        output.notice(f"There is no result: {words.state(job)}")
    return _CODES.get(job.status, _UNFINISHED)


# --- ending, and trying again -----------------------------------------------------------------


@jobs.command("cancel")
@click.argument("job_ids", metavar="JOB_ID...", nargs=-1, required=True)
@json_option
@reports_errors
def cancel(job_ids: tuple[str, ...], as_json: bool) -> int | None:
    """Cancel jobs. Those that run are stopped by their workers."""
    return _each(job_ids, "cancel", as_json=as_json)


@jobs.command("retry")
@click.argument("job_ids", metavar="JOB_ID...", nargs=-1, required=True)
@json_option
@reports_errors
def retry(job_ids: tuple[str, ...], as_json: bool) -> int | None:
    """Try jobs again that failed or were cancelled."""
    return _each(job_ids, "retry", as_json=as_json)


def _each(job_ids: tuple[str, ...], action: str, *, as_json: bool) -> int | None:
    """Do it to one after another, also where the collector refuses one of them."""
    client = login.client()
    told = [_done(client, job_id, action) for job_id in job_ids]
    if as_json:
        output.as_json(told)
    for each in told:
        if each.error is not None:
            output.notice(f"{each.id}: {each.error}")
        elif not as_json and each.status is not None:
            is_ending = action == "cancel" and each.status is JobStatus.RUNNING
            click.echo(f"{each.id}: {'cancelling' if is_ending else each.status.value}")
    return 1 if any(each.error is not None for each in told) else None


def _done(client: Client, typed: str, action: str) -> Told:
    try:
        job_id = finding.meant(client, typed)
        job = client.post(f"/api/jobs/{job_id}/{action}", {}, Job)
    except ClientError as error:
        return Told(typed, error=str(error))
    return Told(job.id, job.status)
