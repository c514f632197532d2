"""The commands of forgectl."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Final, ParamSpec
from urllib.parse import quote

import click
from msgspec import UNSET

from forge_shared import __version__
from forge_shared.messages import (
    Fleet,
    HumanRole,
    InviteRequest,
    Invites,
    LoginLink,
    LoginLinkRequest,
    MintedInvite,
    MintedToken,
    MintToken,
    Node,
    NodeEdit,
    Role,
    Tokens,
    Whoami,
)
from forgectl import durations, fleet, history, ids, invites, login, moments, output, watch
from forgectl.client import Client, ClientError

P = ParamSpec("P")
_ROLES: Final = click.Choice([role.value for role in HumanRole])
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _reports_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Turn a refusal into one line on stderr and exit code 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with output.until_closed():
                command(*args, **kwargs)
        except ClientError as error:
            raise click.ClickException(output.printable(str(error))) from None

    return run


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Operate a Forge Fleet collector.

    The collector is FORGE_URL, the token FORGE_TOKEN, the authority of its certificate
    FORGE_CA_FILE; or `forgectl login` keeps them.
    """


@main.command("login")
@click.option("--url", envvar="FORGE_URL", default=login.DEFAULT_URL, show_default=True)
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with the admin secret or a token; asked for when left out.",
)
@click.option(
    "--ca",
    "ca_file",
    envvar="FORGE_CA_FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The collector's ca.pem: only its certificates are taken then, instead of the system's.",
)
@_reports_errors
def log_in(url: str, secret_file: Path | None, ca_file: Path | None) -> None:
    """Keep a collector's address and a token for later commands."""
    authority = login.authority_in(ca_file) if ca_file is not None else None
    if authority is not None:
        # Before the secret is asked for: this is the moment to compare.
        click.echo(f"Trusting the authority  {login.fingerprint(authority)}")
    if secret_file is not None:
        secret = _secret_in(secret_file)
    else:
        secret = click.prompt("Admin secret or token", hide_input=True).strip()
    client = Client(url.rstrip("/"), secret, authority, "Give its address with --url.")
    who = client.get("/api/whoami", Whoami)
    if who.role is Role.NODE:
        raise ClientError("This is a node's token; forgectl needs an admin's or a viewer's.")
    path = login.save(url, secret, authority)
    click.echo(f"Signed in to {url} as {who.role.value}. Kept in {path}, for you alone.")


def _secret_in(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise ClientError(f"{path} cannot be read as text.") from None


@main.command("logout")
def log_out() -> None:
    """Forget the login that `forgectl login` kept."""
    login.forget()


@main.command("login-link")
@click.option("--role", type=_ROLES, default=HumanRole.ADMIN.value, show_default=True)
@_json_option
@_reports_errors
def login_link(role: str, as_json: bool) -> None:
    """Make a link that signs one browser in, once. It lasts ten minutes."""
    request = LoginLinkRequest(HumanRole(role))
    link = login.client().post("/api/login-links", request, LoginLink)
    if as_json:
        output.as_json(link)
    else:
        click.echo(link.url)


@main.group(invoke_without_command=True)
@click.option("--watch", "watches", is_flag=True, help="Keep it up to date until interrupted.")
@_json_option
@click.pass_context
@_reports_errors
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
@_reports_errors
def node_history(
    node_id: str, since: str, until: str | None, form: str, metrics: tuple[str, ...]
) -> None:
    """Print what NODE_ID measured, every snapshot of it, oldest first."""
    source = history.Source(login.client(), node_id, metrics)
    for text in history.lines(source, since, until, form, output.notice):
        output.data(text)


def _a_life(_context: click.Context, _option: click.Parameter, text: str) -> int:
    try:
        seconds = durations.read_s(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if not durations.read_s("1m") <= seconds <= durations.read_s("30d"):
        raise click.BadParameter(f"{text!r} is not between 1m and 30d.")
    return seconds


@main.command("invite")
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
@_json_option
@_reports_errors
def invite(uses: int, expires_in_s: int, node_id: str | None, as_json: bool) -> None:
    """Make a join string, by which machines join the fleet.

    It is shown this once. With --node the machine becomes that node, also if there is one already:
    for a machine that was set up anew.
    """
    if node_id is not None and uses != 1:
        raise click.UsageError("With --node an invite is for one machine: leave --uses out.")
    wanted = InviteRequest(uses, expires_in_s, node_id)
    minted = login.client().post("/api/invites", wanted, MintedInvite)
    if as_json:
        output.as_json(minted)
    else:
        for line in invites.told(minted):
            click.echo(line)


@main.group("invites")
def all_invites() -> None:
    """List and revoke what `forgectl invite` and the page made."""


@all_invites.command("list")
@_json_option
@_reports_errors
def list_invites(as_json: bool) -> None:
    """List invites, and who joined with them. Those that ended stay for 7 days."""
    found = login.client().get("/api/invites", Invites)
    if as_json:
        output.as_json(found)
    else:
        output.table(invites.COLUMNS, map(invites.row, found.invites))


@all_invites.command("revoke")
@click.argument("invite_id")
@_reports_errors
def revoke_invite(invite_id: str) -> None:
    """Let nobody in any more by the invite INVITE_ID.

    It is the id that `forgectl invites list` shows, or its beginning. Machines that have joined
    stay; their tokens are revoked with `forgectl tokens revoke`.
    """
    client = login.client()
    known = [invite.id for invite in client.get("/api/invites", Invites).invites]
    client.delete(f"/api/invites/{ids.meant(invite_id, known, 'invite')}")
    click.echo("Revoked.")


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
@_reports_errors
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


@main.group()
def tokens() -> None:
    """Mint, list and revoke tokens."""


@tokens.command("mint")
@click.argument("node_id", required=False)
@click.option("--role", type=_ROLES, help="For a person or a script instead of a node.")
@click.option("--name", help="Who or what the token is for, with --role.")
@_json_option
@_reports_errors
def mint_token(node_id: str | None, role: str | None, name: str | None, as_json: bool) -> None:
    """Mint a token for NODE_ID, or for a person or a script.

    The latter with --role and --name. The token is shown this once.
    """
    if (node_id is None) is (role is None and name is None):
        raise click.UsageError(
            "Say who the token is for: NODE_ID for a machine, or --role and --name for a person or "
            "a script."
        )
    if node_id is None and (role is None or name is None):
        raise click.UsageError("--role and --name go together.")
    wanted = MintToken(node_id, HumanRole(role) if role else None, name)
    minted = login.client().post("/api/tokens", wanted, MintedToken)
    if as_json:
        output.as_json(minted)
    else:
        click.echo(minted.token)


@tokens.command("list")
@_json_option
@_reports_errors
def list_tokens(as_json: bool) -> None:
    """List the tokens that are valid."""
    found = login.client().get("/api/tokens", Tokens)
    if as_json:
        output.as_json(found)
        return
    output.table(
        ["ID", "ROLE", "FOR", "MINTED"],
        [
            [
                token.id,
                token.role.value,
                token.node_id or token.name or "",
                output.local_time(token.created_at),
            ]
            for token in found.tokens
        ],
    )


@tokens.command("revoke")
@click.argument("token_id")
@_reports_errors
def revoke_token(token_id: str) -> None:
    """Revoke the token TOKEN_ID.

    It is the id that `forgectl tokens list` shows, or its beginning.
    """
    client = login.client()
    known = [token.id for token in client.get("/api/tokens", Tokens).tokens]
    client.delete(f"/api/tokens/{ids.meant(token_id, known, 'token')}")
    click.echo("Revoked.")
