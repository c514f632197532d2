"""Agents whose owners wish it update by themselves, from a collector that serves a release."""

from __future__ import annotations

from pathlib import Path

from forge_agent.update.installed import Installed
from forge_shared import signatures
from forge_shared.signatures import KeyPair
from tests.integration.update.conftest import StartService
from tests.integration.update.program import make_program_dir, make_release
from tests.process import CollectorProcess


def test_an_agent_updates_by_itself_and_loses_nothing(
    tmp_path: Path,
    offered: Path,
    keys: KeyPair,
    collector: CollectorProcess,
    start_service: StartService,
) -> None:
    make_release(offered, "0.2.0", keys)
    wishing = start_service(
        make_program_dir(tmp_path / "wishing" / "program"),
        collector,
        "wishing",
        FORGE_AUTO_UPDATE="1",
        FORGE_RELEASE_KEYS=keys.public,
    )
    wary = start_service(
        make_program_dir(tmp_path / "wary" / "program"),
        collector,
        "wary",
        FORGE_AUTO_UPDATE="1",
        FORGE_RELEASE_KEYS=signatures.make_keys().public,
    )
    content = start_service(
        make_program_dir(tmp_path / "content" / "program"),
        collector,
        "content",
        FORGE_RELEASE_KEYS=keys.public,
    )
    wishing.pushes("0.2.0")
    wishing.until(lambda: wishing.installed.current == "0.2.0", "0.2.0 to be kept")
    assert wishing.installed == Installed(current="0.2.0", highest="0.2.0")
    wishing.until(lambda: wishing.spooled() == [], "the spool to be replayed")
    assert wishing.status()["dropped"] == 0
    assert collector.node("wishing")["host"]["agent_version"] == "0.2.0"
    assert "not signed with a key that is trusted here" in wary.said("update_failed")["reason"]
    for service in (wary, content):
        service.pushes("0.1.0")
        assert service.starts == 1
        assert service.installed == Installed()
