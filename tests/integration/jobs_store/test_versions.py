"""Versions of a type: which are in force, and when one is forgotten."""

from __future__ import annotations

from msgspec import Raw

from forge_collector.jobs import rules, store
from forge_collector.jobs.rules import Machine
from forge_shared.job_messages import Heartbeat, PluginOffer, ResourceClass
from tests.integration.jobs_store.queue import Queue

SCHEMA = b'{"type": "object"}'
OLD = PluginOffer("echo", "1.0", payload_schema=Raw(SCHEMA))
NEW = PluginOffer("echo", "2.0", ResourceClass.IO, payload_schema=Raw(b"false"))
NAS = Machine("nas", "linux", 8, 16 << 30)


def versions(queue: Queue) -> list[str]:
    return [version for one in store.types(queue.tx, queue.at) for version in one.versions]


def nas_beats(queue: Queue, *plugins: PluginOffer) -> None:
    store.heartbeat(queue.tx, "nas.1", Heartbeat(plugins=list(plugins)), NAS, queue.at)


def test_a_version_that_is_taken_back_is_in_force_no_more(queue: Queue) -> None:
    queue.beat(plugins=[OLD])
    queue.beat(plugins=[NEW])
    assert versions(queue) == ["2.0"]
    job_id = queue.submit()
    heard = queue.beat(plugins=[OLD])
    assert versions(queue) == ["1.0"]
    assert store.schema_of(queue.tx, "echo") == SCHEMA
    # The job is of another class now: who waits for such a one is called.
    assert [change.job_id for change in heard.changes] == [job_id]


def test_a_version_stays_while_another_machine_offers_it(queue: Queue) -> None:
    nas_beats(queue, NEW)
    queue.beat(plugins=[NEW])
    queue.pass_ms(rules.SILENT_AFTER_MS * 10)  # the other one is switched off
    queue.beat(plugins=[OLD])
    assert versions(queue) == ["1.0", "2.0"]
    nas_beats(queue, OLD)
    assert versions(queue) == ["1.0"]


def test_a_worker_that_another_succeeds_keeps_no_version_alive(queue: Queue) -> None:
    queue.beat(plugins=[NEW])
    queue.beat(worker_id="pc.2", plugins=[OLD], succeeds="pc.1")
    assert versions(queue) == ["1.0"]


def test_a_worker_that_another_outlived_keeps_no_version_alive(queue: Queue) -> None:
    """A worker that was restarted, and could not say whose place it has taken."""
    queue.beat(plugins=[NEW])
    queue.beat(worker_id="pc.2", plugins=[OLD])
    assert versions(queue) == ["1.0", "2.0"]
    queue.pass_ms(rules.SILENT_AFTER_MS + 1)
    queue.beat(worker_id="pc.2")
    store.prune_workers(queue.tx, 0)
    assert versions(queue) == ["1.0"]


def test_a_type_stays_while_its_only_machine_is_away(queue: Queue) -> None:
    queue.beat(plugins=[NEW])
    queue.beat(worker_id="pc.2", plugins=[], succeeds="pc.1")
    queue.pass_ms(rules.SILENT_AFTER_MS * 10)
    nas_beats(queue, PluginOffer("other", "1.0"))
    store.prune_workers(queue.tx, 0)
    assert {one.name for one in store.types(queue.tx, queue.at)} == {"echo", "other"}


def test_with_a_machine_goes_what_it_alone_told_of(queue: Queue) -> None:
    nas_beats(queue, NEW, PluginOffer("other", "1.0"))
    queue.beat(plugins=[PluginOffer("other", "1.0")])
    store.forget_node(queue.tx, "nas")
    assert [one.name for one in store.types(queue.tx, queue.at)] == ["other"]
