"""Signing in and out, and letting others in."""

from __future__ import annotations

from pathlib import Path

import click

from forge_shared.messages import HumanRole, LoginLink, LoginLinkRequest, Role, Whoami
from forgectl import login, output
from forgectl.client import Client, ClientError
from forgectl.commands.running import ROLES, json_option, reports_errors


@click.command("login")
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
@reports_errors
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
        raise ClientError("This is a node's token; forgectl needs one for a person or a script.")
    path = login.save(url, secret, authority)
    click.echo(f"Signed in to {url} as {who.role.value}. Kept in {path}, for you alone.")


def _secret_in(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise ClientError(f"{path} cannot be read as text.") from None


@click.command("logout")
def log_out() -> None:
    """Forget the login that `forgectl login` kept."""
    login.forget()


@click.command("login-link")
@click.option("--role", type=ROLES, default=HumanRole.ADMIN.value, show_default=True)
@json_option
@reports_errors
def login_link(role: str, as_json: bool) -> None:
    """Make a link that signs one browser in, once. It lasts ten minutes."""
    request = LoginLinkRequest(HumanRole(role))
    link = login.client().post("/api/login-links", request, LoginLink)
    if as_json:
        output.as_json(link)
    else:
        click.echo(link.url)
