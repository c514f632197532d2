"""forge-agent: the command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from forge_agent import config
from forge_shared import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 0 done, 1 cannot run, 2 wrong settings."""
    given = _parser().parse_args(arguments)
    if given.command == "cpu-model":
        # Its imports must stay out of `run`'s process.
        from forge_agent import cpu_model  # noqa: PLC0415

        return cpu_model.print_it()
    return _run(given)


def _run(given: argparse.Namespace) -> int:
    try:
        settings = config.load(
            flags={
                config.NODE_ID: given.node_id,
                config.CENTRAL_URL: given.url,
                config.STATE_DIR: given.state_dir,
                config.INTERVAL_S: given.interval,
            },
            environ=os.environ,
            folder=Path.cwd(),
            config_file=given.config,
            token_file=given.token_file,
        )
    except config.SettingsError as error:
        for problem in error.problems:
            print(f"forge-agent: {problem}", file=sys.stderr)  # noqa: T201
        return 2
    # Processes that the agent starts have no use for the token.
    os.environ.pop(config.BEARER_TOKEN, None)
    # Imported here: a wrong setting is said before psutil is loaded.
    from forge_agent import run  # noqa: PLC0415

    return run.run(settings, parent_pid=given.parent_pid)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="forge-agent",
        description="Measures this machine and pushes it to the collector.",
        formatter_class=_formatter,
    )
    parser.add_argument("--version", action="version", version=f"forge-agent {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    run = commands.add_parser(
        "run",
        help="measure and push until stopped",
        description="Settings come from these flags, the environment (NODE_ID, CENTRAL_URL, "
        "BEARER_TOKEN, …), a .env file here, or a TOML file, in this order.",
        formatter_class=_formatter,
    )
    run.add_argument("--node-id", metavar="ID", help="this machine's name in the fleet")
    run.add_argument("--url", help="the collector, such as http://192.168.1.10:8750")
    run.add_argument("--token-file", type=Path, metavar="FILE", help="a file holding the token")
    run.add_argument("--config", type=Path, metavar="FILE", help="a TOML file with settings")
    run.add_argument("--state-dir", metavar="DIR", help="where the spool is kept")
    run.add_argument(
        "--interval",
        metavar="SECONDS",
        help="push this often at most; 0, as without it: as often as the collector asks",
    )
    run.add_argument(
        "--parent-pid", type=int, metavar="PID", help="stop when this is no longer the parent"
    )
    commands.add_parser("cpu-model", help="print the processor's name")
    return parser


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Give the help a width: to ask the terminal for one, argparse loads shutil, bz2 and lzma, and
    does so whether help is wanted or not."""
    return argparse.HelpFormatter(prog, width=100)
