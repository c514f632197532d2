"""Agent and collector on different hosts, and what becomes of the line between them."""

from __future__ import annotations

from pathlib import Path

from tests.network.hosts import Host
from tests.network.machines import (
    PORT,
    Agent,
    Collector,
    relay,
    rest,
    running_agent,
    running_collector,
    settings,
)
from tests.process import wait_for

PLAIN = "--allow-plaintext"


def complete(collector: Collector, node_id: str = "n1") -> bool:
    """Tell whether all that the node ever took is stored, each once, in order."""
    seqs = collector.seqs(node_id)
    return seqs == list(range(len(seqs))) and len(seqs) > 0


def replayed_in_full(collector: Collector, agent: Agent) -> None:
    agent.said("replayed")
    wait_for(lambda: complete(collector), "every snapshot, once and in order")


def test_a_cable_is_pulled_and_plugged_in(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    here, there = hosts
    with running_collector(there, tmp_path, PLAIN) as collector:
        env = settings(collector, f"http://{there.address}:{PORT}")
        with running_agent(here, tmp_path / "agent", **env) as agent:
            agent.said("connected")
            here.pull_the_cable()
            agent.said("offline")
            rest(3)
            here.plug_it_in()
            agent.said("recovered", patience_s=40)
            replayed_in_full(collector, agent)
            assert collector.is_online("n1")


def test_nearly_a_third_of_all_packets_is_lost(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    here, there = hosts
    with running_collector(there, tmp_path, PLAIN) as collector:
        env = settings(collector, f"http://{there.address}:{PORT}")
        with running_agent(here, tmp_path / "agent", **env) as agent:
            agent.said("connected")
            for host in hosts:
                host.lose(30)
            taken = len(collector.seqs("n1"))
            wait_for(lambda: len(collector.seqs("n1")) > taken + 5, "pushes that get through")
            for host in hosts:
                host.lose_nothing()
            wait_for(lambda: complete(collector), "every snapshot, once and in order")


def test_a_line_of_half_a_second(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    here, there = hosts
    with (
        running_collector(there, tmp_path, PLAIN) as collector,
        relay(there, f"{there.address}:9000", f"127.0.0.1:{PORT}", delay_ms=500),
    ):
        env = settings(collector, f"http://{there.address}:9000")
        with running_agent(here, tmp_path / "agent", **env) as agent:
            agent.said("connected")
            wait_for(lambda: len(collector.seqs("n1")) > 4, "pushes")
            assert agent.events("offline") == []
        assert complete(collector)


def test_the_collector_vanishes_without_a_word(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    """Its connection stays open on the agent's side: nothing ever says that nobody is there."""
    here, there = hosts
    with running_collector(there, tmp_path, PLAIN) as collector:
        env = settings(collector, f"http://{there.address}:{PORT}")
        with running_agent(here, tmp_path / "agent", **env) as agent:
            agent.said("connected")
            here.lose(100)  # so that no goodbye arrives
            collector.process.kill()
            assert "time" in agent.said("offline")["reason"]
            collector.start()
            here.lose_nothing()
            agent.said("recovered", patience_s=40)
            replayed_in_full(collector, agent)


def test_the_agent_vanishes_without_a_word(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    """The collector is left with half a connection, and the agent comes back on another."""
    here, there = hosts
    with running_collector(there, tmp_path, PLAIN) as collector:
        env = settings(collector, f"http://{there.address}:{PORT}")
        with running_agent(here, tmp_path / "agent", **env) as agent:
            agent.said("connected")
            there.lose(100)
            agent.process.kill()
            agent.process.wait()
        there.lose_nothing()
        with running_agent(here, tmp_path / "agent", **env) as agent:
            collector.heard_anew("n1")
            assert collector.is_online("n1")


def test_the_collector_has_another_address(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    here, there = hosts
    here.knows("collector.test", there.address, tmp_path)
    with running_collector(there, tmp_path, PLAIN, "--allowed-host", "collector.test") as collector:
        env = settings(collector, f"http://collector.test:{PORT}")
        with running_agent(here, tmp_path / "agent", **env) as agent:
            agent.said("connected")
            there.move_to("10.87.0.77")
            agent.said("offline")
            here.knows("collector.test", there.address, tmp_path)
            agent.said("recovered", patience_s=40)
            replayed_in_full(collector, agent)
