"""What the owner chooses is what a real agent sends."""

from __future__ import annotations

from pathlib import Path

from forge_shared import metrics
from tests.integration.agent.conftest import StartAgent


def instances(values: dict[str, float], metric: str) -> set[str | None]:
    return {metrics.split(key)[1] for key in values if metrics.split(key)[0] == metric}


def test_an_agent_shows_what_its_owner_named(start_agent: StartAgent, tmp_path: Path) -> None:
    folder = tmp_path / "forge-fleet"
    folder.mkdir()
    (folder / "agent.toml").write_text('FORGE_DISKS = "!*"\n')
    agent = start_agent(FORGE_INTERFACES="lo,!*", FORGE_MOUNTS="/dev/shm")  # noqa: S108
    values = agent.pushed(2)[-1].snapshots[0].values
    assert instances(values, "net.rx_bytes_per_s") == {"lo"}
    assert {"/", "/dev/shm"} <= instances(values, "disk.pct")  # noqa: S108
    assert not [key for key in values if metrics.split(key)[0].startswith("disk.read")]
    assert agent.stop() < 2
