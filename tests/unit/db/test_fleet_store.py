"""Nodes in the store: what a push leaves, what people change, and the listening clock."""

from __future__ import annotations

import uuid

import pytest

from forge_collector.access import store as access
from forge_collector.db import Tx
from forge_collector.fleet import store
from forge_collector.fleet.rules import Push
from forge_collector.fleet.store import NodeRow, NoSuchNodeError, RevokedError, Stored
from forge_collector.history import store as history
from forge_collector.history.store import Recorded
from forge_shared import codec
from forge_shared.messages import Host, NodeEdit, Rejection, Role, Snapshot
from tests.unit.db.receipts import NOW, TOKEN, receipt

MINUTE_MS = 60_000
A, B = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


def snapshot(seq: int, boot_id: str = A, host: Host | None = None) -> Snapshot:
    return Snapshot(seq, boot_id, NOW + seq, {"cpu.pct": seq}, host)


def live(
    tx: Tx,
    seq: int,
    boot_id: str = A,
    *,
    host: Host | None = None,
    offset_ms: int | None = None,
    heard_ms: int = 0,
) -> Stored:
    push = Push([snapshot(seq, boot_id, host)], [], is_live=True)
    return store.ingest(tx, "n1", push, receipt(NOW + seq, heard_ms, offset_ms))


def replay(tx: Tx, *snapshots: Snapshot, received_at: int = NOW, heard_ms: int = 0) -> Stored:
    push = Push(list(snapshots), [], is_live=False)
    return store.ingest(tx, "n1", push, receipt(received_at, heard_ms, offset_ms=99_000))


def taken(seq: int, *, is_new_boot: bool) -> Stored:
    """What becomes of a live push that tells something new, without a clock."""
    return Stored(1, is_new_boot, clock_offset_ms=None, body=codec.encode({"cpu.pct": seq}))


def node(tx: Tx) -> NodeRow:
    (row,) = store.load(tx)
    return row


def heard(tx: Tx) -> dict[str, int]:
    return {row.id: row.heard_ms for row in store.load(tx)}


# --- ingest -------------------------------------------------------------------------------------


def test_the_first_push_makes_the_node_and_its_live_boot(tx: Tx) -> None:
    host = Host(hostname="one", cpu_cores=4)

    stored = live(tx, 0, host=host, heard_ms=7)

    assert stored == taken(0, is_new_boot=True)
    assert node(tx) == NodeRow(
        id="n1",
        name="n1",
        tags=[],
        ephemeral=False,
        host=host,
        first_seen=NOW,
        last_seen=NOW,
        heard_ms=7,
        live_boot_id=A,
        last=None,
    )


def test_later_pushes_move_last_seen_and_keep_what_they_do_not_tell(tx: Tx) -> None:
    host = Host(hostname="one")
    live(tx, 0, host=host)
    assert live(tx, 5) == taken(5, is_new_boot=False)
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

    assert stored == Stored(3, is_new_boot=False, clock_offset_ms=None, body=b"")
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
    assert replay(tx, snapshot(0)) == Stored(1)
    assert node(tx).live_boot_id is None


def test_a_batch_of_bad_lines_alone_still_says_that_the_node_is_there(tx: Tx) -> None:
    push = Push([], [Rejection(1, "invalid", "…")], is_live=False)
    assert store.ingest(tx, "n1", push, receipt()) == Stored(0)
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
    store.edit(tx, "n1", NodeEdit(name="the NAS"))
    assert node(tx) == before._replace(name="the NAS")
    store.edit(tx, "n1", NodeEdit(tags=["home", "disk"], ephemeral=True))
    assert node(tx) == before._replace(name="the NAS", tags=["home", "disk"], ephemeral=True)
    store.edit(tx, "n1", NodeEdit(tags=[], ephemeral=False))
    assert node(tx) == before._replace(name="the NAS")
    with pytest.raises(NoSuchNodeError):
        store.edit(tx, "n2", NodeEdit(name="nobody"))
    assert node(tx) == before._replace(name="the NAS")


def test_a_push_leaves_what_people_changed(tx: Tx) -> None:
    live(tx, 0)
    store.edit(tx, "n1", NodeEdit(name="the NAS", tags=["home"], ephemeral=True))
    live(tx, 1, host=Host(hostname="nas"))
    assert (node(tx).name, node(tx).tags, node(tx).ephemeral) == ("the NAS", ["home"], True)


def test_a_forgotten_node_is_gone_with_its_history_and_may_come_back_anew(tx: Tx) -> None:
    live(tx, 0)
    store.edit(tx, "n1", NodeEdit(name="the NAS"))
    store.forget(tx, "n1")
    with pytest.raises(NoSuchNodeError):
        store.forget(tx, "n1")
    assert store.load(tx) == []
    assert history.recent(tx, "n1", 300) == []

    access.add(tx, TOKEN)
    assert live(tx, 0) == taken(0, is_new_boot=True)
    assert node(tx).name == "n1"


def test_a_forgotten_nodes_tokens_go_with_it_and_no_others(tx: Tx) -> None:
    second = TOKEN._replace(id="a second token")
    other = TOKEN._replace(id="another node's", node_id="n2")
    person = TOKEN._replace(id="a viewer's", role=Role.VIEWER, node_id=None, name="Ann")
    for credential in (second, other, person):
        access.add(tx, credential)
    live(tx, 0)
    store.forget(tx, "n1")
    assert {credential.id for credential in access.load(tx)} == {other.id, person.id}


@pytest.mark.parametrize("is_live", [True, False])
def test_a_push_that_was_on_its_way_does_not_bring_a_forgotten_node_back(
    tx: Tx, *, is_live: bool
) -> None:
    live(tx, 0)
    store.forget(tx, "n1")
    with pytest.raises(RevokedError):
        store.ingest(tx, "n1", Push([snapshot(1)], [], is_live=is_live), receipt())
    assert store.load(tx) == []
    assert history.recent(tx, "n1", 300) == []


def test_a_token_that_is_gone_makes_no_node(tx: Tx) -> None:
    with pytest.raises(RevokedError):
        store.ingest(tx, "n1", Push([snapshot(0)], [], is_live=True), receipt(credential_id="gone"))
    assert store.load(tx) == []


def test_what_a_node_last_told_is_kept_for_its_card(tx: Tx) -> None:
    live(tx, 0)
    store.keep_last(tx, {"n1": Recorded(NOW, b'{"cpu.pct":0}'), "gone": Recorded(NOW, b"{}")})
    assert node(tx).last == Recorded(NOW, b'{"cpu.pct":0}')


# --- the listening clock --------------------------------------------------------------------------


def test_a_collector_that_never_ran_never_listened(tx: Tx) -> None:
    assert store.listened(tx) == 0


def test_the_listening_clock_is_where_it_was_last_set(tx: Tx) -> None:
    for listened_ms in (0, 5_000, 5_000, 10**12):
        store.set_listened(tx, listened_ms)
        assert store.listened(tx) == listened_ms


def test_each_node_keeps_when_it_was_heard_by_the_listening_clock(tx: Tx) -> None:
    live(tx, 0, heard_ms=1_000)
    store.ingest(tx, "n2", Push([], [], is_live=False), receipt(heard_ms=2_000))
    store.set_listened(tx, 9_000)
    assert heard(tx) == {"n1": 1_000, "n2": 2_000}

    replay(tx, snapshot(1), heard_ms=3_000)
    assert heard(tx) == {"n1": 3_000, "n2": 2_000}
    live(tx, 1, heard_ms=4_000)  # a duplicate is a sign of life too
    assert heard(tx) == {"n1": 4_000, "n2": 2_000}
    assert store.listened(tx) == 9_000


def test_what_people_change_is_no_sign_of_life(tx: Tx) -> None:
    live(tx, 0, heard_ms=1_000)
    store.edit(tx, "n1", NodeEdit(name="the NAS"))
    store.keep_last(tx, {"n1": Recorded(NOW, b"{}")})
    assert heard(tx) == {"n1": 1_000}


def test_a_wall_clock_set_back_takes_nothing_from_the_listening_clock(tx: Tx) -> None:
    live(tx, 0, heard_ms=1_000)
    replay(tx, snapshot(1), received_at=NOW - 60 * MINUTE_MS, heard_ms=2_000)
    assert heard(tx) == {"n1": 2_000}
