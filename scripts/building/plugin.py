"""Runs PyInstaller on packaging/prodplan.spec: the plugin as a folder that needs no Python."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import click

from forge_shared import __version__
from scripts.building import program

NAME: Final = "prodplan"
SPEC: Final = program.ROOT / "packaging" / "prodplan.spec"
_SOURCES: Final = program.ROOT / "agent" / "plugins" / NAME
_BESIDE: Final = ("payload.schema.json", "result.schema.json")
_COMMAND: Final = re.compile(r'^(command|verify) = \["\{python\}", "(\w+)\.py"\]$', re.MULTILINE)
_START_TIMEOUT_S: Final = 120
_TINY: Final = {"text": "2 2\n0 3 1 4\n1 5 0 6\n"}
_TINY_OPTIMUM: Final = 11


def archive_name() -> str:
    suffix = ".zip" if sys.platform == "win32" else ".tar.gz"
    return f"{NAME}-{__version__}-{program.platform_name()}{suffix}"


def build(work: Path) -> Path:
    """Build the plugin's folder in one that is ours alone, and return it; raises ClickException."""
    program.run_pyinstaller(SPEC, work)
    folder = work / "dist" / NAME
    for name in _BESIDE:
        shutil.copyfile(_SOURCES / name, folder / name)
    manifest = (_SOURCES / "plugin.toml").read_text(encoding="utf-8")
    (folder / "plugin.toml").write_text(frozen_manifest(manifest), encoding="utf-8")
    return folder


def frozen_manifest(manifest: str) -> str:
    """Let a manifest name the programs in place of the scripts that they were made of."""
    frozen, count = _COMMAND.subn(rf'\1 = ["./\2{program.SUFFIX}"]', manifest)
    if count != 2:
        raise click.ClickException(f"{NAME}'s plugin.toml has not the two commands it had")
    return frozen


def check_it_solves(folder: Path) -> None:
    """Have it solve a tiny plan, and check that, in an empty environment; raises
    ClickException."""
    said = _run(folder / f"prodplan{program.SUFFIX}", {"payload": _TINY})
    last = json.loads(said.stdout.splitlines()[-1]) if said.stdout else {}
    result = last.get("result", {})
    if result.get("objective") != _TINY_OPTIMUM:
        raise click.ClickException(f"{NAME} was built and solves nothing: {last} {said.stderr}")
    verified = _run(folder / f"verify{program.SUFFIX}", {"payload": _TINY, "result": result})
    if verified.returncode != 0:
        raise click.ClickException(f"{NAME}'s checker finds fault: {verified.stdout}")


def _run(path: Path, document: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(path)],
        input=json.dumps(document),
        env=program.least_environment(),
        capture_output=True,
        text=True,
        timeout=_START_TIMEOUT_S,
        check=False,
    )
