"""Workers: who can do what, and why not."""

from __future__ import annotations

from typing import Final

import click
from msgspec import Struct

from forge_shared.job_messages import JobStatus, JobTypeFacts, Worker, Workers
from forgectl import login, output, watch
from forgectl import workers as words
from forgectl.commands.running import json_option, reports_errors
from forgectl.jobs import finding

_MOST_RUNNING: Final = 5_000


class Crew(Struct):
    """The workers, what they offer, and the nodes that have none."""

    workers: list[Worker]
    types: list[JobTypeFacts]
    nodes_without_worker: list[str]


@click.command("workers")
@json_option
@reports_errors
def workers(as_json: bool) -> None:
    """Show which machines do jobs, and why others do not."""
    client = login.client()
    found = client.get("/api/workers", Workers)
    fleet = watch.once(client)
    without = words.without(found.workers, fleet.rows(fleet.now_ms))
    if as_json:
        output.as_json(Crew(found.workers, found.types, [node.id for node in without]))
        return
    load = words.Load(finding.listed(client, {"status": JobStatus.RUNNING.value}, _MOST_RUNNING))
    if shown := words.shown(found.workers):
        output.table(words.COLUMNS, (words.row(each, load, fleet.now_ms) for each in shown))
    for line in words.idle(without):
        click.echo(line)
    if not shown and not without:
        output.notice("There are no machines yet: `forgectl invite` lets one join.")
