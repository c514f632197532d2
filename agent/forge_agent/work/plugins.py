"""Plugins: folders with a plugin.toml and a program, found and checked."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
import sys
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

MANIFEST: Final = "plugin.toml"
CLASSES: Final = ("cpu", "io", "llm")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VERSION: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_MODULE: Final = _VARIABLE
_SHELLS: Final = ("sh", "bash", "dash", "ksh", "zsh")
_LONGEST_TITLE: Final = 128
_LONGEST_HINT: Final = 200
_LARGEST_MANIFEST: Final = 64 * 1024
_LARGEST_SCHEMA: Final = 64 * 1024  # the collector takes no larger one
_MOST_PLUGINS: Final = 256
_MOST_FILES_NOTICED: Final = 1000  # of a folder
_DAY_S: Final = 24 * 3600
_LIMITS: Final = {
    "memory_mib": (16, 2**24),
    "wall_s": (1, 30 * _DAY_S),
    "no_progress_s": (1, 30 * _DAY_S),
    "cpu_cores": (1, 65_536),
}
# What loads code into a program, or is set for each job.
_NEVER_GIVEN: Final = re.compile(
    r"LD_.*|DYLD_.*|PYTHON.*|HOME|TMPDIR|TMP|TEMP|PATH|BEARER_TOKEN|ADMIN_SECRET|FORGE_.*|CREDENTIALS_.*"
)


class Limits(NamedTuple):
    """What a job may take, None: no limit. ``no_progress_s``: how long it may say nothing new."""

    memory_mib: int | None = None
    wall_s: int | None = None
    no_progress_s: int | None = None
    cpu_cores: int | None = None


class Needs(NamedTuple):
    """What a plugin asks of the machine's owner beside its own folder: variables of the agent's
    environment, files and folders to read, the network."""

    env: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    network: bool = False


class Plugin(NamedTuple):
    """``command``: what does a job; ``verify``: what looks at a result, () for nothing.
    ``modules``: what {python} must have beside its own; ``install``: how people get them."""

    folder: Path
    name: str
    version: str
    title: str
    resource_class: str
    command: tuple[str, ...]
    verify: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    install: str = ""
    payload_schema: Mapping[str, Any] | None = None
    attempts: int = 3
    backoff_s: int = 10
    limits: Limits = Limits()
    needs: Needs = Needs()


class Problem(NamedTuple):
    """A folder that is no plugin to use, and why: one sentence each."""

    folder: Path
    sentences: tuple[str, ...]


class Found(NamedTuple):
    plugins: tuple[Plugin, ...]
    problems: tuple[Problem, ...]


class Granted(NamedTuple):
    """What a plugin asked for and the owner allowed."""

    env: Mapping[str, str]
    read: tuple[Path, ...]
    network: bool


NOTHING_GRANTED: Final = Granted({}, (), network=False)


class ManifestError(Exception):
    """A folder is no plugin. ``problems``: one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


# --- where they are -------------------------------------------------------------------------------


def beside_the_program() -> Path:
    """Return where the plugins lie that came with the agent."""
    if getattr(sys, "frozen", False):
        return Path(sys.executable).resolve().parent / "plugins"
    package = Path(__file__).resolve().parents[1]
    # A wheel has them within the package, a checkout beside it.
    inside = package / "plugins"
    return inside if inside.is_dir() else package.parent / "plugins"


def usual_folders(state_dir: Path | None) -> tuple[Path, ...]:
    """Return where plugins are looked for when no setting says."""
    of_the_machine = () if os.name != "posix" else (Path("/usr/local/lib/forge-agent/plugins"),)
    of_the_agent = () if state_dir is None else (state_dir / "plugins",)
    return (beside_the_program(), *of_the_agent, *of_the_machine)


def discover(folders: Sequence[Path]) -> Found:
    """Look through folders for plugins: each holds some, or is one itself. Of those of the same
    name the first is taken."""
    found: dict[str, Plugin] = {}
    problems: list[Problem] = []
    for folder in _candidates(folders, problems):
        try:
            plugin = check(folder)
        except ManifestError as error:
            problems.append(Problem(folder, tuple(error.problems)))
            continue
        first = found.setdefault(plugin.name, plugin)
        if first is not plugin:
            problems.append(
                Problem(folder, (f"{first.folder} has the name {plugin.name!r} already.",))
            )
    return Found(tuple(found[name] for name in sorted(found)), tuple(problems))


def _candidates(folders: Sequence[Path], problems: list[Problem]) -> list[Path]:
    candidates: dict[Path, Path] = {}  # by what they really are, each once
    for folder in folders:
        try:
            inside = [folder] if (folder / MANIFEST).is_file() else sorted(_with_manifests(folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            problems.append(Problem(folder, (f"It cannot be read ({error.strerror}).",)))
            continue
        for one in inside:
            candidates.setdefault(one.resolve(), one)
    return list(candidates.values())[:_MOST_PLUGINS]


def _with_manifests(folder: Path) -> list[Path]:
    return [one for one in folder.iterdir() if (one / MANIFEST).is_file()]


def stamp(folders: Sequence[Path]) -> tuple[object, ...]:
    """Return what is another once a plugin there has come, gone or changed. Programs are read when
    they are started: of them, only what lies directly in the plugin's folder is looked at."""
    return tuple(
        look
        for folder in folders
        for look in (
            *_looks(folder),
            *(look for one in _folders_in(folder) for look in _looks(one)),
        )
    )


def _looks(folder: Path) -> Iterator[object]:
    """Yield how a folder looks, and if it is a plugin's, each file in it."""
    with contextlib.suppress(OSError):
        yield _look(str(folder), folder.stat())
        if not (folder / MANIFEST).is_file():
            return
        with os.scandir(folder) as entries:
            for entry in islice(entries, _MOST_FILES_NOTICED):
                # A link that leads nowhere hides nothing that lies beside it.
                with contextlib.suppress(OSError):
                    if entry.is_file():
                        yield _look(entry.path, entry.stat())


def _look(path: str, found: os.stat_result) -> object:
    return path, found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode


def _folders_in(folder: Path) -> list[Path]:
    found: list[Path] = []
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir():
                    found.append(Path(entry.path))
    return sorted(found)


# --- what is granted ------------------------------------------------------------------------------


def is_grant(what: str) -> bool:
    """Tell whether an owner can grant this: ``network``, ``env:NAME`` or ``read:/PATH``."""
    kind, _, rest = what.partition(":")
    match kind:
        case "network":
            return what == kind
        case "env":
            return _is_variable(rest)
        case "read":
            return Path(rest).is_absolute()
    return False


def asked(plugin: Plugin) -> tuple[str, ...]:
    """Return what a plugin asks for, as grants."""
    needs = plugin.needs
    return (
        *(["network"] if needs.network else []),
        *(f"env:{name}" for name in needs.env),
        *(f"read:{path}" for path in needs.read),
    )


def refused(plugin: Plugin, grants: Collection[str]) -> tuple[str, ...]:
    """Return what a plugin asks for and was not granted."""
    return tuple(what for what in asked(plugin) if what not in grants)


def granted(plugin: Plugin, grants: Collection[str], environ: Mapping[str, str]) -> Granted:
    """Return what a plugin asks for and was granted."""
    needs = plugin.needs
    return Granted(
        env={
            name: environ[name] for name in needs.env if f"env:{name}" in grants and name in environ
        },
        read=tuple(Path(path) for path in needs.read if f"read:{path}" in grants),
        network=needs.network and "network" in grants,
    )


# --- the manifest ---------------------------------------------------------------------------------


def check(folder: Path) -> Plugin:
    """Read a plugin's manifest, and look whether all is there; raises ManifestError."""
    try:
        told = tomllib.loads(_small(folder / MANIFEST, _LARGEST_MANIFEST))
    except OSError as error:
        raise ManifestError(
            [
                f"{MANIFEST} cannot be read ({error.strerror}).",
            ]
        ) from None
    except ValueError as error:
        raise ManifestError([f"{MANIFEST} is no TOML of use: {error}."]) from None
    problems: list[str] = []
    table = _Table(told, "", problems)
    resource_class = table.text("resource_class", needed=True)
    if resource_class and resource_class not in CLASSES:
        problems.append(f"resource_class {resource_class!r} must be one of {', '.join(CLASSES)}.")
    plugin = Plugin(
        folder=folder.resolve(),
        name=table.text("name", _NAME, "lower-case letters, digits, '.', '_', '-'", needed=True),
        version=table.text("version", _VERSION, "numbers, such as 1.4", needed=True),
        title=table.text("title")[:_LONGEST_TITLE],
        resource_class=resource_class,
        command=table.words("command", needed=True),
        verify=table.words("verify"),
        modules=_modules(table),
        install=table.text("install")[:_LONGEST_HINT],
        payload_schema=_schema(folder, table.text("payload_schema"), problems),
        attempts=table.whole("attempts", (1, 20)) or 3,
        backoff_s=_or(table.whole("backoff_s", (0, _DAY_S)), 10),
        limits=_limits(table.table("limits")),
        needs=_needs(table.table("needs")),
    )
    table.no_others(set(Plugin._fields) - {"folder"})
    for word, command in (("command", plugin.command), ("verify", plugin.verify)):
        problems += _missing_programs(folder, word, command)
    problems += _open_to_change(folder)
    if problems:
        raise ManifestError(problems)
    return plugin if plugin.title else plugin._replace(title=plugin.name)


class _Table:
    """A table of the manifest. What is wrong in it becomes a sentence in ``problems``."""

    def __init__(self, told: Mapping[str, Any], name: str, problems: list[str]) -> None:
        self._told = told
        self._name = name
        self._problems = problems

    def text(
        self,
        key: str,
        pattern: re.Pattern[str] | None = None,
        of: str = "",
        *,
        needed: bool = False,
    ) -> str:
        value = self._told.get(key, "")
        if not isinstance(value, str) or not value.isprintable():
            self._wrong(key, "must be a line of text")
        elif needed and not value:
            self._wrong(key, "is missing")
        elif value and pattern is not None and not pattern.fullmatch(value):
            self._wrong(key, f"is {value[:80]!r}: it must be {of}")
        else:
            return value
        return ""

    def words(self, key: str, *, needed: bool = False) -> tuple[str, ...]:
        value = self._told.get(key, [])
        if not isinstance(value, list) or not all(
            isinstance(word, str) and word and "\0" not in word for word in value
        ):
            self._wrong(key, 'must be a list of words, such as ["{python}", "main.py"]')
            return ()
        if needed and not value:
            self._wrong(key, "is missing")
        return tuple(value)

    def whole(self, key: str, bounds: tuple[int, int]) -> int | None:
        value = self._told.get(key)
        low, high = bounds
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self._wrong(key, f"must be a whole number from {low} to {high}")
            return None
        return value

    def switch(self, key: str) -> bool:
        value = self._told.get(key, False)
        if not isinstance(value, bool):
            self._wrong(key, "must be true or false")
        return value is True

    def table(self, key: str) -> _Table:
        value = self._told.get(key, {})
        if not isinstance(value, dict):
            self._wrong(key, "must be a table")
            value = {}
        return _Table(value, f"{key}.", self._problems)

    def no_others(self, known: Collection[str]) -> None:
        for key in sorted(set(self._told) - set(known)):
            self._wrong(key[:80], "is not known")

    def _wrong(self, key: str, how: str) -> None:
        self._problems.append(f"{self._name}{key} {how}.")


def _modules(table: _Table) -> tuple[str, ...]:
    names = table.words("modules")
    for name in names:
        if not _MODULE.fullmatch(name):  # to look for one within another imports the other
            table._wrong("modules", f"holds {name[:80]!r}: name what an import begins with")  # noqa: SLF001
    return names


def _limits(table: _Table) -> Limits:
    table.no_others(_LIMITS)
    return Limits(**{key: table.whole(key, _LIMITS[key]) for key in _LIMITS})


def _needs(table: _Table) -> Needs:
    table.no_others(Needs._fields)
    env, read = table.words("env"), table.words("read")
    for name in env:
        if not _is_variable(name):
            table._wrong("env", f"holds {name[:80]!r}, which no plugin is given")  # noqa: SLF001
    for path in read:
        if not Path(path).is_absolute():
            table._wrong("read", f"holds {path[:200]!r}: name files and folders from the root")  # noqa: SLF001
    return Needs(env, read, table.switch("network"))


def _is_variable(name: str) -> bool:
    return bool(_VARIABLE.fullmatch(name)) and not _NEVER_GIVEN.fullmatch(name)


def _schema(folder: Path, name: str, problems: list[str]) -> Mapping[str, Any] | None:
    if not name:
        return None
    try:
        schema = json.loads(_small(folder / name, _LARGEST_SCHEMA))
    except OSError as error:
        problems.append(f"payload_schema {name} cannot be read ({error.strerror}).")
    except (ValueError, RecursionError) as error:
        problems.append(f"payload_schema {name} is no JSON of use: {error}.")
    else:
        if isinstance(schema, dict):
            return schema
        problems.append(f"payload_schema {name} must be a JSON Schema, an object.")
    return None


def _small(path: Path, most: int) -> str:
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is larger than {most // 1024} KiB")
    return content.decode("utf-8-sig")


def _missing_programs(folder: Path, key: str, command: tuple[str, ...]) -> list[str]:
    """Tell which file of a command is not in the folder: its program, or the script behind
    {python} or a shell. What is found on the PATH is looked for when a job starts."""
    if not command:
        return []
    named = command[1:2] if command[0] == "{python}" else command[:1]
    missing = [
        name
        for name in named
        if not name.startswith("-")
        and ("/" in name or name.endswith(".py"))
        and not (folder / name).is_file()
    ]
    if Path(command[0]).name in _SHELLS:
        missing += [name for name in command[1:2] if _is_missing_script(folder, name)]
    return [f"{key}: there is no file {name!r} in the folder." for name in missing]


def _is_missing_script(folder: Path, name: str) -> bool:
    """Tell whether a shell's first word is a script that is not there: a job runs in a folder of
    its own, and a name alone is looked for on the PATH as well."""
    if name[0] in "-+" or (folder / name).is_file():
        return False
    return "/" in name or shutil.which(name, mode=os.F_OK) is None


def _open_to_change(folder: Path) -> list[str]:
    """Tell whether somebody else could put their own program in the place of the owner's."""
    if os.name != "posix":
        return []
    mode = folder.stat().st_mode | (folder / MANIFEST).stat().st_mode
    if mode & stat.S_IWOTH:
        return [f"Everybody on this machine may change it: chmod -R o-w {folder}"]
    return []


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
