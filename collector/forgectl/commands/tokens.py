"""Tokens: minted, listed, revoked."""

from __future__ import annotations

import click

from forge_shared.messages import HumanRole, MintedToken, MintToken, Tokens
from forgectl import ids, login, output
from forgectl.commands.running import ROLES, json_option, reports_errors


@click.group()
def tokens() -> None:
    """Mint, list and revoke tokens."""


@tokens.command("mint")
@click.argument("node_id", required=False)
@click.option("--role", type=ROLES, help="For a person or a script instead of a node.")
@click.option("--name", help="Who or what the token is for, with --role.")
@json_option
@reports_errors
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
@json_option
@reports_errors
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
@reports_errors
def revoke_token(token_id: str) -> None:
    """Revoke the token TOKEN_ID.

    It is the id that `forgectl tokens list` shows, or its beginning.
    """
    client = login.client()
    known = [token.id for token in client.get("/api/tokens", Tokens).tokens]
    client.delete(f"/api/tokens/{ids.meant(token_id, known, 'token')}")
    click.echo("Revoked.")
