"""forge-agent: the command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from forge_agent import config
from forge_agent.terminal import complain, until_closed
from forge_shared import __version__

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 0 done, 1 cannot run or failed, 2 wrong settings."""
    code = 0
    with until_closed():
        code = _main(arguments)
    return code  # noqa: RET504  of a command that was cut short it is 0


def _main(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.start is None:
        parser.print_help()
        return 2
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # a terminal without the letter ✓ must not end a command
    command: Command = given.start
    return command(given)


# Each command imports its own when it is started: what the others need must stay out of the
# process of `run`.


def _join(given: argparse.Namespace) -> int:
    from forge_agent import join  # noqa: PLC0415

    return join.main(given)


def _install(given: argparse.Namespace) -> int:
    from forge_agent.service import command  # noqa: PLC0415

    return command.install(given)


def _uninstall(given: argparse.Namespace) -> int:
    from forge_agent.service import command  # noqa: PLC0415

    return command.uninstall(given)


def _status(given: argparse.Namespace) -> int:
    from forge_agent import status  # noqa: PLC0415

    return status.main(given)


def _doctor(given: argparse.Namespace) -> int:
    from forge_agent import doctor  # noqa: PLC0415

    return doctor.main(given)


def _update(given: argparse.Namespace) -> int:
    from forge_agent.update import command  # noqa: PLC0415

    return command.main(given)


def _work(given: argparse.Namespace) -> int:
    from forge_agent.work import command  # noqa: PLC0415

    return command.main(given)


def _worker(given: argparse.Namespace) -> int:
    try:
        settings = _settings(given)
    except config.SettingsError as error:
        for problem in error.problems:
            complain(problem)
        return 2
    # What it starts has no use for the token.
    os.environ.pop(config.BEARER_TOKEN, None)
    from forge_agent.work import worker  # noqa: PLC0415

    return worker.run(settings, parent_pid=given.parent_pid)


def _keep_job(_given: argparse.Namespace) -> int:
    from forge_agent.work import keeper  # noqa: PLC0415

    return keeper.main()


def _plugins(given: argparse.Namespace) -> int:
    from forge_agent.work import plugin_command  # noqa: PLC0415

    return plugin_command.main(given)


def _launch(given: argparse.Namespace) -> int:
    from forge_agent.update import launcher  # noqa: PLC0415

    return launcher.main(given)


def _windows_service(given: argparse.Namespace) -> int:
    from forge_agent.service import hosted  # noqa: PLC0415

    return hosted.main(given)


def _cpu_model(_given: argparse.Namespace) -> int:
    from forge_agent import cpu_model  # noqa: PLC0415

    return cpu_model.print_it()


def settings_of_run(options: Sequence[str]) -> config.Settings:
    """Return the settings that `run` would have with these options; raises SettingsError, or
    SystemExit when it has no such options."""
    return _settings(_parser().parse_args(["run", *options]))


def _settings(given: argparse.Namespace) -> config.Settings:
    return config.load(
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


def _run(given: argparse.Namespace) -> int:
    try:
        settings = _settings(given)
    except config.SettingsError as error:
        for problem in error.problems:
            complain(problem)
        return 2
    # Processes that the agent starts have no use for the token.
    os.environ.pop(config.BEARER_TOKEN, None)
    # Imported here: a wrong setting is said before psutil is loaded.
    from forge_agent import run  # noqa: PLC0415

    return run.run(
        settings, parent_pid=given.parent_pid, program_dir=config.program_dir(os.environ)
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="forge-agent",
        description="Measures this machine and pushes it to the collector.",
        formatter_class=_formatter,
    )
    parser.add_argument("--version", action="version", version=f"forge-agent {__version__}")
    parser.set_defaults(start=None)
    commands = parser.add_subparsers(metavar="command")

    def command(name: str, start: Command, summary: str, more: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=summary, description=more or _sentence(summary), formatter_class=_formatter
        )
        added.set_defaults(start=start)
        return added

    def internal(name: str, start: Command, summary: str) -> argparse.ArgumentParser:
        """Add a command that the agent and its service start, and people need not see."""
        added = commands.add_parser(
            name, description=_sentence(summary), formatter_class=_formatter
        )
        added.set_defaults(start=start)
        return added

    _add_run_options(
        command(
            "run",
            _run,
            "measure and push until stopped",
            "Settings come from these flags, the environment (NODE_ID, CENTRAL_URL, "
            "BEARER_TOKEN, …), a .env file here, or a TOML file, in this order.",
        )
    )
    _add_join_options(
        command(
            "join",
            _join,
            "become part of a fleet",
            "STRING is what the collector's page shows under Add a machine, or what "
            "`forgectl invite` prints; - reads it from standard input.",
        )
    )
    install = command("install", _install, "run at each start of this machine, as a service")
    install.add_argument("--user", action="store_true", help="for this user alone, without rights")
    install.add_argument("--config", type=Path, metavar="FILE", help="a TOML file with settings")
    uninstall = command("uninstall", _uninstall, "stop the service and remove it")
    uninstall.add_argument("--user", action="store_true", help="the service of this user")
    uninstall.add_argument("--purge", action="store_true", help="settings, token and spool as well")
    for name, start, summary in (
        ("status", _status, "show how the agent of this machine is doing"),
        ("doctor", _doctor, "look for what keeps the agent from its work, and say what to do"),
    ):
        shown = command(name, start, summary)
        shown.add_argument("--config", type=Path, metavar="FILE", help="a TOML file with settings")
        shown.add_argument("--state-dir", metavar="DIR", help="where the spool is kept")
        shown.add_argument("--json", action="store_true", help="print JSON")
    update = command("update", _update, "install a newer signed release")
    update.add_argument("--check", action="store_true", help="only say whether there is one")
    update.add_argument(
        "--from", dest="source", metavar="FOLDER", help="take it from here, not from the collector"
    )
    update.add_argument("--config", type=Path, metavar="FILE", help="a TOML file with settings")
    _add_work_options(
        command(
            "work",
            _work,
            "let this machine do jobs while it is idle, or see what it does",
            "Off until it is switched on here: nobody else can.",
        )
    )
    _add_run_options(internal("worker", _worker, "what `run` starts while work is on"))
    internal("keep-job", _keep_job, "what the worker starts for each job")
    _add_plugins_options(
        command(
            "plugins",
            _plugins,
            "show what jobs this machine could do",
            "list: the plugins that are found. check: look for what is wrong with them, or with the"
            " one in FOLDER.",
        )
    )
    launch = internal("launch", _launch, "what the service starts: the newest version that works")
    launch.add_argument("--program-dir", type=Path, required=True, metavar="DIR")
    launch.add_argument("rest", nargs=argparse.REMAINDER, metavar="…", help="options of run")
    hosted = internal("windows-service", _windows_service, "what Windows' service manager starts")
    hosted.add_argument("--program-dir", type=Path, metavar="DIR", help="of an installed program")
    hosted.add_argument("rest", nargs=argparse.REMAINDER, metavar="…", help="options of run")
    internal("cpu-model", _cpu_model, "print the processor's name")
    return parser


def _add_run_options(run: argparse.ArgumentParser) -> None:
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


def _add_plugins_options(listed: argparse.ArgumentParser) -> None:
    listed.add_argument("do", choices=("list", "check"))
    listed.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="check: this one")
    listed.add_argument("--config", type=Path, metavar="FILE", help="a TOML file with settings")
    listed.add_argument("--state-dir", metavar="DIR", help="where the spool is kept")
    listed.add_argument("--json", action="store_true", help="list: print JSON")


def _add_work_options(work: argparse.ArgumentParser) -> None:
    """Add what is to be done as a word of its own, before the options."""
    work.add_argument("do", choices=("on", "off", "status", "pause", "resume"))
    work.add_argument("duration", nargs="?", metavar="DURATION", help="of a pause, such as 30m, 2h")
    work.add_argument("--when", choices=("idle", "always"), help="on: only while nobody uses it")
    work.add_argument(
        "--on-battery", choices=("yes", "no"), help="on: whether to work on battery too"
    )
    work.add_argument(
        "--cpu-of-others", metavar="PCT", help="on: idle is when others use at most so much"
    )
    work.add_argument("--free-memory", metavar="MIB", help="on: memory that must be free")
    work.add_argument("--hours", metavar="HH:MM-HH:MM", help="on: only then; any: at any time")
    work.add_argument("--slots", metavar="LIST", help="on: jobs at a time, as cpu=4,io=10,llm=1")
    work.add_argument(
        "--grant",
        action="append",
        metavar="PLUGIN:WHAT",
        help="on: let a plugin have what it asks for",
    )
    work.add_argument(
        "--revoke", action="append", metavar="PLUGIN[:WHAT]", help="on: take a grant back"
    )
    work.add_argument(
        "--trust-plugins",
        action="store_true",
        help="on: even where plugins cannot be kept from the agent's own files",
    )
    work.add_argument("--config", type=Path, metavar="FILE", help="a TOML file with settings")
    work.add_argument("--state-dir", metavar="DIR", help="where the spool is kept")
    work.add_argument("--json", action="store_true", help="status: print JSON")


def _add_join_options(join: argparse.ArgumentParser) -> None:
    join.add_argument("string", nargs="?", metavar="STRING", help="the join string")
    join.add_argument(
        "--discover",
        action="store_true",
        help="look for collectors on this network; STRING may be left out, or be a bare code",
    )
    join.add_argument(
        "--fingerprint", metavar="HEX", help="with --discover: the fingerprint that the page shows"
    )
    join.add_argument("--node-id", metavar="ID", help="this machine's name in the fleet")
    join.add_argument(
        "--replace", action="store_true", help="leave the fleet that this machine belongs to"
    )
    join.add_argument("--install", action="store_true", help="then install the service")
    join.add_argument("--user", action="store_true", help="for this user alone, without rights")
    join.add_argument("--config", type=Path, metavar="FILE", help="where to keep the settings")


def _sentence(summary: str) -> str:
    return f"{summary[:1].upper()}{summary[1:]}."


def _formatter(prog: str) -> argparse.HelpFormatter:
    """Give the help a width: to ask the terminal for one, argparse loads shutil, bz2 and lzma, and
    does so whether help is wanted or not."""
    return argparse.HelpFormatter(prog, width=100)
