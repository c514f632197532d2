"""A collector that is away, broken, slow or hostile: nothing that could be spooled is lost."""

from __future__ import annotations

from tests.integration.agent import fake_collector
from tests.integration.agent.conftest import StartAgent
from tests.integration.agent.fake_collector import FakeCollector, accept, status
from tests.integration.agent.running import RunningAgent, until_pushed
from tests.process import wait_for


def everything_arrives(collector: FakeCollector, agent: RunningAgent) -> None:
    """Stop the agent once its spool is empty; each of its snapshots must have arrived."""
    wait_for(lambda: not agent.spool_files(), "the spool to be replayed")
    agent.stop()
    seqs = collector.seqs()
    last = seqs[-1]
    unsent = agent.spooled_seqs()
    assert seqs == list(range(last + 1))
    assert unsent in ([], [last], [last + 1])


def test_what_was_measured_offline_arrives_after_the_live_push(
    collector: FakeCollector, agent: RunningAgent
) -> None:
    agent.pushed(1)
    collector.die()
    agent.said("offline")
    agent.spools(3)
    newest = agent.spooled_seqs()[-1]
    del collector.pushes[:]
    collector.start()
    pushes = until_pushed(collector, lambda pushes: any(not push.is_live for push in pushes))
    assert pushes[0].is_live
    assert pushes[0].snapshots[0].seq >= newest
    replay = next(push for push in pushes if not push.is_live)
    assert replay.headers["content-type"] == "application/x-ndjson"
    agent.said("replayed")
    agent.said("recovered")
    everything_arrives(collector, agent)


def test_an_agent_that_starts_offline_spools(
    collector: FakeCollector, start_agent: StartAgent
) -> None:
    collector.die()
    agent = start_agent("--interval", "1")
    agent.said("offline")
    agent.spools(1)
    collector.start()
    agent.said("replayed")
    everything_arrives(collector, agent)


def test_a_refused_token_is_explained_and_snapshots_are_spooled(
    collector: FakeCollector, agent: RunningAgent
) -> None:
    agent.pushed(1)
    collector.answer = status(401, "unknown token")
    said = agent.said("token_refused")
    assert (said["node_id"], said["level"]) == ("n1", "error")
    agent.spools(3)
    assert len(agent.events("token_refused")) == 1
    collector.answer = accept
    agent.said("replayed")
    everything_arrives(collector, agent)


def test_a_collector_that_trickles_does_not_stop_sampling(
    collector: FakeCollector, agent: RunningAgent
) -> None:
    agent.pushed(1)
    collector.answer = fake_collector.trickle
    agent.pushed(1)
    # It could be held up for 10 s; it samples and spools meanwhile.
    agent.spools(2)
    assert agent.events("offline") == []
    collector.stop_hanging.set()
    collector.answer = accept
    agent.said("replayed")
    everything_arrives(collector, agent)
