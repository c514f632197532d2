"""Runs PyInstaller, and on packaging/agent.spec."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

import click

from forge_shared import __version__, releases

ROOT: Final = Path(__file__).parents[2]
SPEC: Final = ROOT / "packaging" / "agent.spec"
SUFFIX: Final = ".exe" if sys.platform == "win32" else ""
_TIMEOUT_S: Final = 900
_START_TIMEOUT_S: Final = 60
_LAST_LINES: Final = 30
_EARLIEST: Final = 315_532_800  # 1980: the first moment that a zip archive can tell
_RELEASE_KEYS: Final = "release-keys.txt"
# What comes with every agent: a plugin to try things out, and what helps authors.
_PLUGINS: Final = ("echo", "python")
_GLIBC: Final = re.compile(rb"GLIBC_2\.(\d+)")


class Built(NamedTuple):
    """``single``: the program as one file. ``folder``: the program beside its libraries."""

    single: Path
    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / f"{releases.PROGRAM}{SUFFIX}"


def platform_name() -> str:
    """Return this platform's name in a release; raises ClickException where none is made for it."""
    found = releases.platform_of(sys.platform, platform.machine())
    if found is None:
        known = ", ".join(releases.PLATFORMS)
        raise click.ClickException(
            f"there is no release for {platform.system()} on {platform.machine()}, only for {known}"
        )
    return found


def source_date() -> int:
    """Return the moment that the build tells, in Unix s: SOURCE_DATE_EPOCH, or when the sources
    were committed; a fixed one where neither is known."""
    told = os.environ.get("SOURCE_DATE_EPOCH", "") or _committed_at()
    return max(_EARLIEST, int(told)) if told.isdigit() else _EARLIEST


def _committed_at() -> str:
    try:
        told = subprocess.run(
            ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()


def build(work: Path, release_keys: Path | None) -> Built:
    """Build both in a folder that is ours alone; raises ClickException."""
    single = releases.file_name(__version__, platform_name(), releases.FILE)
    keys = [] if release_keys is None else ["--release-keys", str(_renamed(release_keys, work))]
    run_pyinstaller(SPEC, work, "--", "--single", single.removesuffix(SUFFIX), *keys)
    folder = work / "dist" / releases.PROGRAM
    _add_plugins(folder)
    return Built(work / "dist" / single, folder)


def _add_plugins(folder: Path) -> None:
    """Put the plugins beside the program, where it looks for them."""
    for name in _PLUGINS:
        source = ROOT / "agent" / "plugins" / name
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, folder / "plugins" / name, ignore=unwanted)


def run_pyinstaller(spec: Path, work: Path, *given: str) -> None:
    """Build into ``work``/dist; raises ClickException, with what PyInstaller said last."""
    command = [
        *(sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"),
        *("--distpath", str(work / "dist"), "--workpath", str(work / "build"), str(spec), *given),
    ]
    with (work / "log").open("w+", encoding="utf-8") as log:
        ended = subprocess.run(
            command,
            cwd=work,
            env=_environment(work),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
        )
        log.seek(0)
        last = log.read().splitlines()[-_LAST_LINES:]
    if ended.returncode != 0:
        raise click.ClickException("PyInstaller could not build it:\n" + "\n".join(last))


def check_it_starts(program: Path) -> None:
    """Have the program say its version, in an empty environment; raises ClickException."""
    ended = subprocess.run(
        [str(program), "--version"],
        env=least_environment(),
        capture_output=True,
        text=True,
        timeout=_START_TIMEOUT_S,
        check=False,
    )
    if ended.returncode != 0 or ended.stdout.split() != [releases.PROGRAM, __version__]:
        said = (ended.stdout + ended.stderr).strip()
        raise click.ClickException(f"{program.name} was built and does not start; it said: {said}")


def least_environment() -> dict[str, str]:
    """Return what a program cannot start without."""
    # Windows' programs find the system's libraries by it.
    return {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}


def glibc_needed(folder: Path) -> str | None:
    """Return the oldest glibc that the folder build runs on, by the symbols that its files ask for;
    None where it is not Linux."""
    if sys.platform != "linux":
        return None
    files = (path for path in folder.rglob("*") if path.is_file())
    minors = [int(minor) for path in files for minor in _GLIBC.findall(path.read_bytes())]
    return f"2.{max(minors)}" if minors else None


def _environment(work: Path) -> dict[str, str]:
    return {
        **os.environ,
        # So that two builds of the same sources are the same: sets and dictionaries in one order,
        # and one moment for all.
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": str(source_date()),
        # Nothing is taken over from an earlier build, nor left for a later one.
        "PYINSTALLER_CONFIG_DIR": str(work / "cache"),
    }


def _renamed(release_keys: Path, work: Path) -> Path:
    """Return the keys under the name that the program looks for."""
    return shutil.copyfile(release_keys, work / _RELEASE_KEYS)
