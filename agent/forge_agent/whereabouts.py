"""Which agent of this machine is meant: the machine's, this user's, or one that was named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from forge_agent import config, places
from forge_agent.config import Settings, SettingsError
from forge_agent.lock import is_held
from forge_agent.places import Places
from forge_agent.standing import FILE_NAME


class Whereabouts(NamedTuple):
    """``settings``: None when there are none of use, ``problems`` say why. ``state_dir``: None
    when no agent has left a trace, or the file that was named says nothing of one. ``hidden``: a
    folder or file that only its owner may read."""

    settings: Settings | None
    problems: tuple[str, ...]
    state_dir: Path | None
    hidden: Path | None = None


def here(config_file: Path | None, state_dir: str | None) -> Whereabouts:
    """Look for the agent as a command on this machine sees it."""
    return find(
        config_file=config_file,
        state_dir=state_dir,
        environ=os.environ,
        folder=Path.cwd(),
        machine=places.machine(),
        user=places.user(),
    )


def find(
    *,
    config_file: Path | None,
    state_dir: str | None,
    environ: Mapping[str, str],
    folder: Path,
    machine: Places,
    user: Places,
) -> Whereabouts:
    """Look for the agent: what was named first, then the machine's, then this user's."""
    if config_file is None and state_dir is None and _is_the_machines(machine, environ):
        return _by_hand(_the_machines(machine), user)
    settings, problems = _load(config_file, state_dir, environ, folder)
    if state_dir is not None:
        found: Path | None = Path(state_dir)
    elif _is_the_same(config_file, machine.config_file):
        found = machine.state_dir
    elif settings is not None:
        found = settings.state_dir
    else:
        # Whose settings were named is meant, and no other that happens to be here.
        found = _latest(user.state_dir) if config_file is None else None
    return Whereabouts(settings, problems, found, _hidden(found))


def _is_the_same(config_file: Path | None, machines: Path) -> bool:
    """Tell whether the file that was named is the machine's, and there."""
    return config_file is not None and config_file.absolute() == machines and _is_there(config_file)


def _is_the_machines(machine: Places, environ: Mapping[str, str]) -> bool:
    """Tell whether the machine has an agent, and none other is spoken of in the environment."""
    if environ.get(config.NODE_ID) or environ.get(config.STATE_DIR):
        return False
    return _is_there(machine.config_file)


def _the_machines(machine: Places) -> Whereabouts:
    hidden = _hidden(machine.config_file) or _hidden(machine.state_dir)
    if hidden == machine.config_file:
        return Whereabouts(None, (), machine.state_dir, hidden)
    try:
        # As its service sees it: nothing of whoever asks.
        settings = config.load(
            flags={config.STATE_DIR: str(machine.state_dir)},
            environ={},
            folder=Path(os.devnull),
            config_file=machine.config_file,
        )
    except SettingsError as error:
        return Whereabouts(None, tuple(error.problems), machine.state_dir, hidden)
    return Whereabouts(settings, (), machine.state_dir, hidden)


def _by_hand(found: Whereabouts, user: Places) -> Whereabouts:
    """Return where the machine's agent works: in this user's folder, if it was started by hand
    there for want of a service."""
    settings = found.settings
    if settings is None or _works_in(settings.state_dir):
        return found
    own = user.state_dir / settings.node_id
    # What `run` chooses while no service has a folder.
    is_its = _is_there(own) and not _is_there(settings.state_dir)
    if not is_its and not _works_in(own):
        return found
    return Whereabouts(settings._replace(state_dir=own), (), own)


def _works_in(state_dir: Path) -> bool:
    try:
        return is_held(state_dir / "lock")
    except OSError:
        return False


def _load(
    config_file: Path | None, state_dir: str | None, environ: Mapping[str, str], folder: Path
) -> tuple[Settings | None, tuple[str, ...]]:
    try:
        settings = config.load(
            flags={config.STATE_DIR: state_dir},
            environ=environ,
            folder=folder,
            config_file=config_file,
        )
    except SettingsError as error:
        return None, tuple(error.problems)
    return settings, ()


def _latest(folder: Path) -> Path | None:
    """Return the state folder below this one in which an agent worked last."""
    try:
        notes = {path.stat().st_mtime: path.parent for path in folder.glob(f"*/{FILE_NAME}")}
    except OSError:
        return None
    return notes[max(notes)] if notes else None


def _hidden(path: Path | None) -> Path | None:
    """Return the path if it is there and not ours to read."""
    if path is None or not _is_there(path):
        return None
    wanted = os.R_OK if os.path.isfile(path) else os.R_OK | os.X_OK  # noqa: PTH113 it never raises
    return None if os.access(path, wanted) else path


def _is_there(path: Path) -> bool:
    """Tell whether there is such a file, be it in a folder that is closed to us."""
    try:
        os.lstat(path)  # a link to where we may not go is there
    except PermissionError:
        return True
    except OSError:
        return False
    return True
