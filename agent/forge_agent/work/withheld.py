"""What a plugin needs and its jobs could not be given here: said before one fails of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from forge_agent import places
from forge_agent.work import confinement, programs
from forge_agent.work.plugins import NOTHING_GRANTED, Plugin
from forge_agent.work.programs import NoProgramError


def protected(state_dir: Path | None) -> tuple[Path, ...]:
    """Return the folders of which a job is shown nothing, whatever was granted: the agent's, and
    where a collector of this user keeps its data."""
    import platformdirs  # noqa: PLC0415  as in places

    return (
        *(() if state_dir is None else (state_dir,)),
        places.machine().config_file.parent,
        places.user().config_file.parent,
        platformdirs.user_data_path(places.APP_NAME),
    )


def never(plugin: Plugin, state_dir: Path | None) -> str:
    """Return why a plugin's jobs could not be started here, whatever is granted; or "".

    Of a plugin of which `programs.lacking` has nothing to say.
    """
    seen = confinement.exposed(_folders(plugin), protected(state_dir))
    if seen is not None:
        return f"its jobs would be shown {seen}, and with it the agent's own files"
    return refused(map(Path, plugin.needs.read), state_dir)


def refused(paths: Iterable[Path], state_dir: Path | None) -> str:
    """Return why one of the paths is granted to nobody; or ""."""
    kept = protected(state_dir)
    for path in paths:
        if confinement.is_protected(path, kept):
            return f"{path} is given to no plugin: it shows files of the agent's or the collector's"
    return ""


def closed(plugin: Plugin, state_dir: Path) -> str:
    """Return what the plugin's jobs, where they are users of their own, could not read though it
    is granted, and what opens it; or ""."""
    if not _is_another_user(state_dir):
        return ""
    readable = tuple(map(Path, plugin.needs.read))
    try:
        return confinement.out_of_their_reach(state_dir, _folders(plugin), readable)
    except OSError:
        return ""  # something of it went just now, or its disk fails: a job will say so


def _is_another_user(state_dir: Path) -> bool:
    """Tell whether jobs of the agent of this folder are users of their own: whoever asks, it is the
    agent that must be root."""
    try:
        return confinement.means().another_user and state_dir.stat().st_uid == 0
    except OSError:
        return False  # there is none yet


def _folders(plugin: Plugin) -> tuple[Path, ...]:
    commands = filter(None, (plugin.command, plugin.verify))
    try:
        found = [programs.find(plugin, one, NOTHING_GRANTED, plugin.folder) for one in commands]
    except NoProgramError:
        return ()  # it went just now; a job will say so
    return tuple(folder for program in found for folder in program.folders)
