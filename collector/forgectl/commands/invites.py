"""Invites: made, listed, revoked."""

from __future__ import annotations

import click

from forge_shared import releases
from forge_shared.messages import InviteRequest, Invites, MintedInvite, Release
from forgectl import durations, ids, invites, login, output
from forgectl.client import Client, ClientError
from forgectl.commands.running import json_option, reports_errors


def _a_life(_context: click.Context, _option: click.Parameter, text: str) -> int:
    try:
        seconds = durations.read_s(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if not durations.read_s("1m") <= seconds <= durations.read_s("30d"):
        raise click.BadParameter(f"{text!r} is not between 1m and 30d.")
    return seconds


@click.command("invite")
@click.option(
    "--uses",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="How many machines may join with it.",
)
@click.option(
    "--expires",
    "expires_in_s",
    default="1h",
    show_default=True,
    callback=_a_life,
    help="For how long, from 1m to 30d.",
)
@click.option("--node", "node_id", metavar="ID", help="Which node the machine is to be.")
@json_option
@reports_errors
def invite(uses: int, expires_in_s: int, node_id: str | None, as_json: bool) -> None:
    """Make a join string, by which machines join the fleet.

    It is shown this once, and with it the line for Linux that fetches the agent, if the collector
    has one to hand out. With --node the machine becomes that node, also if there is one already:
    for a machine that was set up anew.
    """
    if node_id is not None and uses != 1:
        raise click.UsageError("With --node an invite is for one machine: leave --uses out.")
    wanted = InviteRequest(uses, expires_in_s, node_id)
    client = login.client()
    minted = client.post("/api/invites", wanted, MintedInvite)
    if as_json:
        output.as_json(minted)
    else:
        for line in invites.told(minted, _release(client)):
            click.echo(line)


def _release(client: Client) -> Release | None:
    """Return what the collector has to hand out, None where it has nothing of use."""
    try:
        return client.get(f"/api/releases/{releases.MANIFEST}", Release)
    except ClientError:
        return None  # the invite is made, and good without


@click.group("invites")
def all_invites() -> None:
    """List and revoke what `forgectl invite` and the page made."""


@all_invites.command("list")
@json_option
@reports_errors
def list_invites(as_json: bool) -> None:
    """List invites, and who joined with them. Those that ended stay for 7 days."""
    found = login.client().get("/api/invites", Invites)
    if as_json:
        output.as_json(found)
    else:
        output.table(invites.COLUMNS, map(invites.row, found.invites))


@all_invites.command("revoke")
@click.argument("invite_id")
@reports_errors
def revoke_invite(invite_id: str) -> None:
    """Let nobody in any more by the invite INVITE_ID.

    It is the id that `forgectl invites list` shows, or its beginning. Machines that have joined
    stay; their tokens are revoked with `forgectl tokens revoke`.
    """
    client = login.client()
    known = [invite.id for invite in client.get("/api/invites", Invites).invites]
    client.delete(f"/api/invites/{ids.meant(invite_id, known, 'invite')}")
    click.echo("Revoked.")
