"""The programs that people get: they start anywhere, and every command is in them."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from PyInstaller.archive.readers import CArchiveReader  # type: ignore[import-untyped]

from forge_shared import __version__
from tests.frozen.building import Frozen
from tests.frozen.running import ended

pytestmark = pytest.mark.usefixtures("frozen")


def test_it_starts_without_an_environment(program: Path) -> None:
    said = ended(program, "--version")
    assert (said.returncode, said.stdout.split()) == (0, ["forge-agent", __version__])


def test_the_processors_name(program: Path) -> None:
    said = ended(program, "cpu-model")
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.strip()) > 3
    assert len(said.stdout.splitlines()) == 1


def test_nvidias_binding_is_in_it(program: Path) -> None:
    """Here is no card to ask, and without a driver it is not loaded."""
    whole = CArchiveReader(str(program))
    (modules,) = (name for name in whole.toc if name.startswith("PYZ"))
    assert "pynvml" in whole.open_embedded_archive(modules).toc


@pytest.mark.parametrize(
    "command", ["run", "join", "install", "uninstall", "status", "doctor", "update", "launch"]
)
def test_every_command_is_there(frozen: Frozen, command: str) -> None:
    said = ended(frozen.folder, command, "--help")
    assert said.returncode == 0
    assert f"forge-agent {command}" in said.stdout


@pytest.mark.parametrize(
    "command", [["status"], ["doctor"], ["update", "--check"], ["join", "nonsense"]]
)
def test_a_command_that_cannot_work_says_so(
    frozen: Frozen, tmp_path: Path, command: list[str]
) -> None:
    """With modules missing they would end in a traceback."""
    config = tmp_path / "agent.toml"
    config.touch(mode=0o600)
    said = ended(frozen.folder, *command, "--config", str(config), HOME=str(tmp_path))
    assert said.returncode in {1, 2}
    assert "Traceback" not in said.stdout + said.stderr
    assert (said.stdout + said.stderr).strip()


def test_echo_comes_with_the_folder_and_wants_a_python(frozen: Frozen, tmp_path: Path) -> None:
    def echo(path: Path) -> dict[str, Any]:
        state = ("--state-dir", str(tmp_path))
        said = ended(frozen.folder, "plugins", "list", "--json", *state, PATH=str(path))
        assert said.returncode == 0, said.stderr
        told = json.loads(said.stdout)
        assert told["problems"] == []
        plugins = {plugin["name"]: plugin for plugin in told["plugins"]}
        assert Path(plugins["echo"]["folder"]) == frozen.folder.resolve().parent / "plugins/echo"
        found: dict[str, Any] = plugins["echo"]
        return found

    assert echo(Path(sys.executable).parent)["unavailable"] is None
    assert "there is no python3" in echo(tmp_path)["unavailable"]


def test_a_single_file_is_not_installed(frozen: Frozen, tmp_path: Path) -> None:
    said = ended(frozen.single, "install", "--user", HOME=str(tmp_path))
    assert said.returncode == 1
    assert "folder" in said.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_single_file_is_small(frozen: Frozen) -> None:
    assert frozen.single.stat().st_size <= 15_000_000


def test_checksums_and_archive(frozen: Frozen, tmp_path: Path) -> None:
    lines = (frozen.out / "SHA256SUMS").read_text().splitlines()
    sums = {name: told for told, name in (line.split("  ") for line in lines)}
    assert len(sums) == 2
    for name, told in sums.items():
        assert hashlib.sha256((frozen.out / name).read_bytes()).hexdigest() == told
    (archive,) = (frozen.out / name for name in sums if name.endswith((".tar.gz", ".zip")))
    shutil.unpack_archive(archive, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["forge-agent"]
    assert ended(tmp_path / "forge-agent" / frozen.folder.name, "--version").returncode == 0
    assert (tmp_path / "forge-agent" / "plugins" / "python" / "forge_plugin.py").is_file()
