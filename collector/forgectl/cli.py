"""The command line of forgectl."""

from __future__ import annotations

import click

from forge_shared import __version__
from forgectl.commands import invites, jobs, login, nodes, tokens, workers


@click.group(
    commands=[
        login.log_in,
        login.log_out,
        login.login_link,
        nodes.nodes,
        workers.workers,
        jobs.jobs,
        invites.invite,
        invites.all_invites,
        tokens.tokens,
    ]
)
@click.version_option(__version__)
def main() -> None:
    """Operate a Forge Fleet collector.

    The collector is FORGE_URL, the token FORGE_TOKEN, the authority of its certificate
    FORGE_CA_FILE; or `forgectl login` keeps them.
    """
