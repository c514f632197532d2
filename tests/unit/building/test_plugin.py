from __future__ import annotations

import tomllib

import click
import pytest

from scripts.building import plugin, program

MANIFEST = (program.ROOT / "agent" / "plugins" / "prodplan" / "plugin.toml").read_text()


def test_a_frozen_plugin_starts_its_programs_and_is_the_same_otherwise() -> None:
    before, after = tomllib.loads(MANIFEST), tomllib.loads(plugin.frozen_manifest(MANIFEST))
    assert after.pop("command") == [f"./prodplan{program.SUFFIX}"]
    assert after.pop("verify") == [f"./verify{program.SUFFIX}"]
    del before["command"], before["verify"]
    assert after == before


def test_a_manifest_with_other_commands_is_not_taken_for_what_it_was() -> None:
    with pytest.raises(click.ClickException):
        plugin.frozen_manifest(MANIFEST.replace("verify.py", "verify.sh"))
