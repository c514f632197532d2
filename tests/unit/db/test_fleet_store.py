"""Nodes in the store: what a push leaves, what people change, and when the collector listened."""

from __future__ import annotations

import uuid

import pytest

from forge_collector.db import Tx
from forge_collector.fleet import store
from forge_collector.fleet.rules import Push
from forge_collector.fleet.store import NodeRow, Stored
from forge_collector.history import store as history
from forge_collector.history.store import Recorded
from forge_shared.messages import Host, NodeEdit, Rejection, Snapshot

NOW = 1_800_000_000_000
MINUTE_MS = 60_000
A, B = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


def snapshot(seq: int, boot_id: str = A, host: Host | None = None) -> Snapshot:
    return Snapshot(seq, boot_id, NOW + seq, {"cpu.pct": seq}, host)


def live(
    tx: Tx, seq: int, boot_id: str = A, *, host: Host | None = None, offset_ms: int | None = None
) -> Stored:
    push = Push([snapshot(seq, boot_id, host)], [], is_live=True)
    return store.ingest(tx, "n1", push, NOW + seq, offset_ms)


def replay(tx: Tx, *snapshots: Snapshot, received_at: int = NOW) -> Stored:
    return store.ingest(tx, "n1", Push(list(snapshots), [], is_live=False), received_at, 99_000)


def node(tx: Tx) -> NodeRow:
    (row,) = store.load(tx)
    return row


# --- ingest -------------------------------------------------------------------------------------


def test_the_first_push_makes_the_node_and_its_live_boot(tx: Tx) -> None:
    host = Host(hostname="one", cpu_cores=4)

    stored = live(tx, 0, host=host)

    assert stored == Stored(1, is_new_node=True, is_new_boot=True, clock_offset_ms=None)
    assert node(tx) == NodeRow(
        id="n1",
        name="n1",
        tags=[],
        ephemeral=False,
        host=host,
        first_seen=NOW,
        last_seen=NOW,
        live_boot_id=A,
        last=None,
    )


def test_later_pushes_move_last_seen_and_keep_what_they_do_not_tell(tx: Tx) -> None:
    host = Host(hostname="one")
    live(tx, 0, host=host)
    assert live(tx, 5) == Stored(1, is_new_node=False, is_new_boot=False, clock_offset_ms=None)
    assert (node(tx).first_seen, node(tx).last_seen) == (NOW, NOW + 5)
    assert node(tx).host == host


def test_a_resend_is_a_duplicate(tx: Tx) -> None:
    live(tx, 0)
    assert live(tx, 0).accepted == 0
    assert replay(tx, snapshot(0), snapshot(1), snapshot(1)).accepted == 1
    assert len(history.recent(tx, "n1", 10)) == 2


def test_another_run_of_the_agent_becomes_the_live_one(tx: Tx) -> None:
    live(tx, 0, A)
    assert live(tx, 0, B).is_new_boot
    assert not live(tx, 1, A).is_new_boot  # it has been followed by another
    assert node(tx).live_boot_id == B


def test_a_replay_changes_neither_the_live_boot_nor_facts_nor_the_clock(tx: Tx) -> None:
    live(tx, 0, A, host=Host(hostname="now"))
    stored = replay(tx, snapshot(0, B, Host(hostname="then")), snapshot(1, B), snapshot(1, A))

    assert stored == Stored(3, is_new_node=False, is_new_boot=False, clock_offset_ms=None)
    assert node(tx).live_boot_id == A
    assert node(tx).host == Host(hostname="now")
    assert history.open_boot(tx, "n1", B).clock_offset_ms is None


def test_a_boot_that_was_replayed_first_goes_live_with_its_first_live_push(tx: Tx) -> None:
    live(tx, 0, A)
    replay(tx, snapshot(0, B), snapshot(1, B))
    assert node(tx).live_boot_id == A

    assert not live(tx, 1, B).is_new_boot  # a duplicate of what was replayed tells nothing new
    assert live(tx, 2, B).is_new_boot
    assert node(tx).live_boot_id == B
    assert not live(tx, 3, B).is_new_boot


def test_a_node_that_was_only_replayed_has_no_live_boot(tx: Tx) -> None:
    assert replay(tx, snapshot(0)).is_new_node
    assert node(tx).live_boot_id is None


def test_a_batch_of_bad_lines_alone_still_says_that_the_node_is_there(tx: Tx) -> None:
    push = Push([], [Rejection(1, "invalid", "…")], is_live=False)
    assert store.ingest(tx, "n1", push, NOW, None).accepted == 0
    assert node(tx).last_seen == NOW


def test_the_clock_offset_is_measured_once_a_boot(tx: Tx) -> None:
    assert live(tx, 0, A).clock_offset_ms is None  # without the header
    assert live(tx, 1, A, offset_ms=7_000).clock_offset_ms == 7_000
    assert live(tx, 2, A, offset_ms=-3).clock_offset_ms == 7_000
    assert live(tx, 0, B, offset_ms=-3).clock_offset_ms == -3


# --- people -------------------------------------------------------------------------------------


def test_an_edit_changes_what_it_names_and_nothing_else(tx: Tx) -> None:
    live(tx, 0)
    before = node(tx)
    assert store.edit(tx, "n1", NodeEdit(name="the NAS"))
    assert node(tx) == before._replace(name="the NAS")
    assert store.edit(tx, "n1", NodeEdit(tags=["home", "disk"], ephemeral=True))
    assert node(tx) == before._replace(name="the NAS", tags=["home", "disk"], ephemeral=True)
    assert store.edit(tx, "n1", NodeEdit(tags=[], ephemeral=False))
    assert node(tx) == before._replace(name="the NAS")
    assert not store.edit(tx, "n2", NodeEdit(name="nobody"))


def test_a_push_leaves_what_people_changed(tx: Tx) -> None:
    live(tx, 0)
    store.edit(tx, "n1", NodeEdit(name="the NAS", tags=["home"], ephemeral=True))
    live(tx, 1, host=Host(hostname="nas"))
    assert (node(tx).name, node(tx).tags, node(tx).ephemeral) == ("the NAS", ["home"], True)


def test_a_forgotten_node_is_gone_with_its_history_and_may_come_back_anew(tx: Tx) -> None:
    live(tx, 0)
    store.edit(tx, "n1", NodeEdit(name="the NAS"))
    assert store.forget(tx, "n1")
    assert not store.forget(tx, "n1")
    assert store.load(tx) == []
    assert history.recent(tx, "n1", 300) == []

    assert live(tx, 0) == Stored(1, is_new_node=True, is_new_boot=True, clock_offset_ms=None)
    assert node(tx).name == "n1"


def test_what_a_node_last_told_is_kept_for_its_card(tx: Tx) -> None:
    live(tx, 0)
    store.keep_last(tx, {"n1": Recorded(NOW, b'{"cpu.pct":0}'), "gone": Recorded(NOW, b"{}")})
    assert node(tx).last == Recorded(NOW, b'{"cpu.pct":0}')


# --- when the collector listened ------------------------------------------------------------------


def listen(tx: Tx, since: int, until: int) -> None:
    """One run of the collector, that notes now and then that it listens."""
    store.begin_listening(tx)
    for now in (since, (since + until) // 2, until):
        store.set_listened_until(tx, now)


def test_a_collector_that_never_ran_never_listened(tx: Tx) -> None:
    assert store.listened_until(tx) is None
    store.begin_listening(tx)
    assert store.listened_until(tx) is None


def test_it_listened_until_it_last_said_so(tx: Tx) -> None:
    listen(tx, NOW, NOW + 7)
    assert store.listened_until(tx) == NOW + 7


def test_a_long_run_counts_until_its_end(tx: Tx) -> None:
    listen(tx, NOW, NOW + MINUTE_MS)
    listen(tx, NOW + 600 * MINUTE_MS, NOW + 601 * MINUTE_MS)
    assert store.listened_until(tx) == NOW + 601 * MINUTE_MS


@pytest.mark.parametrize("runs", [1, 2, 5])
def test_short_runs_after_a_long_absence_count_as_what_was_listened(tx: Tx, runs: int) -> None:
    listen(tx, NOW - 60 * MINUTE_MS, NOW)
    for run in range(1, runs + 1):
        since = NOW + run * 60 * MINUTE_MS
        listen(tx, since, since + 1_000)
    # A node heard just before the first stop was silent for that many seconds, not hours.
    assert store.listened_until(tx) == NOW + runs * 1_000


def test_a_run_that_ended_before_it_noted_anything_changes_nothing(tx: Tx) -> None:
    listen(tx, NOW - MINUTE_MS, NOW)
    store.begin_listening(tx)
    store.begin_listening(tx)
    assert store.listened_until(tx) == NOW


def test_a_clock_set_back_makes_no_silence(tx: Tx) -> None:
    listen(tx, NOW - MINUTE_MS, NOW)
    listen(tx, NOW + 5_000, NOW - 5_000)
    assert store.listened_until(tx) == NOW
