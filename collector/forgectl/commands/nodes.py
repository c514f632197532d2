"""The fleet, and its nodes."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import quote

import click
from msgspec import UNSET

from forge_shared.messages import Fleet, Node, NodeEdit
from forgectl import fleet, history, login, moments, output, watch
from forgectl.client import Client
from forgectl.commands.running import json_option, reports_errors


@click.group(invoke_without_command=True)
@click.option("--watch", "watches", is_flag=True, help="Keep it up to date until interrupted.")
@json_option
@click.pass_context
@reports_errors
def nodes(context: click.Context, watches: bool, as_json: bool) -> None:
    """Show the fleet: every node, if it is there, and how it does."""
    if context.invoked_subcommand is not None:
        if watches or as_json:
            raise click.UsageError(f"Options of its own go after {context.invoked_subcommand}.")
        return
    client = login.client()
    if watches:
        with suppress(KeyboardInterrupt):  # the way to leave it
            _watch(client, as_json=as_json)
    elif as_json:
        output.as_json(client.get("/api/fleet", Fleet))
    else:
        shown, console = watch.once(client), output.console()
        console.print(fleet.table(shown.rows(shown.now_ms), console))


def _watch(client: Client, *, as_json: bool) -> None:
    if as_json:
        watch.as_json(client)
    elif output.console().is_terminal:
        watch.redrawn(client)
    else:
        watch.printed(client)


def _a_moment(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """Return what was typed if it can be read; what it means, the collector's clock tells."""
    if text is not None:
        try:
            moments.read(text, 0)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
    return text


@nodes.command("history")
@click.argument("node_id")
@click.option(
    "--since",
    default="6h",
    show_default=True,
    callback=_a_moment,
    help=f"Where to begin: {moments.HELP}.",
)
@click.option("--until", callback=_a_moment, help="Where to end, in the same ways; by default now.")
@click.option(
    "--format", "form", type=click.Choice(history.FORMATS), default="csv", show_default=True
)
@click.option(
    "--metrics",
    multiple=True,
    help="Names (cpu.pct) or keys (disk.pct//home), separated by commas; by default all.",
)
@reports_errors
def node_history(
    node_id: str, since: str, until: str | None, form: str, metrics: tuple[str, ...]
) -> None:
    """Print what NODE_ID measured, every snapshot of it, oldest first."""
    source = history.Source(login.client(), node_id, metrics)
    for text in history.lines(source, since, until, form, output.notice):
        output.data(text)


@nodes.command("edit")
@click.argument("node_id")
@click.option("--name", help="What people call it.")
@click.option("--tag", "tags", multiple=True, help="In place of the tags it has; may be repeated.")
@click.option("--no-tags", is_flag=True, help="Take its tags away.")
@click.option(
    "--ephemeral/--no-ephemeral",
    default=None,
    help="Normally off, as a PC or a laptop is: when it is silent, that is no fault.",
)
@reports_errors
def edit_node(
    node_id: str, name: str | None, tags: tuple[str, ...], no_tags: bool, ephemeral: bool | None
) -> None:
    """Change what people may change of NODE_ID. What is left out stays as it is."""
    if no_tags and tags:
        raise click.UsageError("Give --tag or --no-tags.")
    changes = NodeEdit(
        UNSET if name is None else name,
        list(tags) if tags or no_tags else UNSET,
        UNSET if ephemeral is None else ephemeral,
    )
    if changes == NodeEdit():
        raise click.UsageError("Say what to change: --name, --tag, --no-tags, --ephemeral.")
    edited = login.client().patch(f"/api/nodes/{quote(node_id, safe='')}", changes, Node)
    click.echo(output.printable(fleet.described(edited)))
