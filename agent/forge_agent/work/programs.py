"""A plugin's command, as it is started here: the program, its environment, what it needs to run."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import forge_shared
from forge_agent.work import plugins
from forge_agent.work.plugins import Granted, Plugin

PYTHON: Final = "{python}"
_FOR_PYTHON: Final = "python"  # the folder, among the plugins, with what helps authors
_PATIENCE_S: Final = 10
_USUAL_PATH: Final = ("/usr/local/bin", "/usr/bin", "/bin")
_WHERE: Final = "import json, sys; print(json.dumps([sys.executable, sys.prefix, sys.base_prefix]))"
_MISSING: Final = (
    "import importlib.util, json, sys;"
    "print(json.dumps([name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]))"
)


class NoProgramError(Exception):
    """A command cannot be started here; the message says why."""


class Interpreter(NamedTuple):
    """``folders``: what of it a job must be able to read."""

    path: str
    folders: tuple[Path, ...]


class Program(NamedTuple):
    argv: tuple[str, ...]
    env: dict[str, str]
    folders: tuple[Path, ...]


def find(plugin: Plugin, command: tuple[str, ...], granted: Granted, work_dir: Path) -> Program:
    """Return how to start a plugin's command for a job; raises NoProgramError.

    A word that names a file of the plugin's folder becomes its path: the job runs in a folder of
    its own.
    """
    with_python = PYTHON in command
    interpreter = python() if with_python else None
    words = [
        interpreter.path if interpreter and word == PYTHON else _in_folder(plugin.folder, word)
        for word in command
    ]
    path = _path(interpreter)
    program = words[0] if Path(words[0]).is_absolute() else shutil.which(words[0], path=path)
    if program is None:
        raise NoProgramError(f"{words[0]!r} is neither in {plugin.folder} nor on {path}")
    env = {**_usual(work_dir), **granted.env, "PATH": path}
    helpers = _for_python() if with_python else ()
    if with_python:
        env |= {
            "PYTHONPATH": os.pathsep.join(map(str, (plugin.folder, *helpers))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "PYTHONIOENCODING": "utf-8",
        }
    folders = (plugin.folder, *(interpreter.folders if interpreter else ()), *helpers)
    return Program((program, *words[1:]), env, folders)


def lacking(plugin: Plugin) -> str:
    """Return what keeps the plugin's jobs from being started here; "" when nothing does."""
    try:
        for command in filter(None, (plugin.command, plugin.verify)):
            find(plugin, command, plugins.NOTHING_GRANTED, plugin.folder)
        with_python = PYTHON in (*plugin.command, *plugin.verify)
        missing = _missing(plugin.modules) if with_python and plugin.modules else []
    except NoProgramError as error:
        return str(error)
    if not missing:
        return ""
    hint = f": {plugin.install}" if plugin.install else ""
    return f"{python().path} has no {', '.join(missing)}{hint}"


@cache
def python() -> Interpreter:
    """Return the interpreter for {python}: our own, or the PATH's when we are a frozen program;
    raises NoProgramError."""
    if not getattr(sys, "frozen", False):
        # What the agent shares with others may be used too, wherever it was installed.
        shared = Path(forge_shared.__file__).parent.parent
        return Interpreter(
            sys.executable, _each_once(Path(sys.prefix), Path(sys.base_prefix), shared)
        )
    for name in ("python3", "python"):
        found = shutil.which(name)
        if found is None:
            continue
        try:
            path, *prefixes = _asked(found, _WHERE)
            return Interpreter(path, _each_once(*map(Path, prefixes)))
        except (OSError, subprocess.SubprocessError, ValueError):
            continue
    raise NoProgramError(
        "there is no python3 on the agent's PATH, which the plugin's {python} stands for"
    )


def _missing(modules: tuple[str, ...]) -> list[str]:
    """Return the modules that {python} has not got; raises NoProgramError.

    Always by a process of its own: this one may have modules that no job would see, from its
    PYTHONPATH or its user's own packages.
    """
    path = python().path
    try:
        return [str(name) for name in _asked(path, _MISSING, *modules)]
    except (OSError, subprocess.SubprocessError, ValueError):
        raise NoProgramError(f"{path} does not say whether it has {', '.join(modules)}") from None


def _asked(interpreter: str, program: str, *arguments: str) -> list[Any]:
    """Return what a line of Python prints as JSON; raises OSError, SubprocessError, ValueError.

    Nobody confines it: -I keeps it to the interpreter's own modules.
    """
    ended = subprocess.run(
        [interpreter, "-I", "-c", program, *arguments],
        capture_output=True,
        timeout=_PATIENCE_S,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    told: list[Any] = json.loads(ended.stdout)
    return told


def _in_folder(folder: Path, word: str) -> str:
    inside = folder / word
    return str(inside) if not word.startswith("-") and inside.is_file() else word


def _path(interpreter: Interpreter | None) -> str:
    if os.name != "posix":
        return os.environ.get("PATH", os.defpath)
    own = () if interpreter is None else (str(Path(interpreter.path).parent),)
    return os.pathsep.join(dict.fromkeys((*own, *_USUAL_PATH)))


def _usual(work_dir: Path) -> dict[str, str]:
    """Return what each job has in its environment: nothing comes from the agent's."""
    here = str(work_dir)
    env = {"HOME": here, "TMPDIR": here, "LANG": "C.UTF-8"}
    if os.name != "posix":
        kept = ("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT")
        env |= {"TEMP": here, "TMP": here, "USERPROFILE": here}
        env |= {name: os.environ[name] for name in kept if name in os.environ}
    return env


def packages() -> list[Path]:
    """Return the folders that are others once {python} has other modules; none where it is not our
    own interpreter."""
    return [] if getattr(sys, "frozen", False) else [Path(one) for one in site.getsitepackages()]


@cache
def _for_python() -> tuple[Path, ...]:
    """Return where `import forge_plugin` finds what helps authors."""
    folders = (folder / _FOR_PYTHON for folder in plugins.usual_folders(None))
    return tuple(folder for folder in folders if (folder / "forge_plugin.py").is_file())[:1]


def _each_once(*folders: Path) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(folders))
