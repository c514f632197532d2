"""`forge-agent plugins list` and `check`: what this machine could do, and what is wrong with it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from pathlib import Path

from forge_agent import config, whereabouts
from forge_agent.config import SettingsError
from forge_agent.core.untrusted import printable
from forge_agent.log import NEUTRAL
from forge_agent.terminal import complain, say
from forge_agent.whereabouts import Whereabouts
from forge_agent.work import confinement, owner, plugins, programs, suggested, withheld
from forge_agent.work.plugins import Found, ManifestError, Plugin, Problem


def main(given: argparse.Namespace) -> int:
    if given.do == "check" and given.folder is not None:
        return _check(given)
    if given.folder is not None:
        complain("A folder goes with `forge-agent plugins check`.")
        return 2
    where = whereabouts.here(given.config, given.state_dir)
    folders = looked_in(given, where)
    found = plugins.discover(folders)
    grants = _grants(where)
    if given.do == "check":
        for plugin in found.plugins:
            if reason := _lacking(plugin, where):
                say(f"{NEUTRAL} {plugin.name} {plugin.version} cannot run: {printable(reason)}")
            elif until := _until_granted(plugin, grants, given):
                say(f"{NEUTRAL} {plugin.name} {plugin.version} {until}")
            else:
                say(f"✓ {plugin.name} {plugin.version}: {printable(str(plugin.folder))}")
        _tell_problems(found.problems)
        _tell_confinement()
        return 1 if found.problems else 0
    return _list(given, found, folders, where)


def _check(given: argparse.Namespace) -> int:
    """Tell whether a folder is a plugin of use here; return the exit code."""
    folder: Path = given.folder
    try:
        plugin = plugins.check(folder)
    except ManifestError as error:
        _tell_problems((Problem(folder, tuple(error.problems)),))
        return 1
    where = whereabouts.here(given.config, given.state_dir)
    if reason := _lacking(plugin, where):
        _tell_problems((Problem(folder, (reason,)),))
        return 1
    say(f"✓ {plugin.name} {plugin.version}: {printable(str(plugin.folder))}")
    if until := _until_granted(plugin, _grants(where), given):  # which may come later
        say(f"    {until}")
    _tell_confinement()
    return 0


def _list(
    given: argparse.Namespace,
    found: Found,
    folders: tuple[Path, ...],
    where: Whereabouts,
) -> int:
    grants = _grants(where)
    if given.json:
        told = {
            "plugins": [_as_json(plugin, where, grants) for plugin in found.plugins],
            "problems": [
                {"folder": str(problem.folder), "problems": problem.sentences}
                for problem in found.problems
            ],
            "confinement": confinement.described(),
        }
        say(json.dumps(told))
        return 0
    for plugin in found.plugins:
        say(f"{plugin.name}  {plugin.version}  {plugin.resource_class}  {printable(plugin.title)}")
        say(f"    {printable(str(plugin.folder))}")
        if reason := _lacking(plugin, where):
            say(f"    cannot run: {printable(reason)}")
        until = _until_granted(plugin, grants, given)
        if until and not withheld.refused(map(Path, plugin.needs.read), where.state_dir):
            say(f"    {until}")
    if not found.plugins:
        say("No plugins in " + ", ".join(printable(str(folder)) for folder in folders))
    _tell_problems(found.problems)
    return 0


def _as_json(plugin: Plugin, where: Whereabouts, grants: dict[str, list[str]]) -> dict[str, object]:
    return {
        "name": plugin.name,
        "version": plugin.version,
        "title": plugin.title,
        "resource_class": plugin.resource_class,
        "folder": str(plugin.folder),
        "unavailable": _lacking(plugin, where) or None,
        "asks_for": plugins.asked(plugin),
        "not_granted": plugins.refused(plugin, grants.get(plugin.name, [])),
    }


def _lacking(plugin: Plugin, where: Whereabouts) -> str:
    """Say what keeps a plugin's jobs from being done here, whatever is granted yet; or ""."""
    if reason := programs.lacking(plugin) or withheld.never(plugin, where.state_dir):
        return reason
    return "" if where.state_dir is None else withheld.closed(plugin, where.state_dir)


def _until_granted(plugin: Plugin, grants: dict[str, list[str]], given: argparse.Namespace) -> str:
    """Say what a plugin is still to be granted before it takes jobs; or ""."""
    refused = plugins.refused(plugin, grants.get(plugin.name, []))
    if not refused:
        return ""
    granting = suggested.command(suggested.granting(plugin.name, refused), given)
    return f"takes no jobs until it is granted {printable(', '.join(refused))}: `{granting}`"


def _tell_problems(problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        for sentence in problem.sentences:
            complain(f"{printable(str(problem.folder))}: {printable(sentence)}")


def _tell_confinement() -> None:
    why = confinement.missing()
    if why:
        say(f"○ {why[:1].upper()}{why[1:]}. Jobs run here with --trust-plugins alone.")
    else:
        say(f"✓ jobs are confined here: {confinement.described()}")


def looked_in(given: argparse.Namespace, where: Whereabouts) -> tuple[Path, ...]:
    """Return where the agent looks, or where it would: there may be none yet."""
    settings = where.settings
    if settings is None:
        with contextlib.suppress(SettingsError):
            settings = config.load(
                flags={},
                environ=os.environ,
                folder=Path.cwd(),
                config_file=given.config,
                needed=(),
            )
    if settings is not None and settings.plugins:
        return settings.plugins
    return plugins.usual_folders(where.state_dir)


def _grants(where: Whereabouts) -> dict[str, list[str]]:
    if where.state_dir is None or where.hidden is not None:
        return {}
    try:
        return dict(owner.read(where.state_dir).grants)
    except (owner.UnreadableError, PermissionError):
        return {}
