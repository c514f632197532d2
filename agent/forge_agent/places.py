"""Where an agent keeps its settings, its state and its program: the machine's, or one user's."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, NamedTuple

APP_NAME: Final = "forge-fleet"
CONFIG_FILE: Final = "agent.toml"
COMMAND: Final = "forge-agent"


class Places(NamedTuple):
    """``config_file``: the settings, token and all, its owner's alone. ``ca_file``: the collector's
    authority, where it has one of its own. ``state_dir``: the spool and what the agent remembers.
    ``program_dir``: what updates bring, and which of it is current. ``launcher_dir``: the program
    as `install` put it there, which no update changes. ``command_link``: what puts it on the PATH,
    None where nothing does."""

    config_file: Path
    ca_file: Path
    state_dir: Path
    program_dir: Path
    launcher_dir: Path
    command_link: Path | None = None


def machine() -> Places:
    """Return the places of an agent that runs for the whole machine."""
    if sys.platform == "win32":
        base = Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / APP_NAME
        return _below(base, base)
    if sys.platform == "darwin":
        base = Path("/Library/Application Support") / APP_NAME
        return _below(base, base)._replace(command_link=Path("/usr/local/bin") / COMMAND)
    # Where systemd's StateDirectory is: all that a hardened service may write. The launcher is
    # elsewhere: root runs it too, so it must not be the service's to change.
    return _below(Path("/etc") / APP_NAME, Path("/var/lib/forge-agent"))._replace(
        launcher_dir=Path("/usr/local/libexec") / COMMAND,
        command_link=Path("/usr/local/bin") / COMMAND,
    )


def user() -> Places:
    """Return the places of an agent that runs for this user."""
    # Imported here: who names every place need not hold it in memory.
    import platformdirs  # noqa: PLC0415

    config = platformdirs.user_config_path(APP_NAME, appauthor=False)
    state = platformdirs.user_state_path(APP_NAME, appauthor=False) / "agent"
    link = Path.home() / ".local" / "bin" / COMMAND if os.name == "posix" else None
    return _below(config, state)._replace(command_link=link)


def usual() -> Places:
    """Return the machine's places for who may write there, and the user's for others."""
    return machine() if may_use_the_machines() else user()


def may_use_the_machines() -> bool:
    """Tell whether this process has the rights of root, or of an administrator."""
    if os.name == "posix":
        return os.geteuid() == 0
    import ctypes  # noqa: PLC0415  on Windows alone

    windll = getattr(ctypes, "windll", None)
    return windll is not None and bool(windll.shell32.IsUserAnAdmin())


def _below(config: Path, state: Path) -> Places:
    return Places(
        config_file=config / CONFIG_FILE,
        ca_file=config / "ca.pem",
        state_dir=state,
        program_dir=state / "program",
        launcher_dir=state / "program" / "launcher",
    )
