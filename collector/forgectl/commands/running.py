"""How every command runs: with what options, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec

import click

from forge_shared.messages import HumanRole
from forgectl import output
from forgectl.client import ClientError

P = ParamSpec("P")

ROLES: Final = click.Choice([role.value for role in HumanRole])
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def reports_errors(command: Callable[P, int | None]) -> Callable[P, None]:
    """Turn a refusal into one line on stderr and exit code 1. What the command returns is its exit
    code; None: 0."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        code = None
        try:
            with output.until_closed():
                code = command(*args, **kwargs)
        except ClientError as error:
            raise click.ClickException(output.printable(str(error))) from None
        if code:
            click.get_current_context().exit(code)

    return run
