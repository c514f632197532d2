"""Commands that are suggested to the owner, for the agent that they named, or that says so."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from forge_agent import places, whereabouts
from forge_agent.core.untrusted import printable

_LONGEST: Final = 4096  # a path that was cut is no use


def command(words: str, given: argparse.Namespace) -> str:
    """Return `forge-agent` with these words, and the options by which its agent was named now."""
    options: list[str] = []
    if given.config is not None:
        options += ["--config", str(given.config)]
    if given.state_dir is not None:
        options += ["--state-dir", given.state_dir]
    return _whole(words, options)


def starting(given: argparse.Namespace) -> str:
    """Return what has the agent run."""
    running = f"`{command('run', given)}`"
    if given.state_dir is not None:
        return running  # a service has a folder of its own
    return f"`{command('install', given)}`, or {running}"


def command_here(words: str, state_dir: Path) -> str:
    """Return `forge-agent` with these words, for the agent of this folder: it is named where the
    command would look for another without."""
    options = [] if _usual_state_dir() == state_dir else ["--state-dir", str(state_dir)]
    return _whole(words, options)


def granting(plugin: str, grants: Sequence[str]) -> str:
    """Return the words that grant a plugin what it asks for."""
    options = [option for grant in grants for option in ("--grant", f"{plugin}:{grant}")]
    return f"work on {_quoted(options)}"


@cache
def _usual_state_dir() -> Path | None:
    """Return the folder of the agent that a command finds by itself, for an owner who has set
    nothing in the environment."""
    found = whereabouts.find(
        config_file=None,
        state_dir=None,
        environ={},
        folder=Path(os.devnull),
        machine=places.machine(),
        user=places.user(),
    )
    return found.state_dir


def _whole(words: str, options: Sequence[str]) -> str:
    return printable(f"forge-agent {words} {_quoted(options)}".rstrip(), _LONGEST)


def _quoted(words: Sequence[str]) -> str:
    return shlex.join(words) if os.name == "posix" else subprocess.list2cmdline(words)
