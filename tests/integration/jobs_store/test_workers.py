"""Workers and what they offer: what is known of a type, and for how long."""

from __future__ import annotations

from msgspec import Raw

from forge_collector.jobs import rules, store
from forge_collector.jobs.rules import Limits, Machine
from forge_shared.job_messages import (
    Heartbeat,
    JobError,
    JobStatus,
    PluginOffer,
    ResourceClass,
    ResultStatus,
    UnavailablePlugin,
    WorkerState,
)
from tests.integration.jobs_store.queue import START_MS, Queue

WAITING, FAILED = JobStatus.WAITING, JobStatus.FAILED
DAY_MS = 24 * 3600 * 1000


def test_heartbeats_tell_of_the_worker(queue: Queue) -> None:
    queue.submit()
    queue.claim()
    plugins = [PluginOffer("echo", "1.0", ResourceClass.IO, "Echo", payload_schema=Raw(b"{}"))]
    queue.beat(
        plugins=plugins,
        slots={ResourceClass.CPU: 2},
        state=WorkerState.PAUSED,
        reason="somebody uses it",
    )
    queue.beat(slots={ResourceClass.CPU: 2}, state=WorkerState.PAUSED, reason="on battery")
    (worker,) = store.workers(queue.tx, queue.at)
    assert (worker.id, worker.node_id, worker.state) == ("pc.1", "pc", WorkerState.PAUSED)
    assert (worker.reason, worker.slots) == ("on battery", {ResourceClass.CPU: 2})
    assert [(one.name, one.version, one.title) for one in worker.types] == [("echo", "1.0", "Echo")]
    assert len(worker.running) == 1
    assert not worker.silent
    (facts,) = store.types(queue.tx, queue.at)
    assert (facts.name, facts.versions, facts.workers) == ("echo", ["1.0"], 1)
    assert store.schema_of(queue.tx, "echo") == b"{}"
    assert store.schema_of(queue.tx, "other") is None
    assert store.running_by_node(queue.tx) == {"pc": 1}
    queue.pass_ms(rules.SILENT_AFTER_MS + 1)
    (worker,) = store.workers(queue.tx, queue.at)
    assert worker.silent
    assert store.types(queue.tx, queue.at)[0].workers == 0
    # One that holds a lease stays until it has run out.
    assert store.prune_workers(queue.tx, queue.at.now_ms) == 0
    queue.pass_ms(rules.LEASE_TTL_MS)
    queue.sweep()
    assert store.prune_workers(queue.tx, queue.at.now_ms) == 1
    assert store.types(queue.tx, queue.at) != []


def test_a_worker_that_only_claims_is_known_by_that(queue: Queue) -> None:
    queue.claim(types=["echo@1.2", "plan"])
    (worker,) = store.workers(queue.tx, queue.at)
    assert [(one.name, one.version) for one in worker.types] == [("echo", "1.2"), ("plan", "")]
    queue.pass_ms(4000)
    queue.claim(types=["echo@1.2", "plan"])
    assert store.workers(queue.tx, queue.at)[0].last_seen == START_MS
    queue.pass_ms(1000)
    queue.claim(types=["echo@1.2", "plan"])
    assert store.workers(queue.tx, queue.at)[0].last_seen == START_MS + 5000
    assert store.worker_node(queue.tx, "pc.1") == "pc"
    assert store.forget_node(queue.tx, "pc") == ["pc.1"]
    assert store.workers(queue.tx, queue.at) == []


def test_the_class_is_the_type_s_as_soon_as_it_is_known(queue: Queue) -> None:
    queue.limits = Limits({ResourceClass.IO: 1}, {})
    unnamed = queue.submit()
    named = queue.submit(resource_class=ResourceClass.CPU)
    running = queue.claim("pc.2")[0]
    assert queue.job(named).resource_class is ResourceClass.CPU
    queue.settle(running, ResultStatus.YIELDED)
    heard = queue.beat(plugins=[PluginOffer("echo", "1.9", ResourceClass.IO, "Echo")])
    assert heard.plugins_changed
    (change,) = heard.changes
    assert change.ready is not None
    assert (change.job_id, change.ready.resource_class) == (unnamed, ResourceClass.IO)
    # An older version of another worker changes nothing, a newer one does.
    queue.beat(worker_id="pc.2", plugins=[PluginOffer("echo", "1.2", ResourceClass.LLM)])
    assert queue.job(unnamed).resource_class is ResourceClass.IO
    queue.beat(plugins=[PluginOffer("echo", "1.10", ResourceClass.LLM)])
    assert {job.id: job.resource_class for job in queue.claim(most=5)} == {
        unnamed: ResourceClass.LLM,
        named: ResourceClass.CPU,
    }


def test_how_often_is_said_by_the_job_or_else_by_its_type(queue: Queue) -> None:
    queue.beat(plugins=[PluginOffer("echo", "1", attempts=1)])
    usual, own = queue.submit(), queue.submit(max_attempts=2)
    assert (queue.job(usual).max_attempts, queue.job(own).max_attempts) == (1, 2)
    for job in queue.claim(most=2):
        queue.settle(job, ResultStatus.FAILED, error=JobError("broke", "No."))
    assert (queue.status(usual), queue.status(own)) == (FAILED, WAITING)


def test_a_type_stays_while_a_worker_offers_it(queue: Queue) -> None:
    """A worker tells of its plugins at its start, and may go on for a year."""
    queue.beat(plugins=[PluginOffer("echo", "1", ResourceClass.LLM)])
    queue.beat(worker_id="pc.2", plugins=[PluginOffer("other", "1")])
    queue.pass_ms(365 * DAY_MS)
    queue.beat()
    store.prune_workers(queue.tx, queue.now_ms - DAY_MS)
    assert [one.name for one in store.types(queue.tx, queue.at)] == ["echo"]
    queue.submit()
    assert queue.claim()[0].resource_class is ResourceClass.LLM


def test_what_nobody_offers_any_more_does_not_count_for_what_others_offer(queue: Queue) -> None:
    queue.beat(plugins=[PluginOffer("echo", "1", ResourceClass.IO), PluginOffer("own", "1")])
    another = Machine("another", "linux", 8, 16 << 30)
    # However many it tells of.
    strange = [
        PluginOffer("echo", f"9.{number}", attempts=1, payload_schema=Raw(b"false"))
        for number in range(30)
    ]
    alone = PluginOffer("alone", "1", attempts=2)
    beat = Heartbeat(plugins=[*strange, alone])
    store.heartbeat(queue.tx, "another.1", beat, another, queue.at)
    job_id = queue.submit()
    assert queue.job(job_id).max_attempts == 1
    assert store.schema_of(queue.tx, "echo") == b"false"
    store.forget_node(queue.tx, "another")
    job = queue.job(job_id)
    assert (job.max_attempts, job.resource_class) == (3, ResourceClass.IO)
    assert queue.claim()[0].resource_class is ResourceClass.IO
    assert store.schema_of(queue.tx, "echo") is None
    found = {one.name: one.versions for one in store.types(queue.tx, queue.at)}
    assert found == {"echo": ["1"], "own": ["1"]}
    # A worker that does not come back is forgotten a day later.
    store.heartbeat(queue.tx, "another.2", beat, another, queue.at)
    queue.pass_ms(DAY_MS + 1)
    queue.beat()
    store.prune_workers(queue.tx, queue.now_ms - DAY_MS)
    assert queue.job(job_id).max_attempts == 3


def test_workers_after_a_restart_with_a_clock_that_was_set_back(queue: Queue) -> None:
    queue.beat()
    queue.lease_ms -= DAY_MS
    store.resume(queue.tx, queue.at)
    assert store.worker_states(queue.tx, queue.at) == {"ready": 1}
    queue.pass_ms(rules.SILENT_AFTER_MS + 1)
    assert [one.silent for one in store.workers(queue.tx, queue.at)] == [True]
    assert store.worker_states(queue.tx, queue.at) == {"silent": 1}


def test_a_worker_whose_place_another_has_taken_is_waited_for_no_more(queue: Queue) -> None:
    job_id = queue.submit()
    held = queue.claimed("pc.1", claim_id="c1").jobs
    queue.beat(held, plugins=[])
    assert queue.beat(worker_id="pc.2", plugins=[], succeeds="pc.1").retired == "pc.1"
    silent = {one.id: one.silent for one in store.workers(queue.tx, queue.at)}
    assert silent == {"pc.1": True, "pc.2": False}
    # Its leases come back as ever: to who asks what became of its claim, and gives back what that
    # brought. It does not live for that.
    again = queue.claimed("pc.1", types=[], claim_id="c1").jobs
    assert [one.id for one in again] == [job_id]
    silent = {one.id: one.silent for one in store.workers(queue.tx, queue.at)}
    assert silent == {"pc.1": True, "pc.2": False}
    queue.settle(again[0], ResultStatus.YIELDED)
    assert queue.claimed("pc.3", types=[], claim_id="c3").jobs == []
    assert [one.id for one in store.workers(queue.tx, queue.at)] == ["pc.2"]
    assert store.worker_states(queue.tx, queue.at) == {"ready": 1}
    # One that lives all the same is heard again, and none is another machine's to speak of.
    queue.beat(worker_id="pc.1")
    stranger = Heartbeat(plugins=[], succeeds="pc.1")
    heard = store.heartbeat(queue.tx, "nas.1", stranger, Machine("nas"), queue.at)
    assert heard.retired is None
    assert not any(one.silent for one in store.workers(queue.tx, queue.at))


def test_a_worker_that_has_stopped_is_waited_for_no_more(queue: Queue) -> None:
    queue.beat(plugins=[PluginOffer("echo", "1")])
    job_id = queue.submit()
    queue.beat(state=WorkerState.DRAINING, reason="the worker stops")
    because = queue.job(job_id).waits_because or ""
    assert "pc is draining (the worker stops)" in because
    assert queue.beat(state=WorkerState.DRAINING, last=True).retired == "pc.1"
    assert store.workers(queue.tx, queue.at) == []
    assert (queue.job(job_id).waits_because or "").startswith("No worker is there.")


def test_a_plugin_that_is_there_in_vain_is_not_offered_and_says_why(queue: Queue) -> None:
    lacking = [UnavailablePlugin("echo", "it has no voice")]
    queue.beat(plugins=[PluginOffer("other", "1")], unavailable=lacking)
    because = "No worker offers echo: pc has it in vain (it has no voice)."
    assert queue.job(queue.submit()).waits_because == because
    (worker,) = store.workers(queue.tx, queue.at)
    assert [one.name for one in worker.types] == ["other"]
    assert [one.name for one in store.types(queue.tx, queue.at)] == ["other"]
