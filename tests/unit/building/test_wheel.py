"""What pip installs has the plugins, and an editable install has those of the checkout."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.process import PATIENCE_S, environment

ROOT = Path(__file__).parents[3]
PLUGINS = ROOT / "agent" / "plugins"


def built(version: str, folder: Path) -> Path:
    [wheel] = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=[version])
    return Path(wheel)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel installs."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(built("standard", folder / "dist")) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_the_plugins_lie_in_the_agents_package(site: Path) -> None:
    installed = site / "forge_agent" / "plugins"
    wanted = [
        path.relative_to(PLUGINS)
        for path in PLUGINS.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert {path.parts[0] for path in wanted} == {"echo", "prodplan", "python"}
    found = {path.relative_to(installed) for path in installed.rglob("*") if path.is_file()}
    assert found == set(wanted)
    ours = ("forge_agent", "forge_collector", "forge_shared", "forgectl", "forge_fleet-")
    assert all(path.name.startswith(ours) for path in site.iterdir())


def test_an_agent_that_pip_installed_finds_them(site: Path, tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "forge_agent", "plugins", "list", "--json"],
        env=environment(PYTHONPATH=str(site), FORGE_STATE_DIR=str(tmp_path)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    told = json.loads(said.stdout)
    assert told["problems"] == []
    folders = {plugin["name"]: Path(plugin["folder"]) for plugin in told["plugins"]}
    assert {name: folders[name].parent for name in ("echo", "prodplan")} == {
        "echo": site / "forge_agent" / "plugins",
        "prodplan": site / "forge_agent" / "plugins",
    }


def test_an_editable_install_has_no_copy_of_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(built("editable", tmp_path)) as wheel:
        assert [name for name in wheel.namelist() if name.startswith("forge_agent")] == []
        [path] = (name for name in wheel.namelist() if name.endswith(".pth"))
        assert str(ROOT / "agent") in wheel.read(path).decode().splitlines()
