"""A machine joins over the network by one line, and finds its collector again wherever it went."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.network.hosts import Host
from tests.network.machines import PORT, running_agent, running_collector
from tests.process import PATIENCE_S, environment, wait_for

NAME = "collector.test"


def join(host: Host, folder: Path, *options: str) -> str:
    """Run `forge-agent join` on a host; return what it said."""
    done = subprocess.run(
        [
            *host.prefix,
            *(sys.executable, "-m", "forge_agent", "join", "--config", str(folder / "agent.toml")),
            *options,
        ],
        env=environment(XDG_CONFIG_HOME=str(folder)),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_machine_joins_over_tls_and_the_collector_moves(
    hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    here, there = hosts
    here.knows(NAME, there.address, tmp_path)
    agents = tmp_path / "agent"
    agents.mkdir()
    url = f"https://{NAME}:{PORT}"
    with running_collector(there, tmp_path, "--tls", "auto", "--public-url", url) as collector:
        said = join(here, agents, "--node-id", "far-1", collector.invite())
        assert url in said
        with running_agent(here, agents, "--config", str(agents / "agent.toml")) as agent:
            agent.said("connected")
            there.move_to("10.87.0.77")
            agent.said("offline")
            here.knows(NAME, there.address, tmp_path)
            agent.said("recovered", patience_s=40)
            wait_for(lambda: collector.is_online("far-1"), "it to be online again")


def test_the_address_of_the_network_is_told_and_works(
    hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    """Whoever mints the invite on the collector itself has never used that address."""
    here, there = hosts
    agents = tmp_path / "agent"
    agents.mkdir()
    with running_collector(there, tmp_path, "--tls", "auto") as collector:
        said = join(here, agents, "--node-id", "far-1", collector.invite())
        assert f"https://{there.address}:{PORT}" in said
