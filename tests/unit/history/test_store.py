"""Boots and their snapshots in the store: once each, whatever is sent again; gone in time."""

from __future__ import annotations

import random
import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forge_collector.db import Tx
from forge_collector.history import rules, store
from forge_collector.history.store import Boot, Row

NOW = 1_800_000_000_000
HOUR_MS = 3_600_000
KEPT_MS = 48 * HOUR_MS


def row(seq: int, ts: int | None = None, body: bytes = b"{}") -> Row:
    return Row(seq, NOW + seq if ts is None else ts, body)


def count(tx: Tx, table: str = "snapshots") -> int:
    (found,) = tx.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
    return int(found)


def seqs(tx: Tx, boot: Boot) -> list[int]:
    rows = tx.execute(
        "SELECT seq FROM snapshots WHERE boot = :boot ORDER BY seq", {"boot": boot.boot}
    )
    return [found[0] for found in rows]


def with_clock(tx: Tx, node_id: str, boot_id: str, offset_ms: int) -> Boot:
    store.set_clock_offset(tx, store.open_boot(tx, node_id, boot_id).boot, offset_ms)
    return store.open_boot(tx, node_id, boot_id)


# --- boots --------------------------------------------------------------------------------------


def test_a_boot_is_made_once(tx: Tx) -> None:
    first = store.open_boot(tx, "n1", "a")
    assert store.open_boot(tx, "n1", "a") == first
    assert count(tx, "boots") == 1


def test_boots_of_other_nodes_and_other_runs_are_others(tx: Tx) -> None:
    boots = {
        store.open_boot(tx, node_id, boot_id).boot
        for node_id in ("n1", "n2")
        for boot_id in ("a", "b")
    }
    assert len(boots) == 4


def test_a_boot_is_not_live_until_it_is_said_to_be(tx: Tx) -> None:
    boot = store.open_boot(tx, "n1", "a")
    assert not boot.was_live
    store.set_live(tx, boot.boot)
    assert store.open_boot(tx, "n1", "a").was_live
    assert not store.open_boot(tx, "n1", "b").was_live


def test_the_first_measured_clock_offset_stays(tx: Tx) -> None:
    assert with_clock(tx, "n1", "a", 7_000).clock_offset_ms == 7_000
    assert with_clock(tx, "n1", "a", 9_000).clock_offset_ms == 7_000


# --- append -------------------------------------------------------------------------------------


def test_what_is_sent_again_is_not_stored_again(tx: Tx) -> None:
    boot = store.open_boot(tx, "n1", "a")
    assert store.append(tx, boot, [row(0), row(1)], NOW) == 2
    assert store.append(tx, boot, [row(0), row(1), row(2)], NOW) == 1
    assert seqs(tx, boot) == [0, 1, 2]


def test_duplicates_within_one_batch_are_stored_once(tx: Tx) -> None:
    boot = store.open_boot(tx, "n1", "a")
    assert store.append(tx, boot, [row(3), row(3), row(4), row(3)], NOW) == 2
    assert seqs(tx, boot) == [3, 4]


def test_what_came_first_stands_whatever_a_resend_says(tx: Tx) -> None:
    boot = store.open_boot(tx, "n1", "a")
    store.append(tx, boot, [row(0, NOW, b'{"cpu.pct":1}')], NOW)
    assert store.append(tx, boot, [row(0, NOW + 5, b'{"cpu.pct":2}')], NOW + 9) == 0
    assert store.recent(tx, "n1", 10) == [(NOW, b'{"cpu.pct":1}')]


def test_the_same_seq_of_another_boot_is_another_snapshot(tx: Tx) -> None:
    for boot_id in ("a", "b"):
        assert store.append(tx, store.open_boot(tx, "n1", boot_id), [row(0)], NOW) == 1
    assert count(tx) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(batches=st.lists(st.lists(st.integers(0, 30), max_size=10), max_size=8))
def test_every_seq_is_there_once_whatever_order_it_came_in(
    tx: Tx, batches: list[list[int]]
) -> None:
    boot = store.open_boot(tx, "n1", str(uuid.uuid4()))
    accepted = sum(store.append(tx, boot, map(row, batch), NOW) for batch in batches)
    sent = {seq for batch in batches for seq in batch}
    assert accepted == len(sent)
    assert seqs(tx, boot) == sorted(sent)


# --- recent -------------------------------------------------------------------------------------


def test_recent_is_empty_for_a_node_nobody_heard_of(tx: Tx) -> None:
    assert store.recent(tx, "n1", 300) == []


def test_recent_is_the_last_points_oldest_first(tx: Tx) -> None:
    boot = store.open_boot(tx, "n1", "a")
    numbers = list(range(400))
    random.Random(1).shuffle(numbers)
    store.append(tx, boot, map(row, numbers), NOW)
    assert [point.ts for point in store.recent(tx, "n1", 300)] == [
        NOW + seq for seq in range(100, 400)
    ]


def test_recent_puts_the_boots_of_a_node_in_the_order_of_time(tx: Tx) -> None:
    second = store.open_boot(tx, "n1", "the second run, heard of first")
    first = store.open_boot(tx, "n1", "the first run, replayed late")
    store.append(tx, second, [row(seq, NOW + seq) for seq in range(3)], NOW)
    store.append(tx, first, [row(seq, NOW - 100 + seq) for seq in range(3)], NOW)
    store.append(tx, store.open_boot(tx, "n2", "a"), [row(0)], NOW)

    found = [point.ts - NOW for point in store.recent(tx, "n1", 300)]

    assert found == [-100, -99, -98, 0, 1, 2]


def test_recent_orders_by_the_corrected_clock(tx: Tx) -> None:
    """The run with the wrong clock claims to be a day later; it was an hour earlier."""
    right = store.open_boot(tx, "n1", "right")
    wrong = with_clock(tx, "n1", "wrong", -25 * HOUR_MS)
    store.append(tx, right, [row(0, NOW, b"right")], NOW)
    store.append(tx, wrong, [row(0, NOW + 24 * HOUR_MS, b"wrong")], NOW)

    assert store.recent(tx, "n1", 300) == [(NOW - HOUR_MS, b"wrong"), (NOW, b"right")]


def test_an_offset_measured_late_corrects_what_came_before_too(tx: Tx) -> None:
    boot = store.open_boot(tx, "n1", "a")
    store.append(tx, boot, [row(0, NOW + HOUR_MS)], NOW)
    with_clock(tx, "n1", "a", -HOUR_MS)
    assert [point.ts for point in store.recent(tx, "n1", 300)] == [NOW]


# --- last of boot -------------------------------------------------------------------------------


def test_the_last_of_a_boot_is_its_newest_seq_and_points(tx: Tx) -> None:
    boot = with_clock(tx, "n1", "a", 6_000)
    store.append(tx, boot, [row(seq, NOW + seq) for seq in (5, 3, 4)], NOW)
    store.append(tx, store.open_boot(tx, "n1", "b"), [row(99)], NOW)

    last = store.last_of_boot(tx, "n1", "a", 2)

    assert last is not None
    assert (last.seq, last.clock_offset_ms) == (5, 6_000)
    assert [point.ts for point in last.recorded] == [NOW + 6_004, NOW + 6_005]


def test_there_is_no_last_of_a_boot_that_is_unknown_or_empty(tx: Tx) -> None:
    store.open_boot(tx, "n1", "empty")
    assert store.last_of_boot(tx, "n1", "unknown", 30) is None
    assert store.last_of_boot(tx, "n1", "empty", 30) is None
    assert store.last_of_boot(tx, "n2", "empty", 30) is None


# --- forget and prune ---------------------------------------------------------------------------


def test_at_exactly_48_hours_a_snapshot_is_still_there(tx: Tx) -> None:
    boot = store.open_boot(tx, "n1", "a")
    store.append(tx, boot, [row(0, NOW - KEPT_MS - 1), row(1, NOW - KEPT_MS), row(2, NOW)], NOW)

    assert store.prune(tx, rules.kept_since(NOW), 100) == 1
    assert seqs(tx, boot) == [1, 2]
    assert store.prune(tx, rules.kept_since(NOW + 1), 100) == 1
    assert seqs(tx, boot) == [2]


def test_a_snapshot_from_the_future_does_not_live_for_ever(tx: Tx) -> None:
    boot = store.open_boot(tx, "n1", "a")
    store.append(tx, boot, [row(0, NOW + 10 * 365 * 24 * HOUR_MS)], NOW)

    assert store.prune(tx, rules.kept_since(NOW + KEPT_MS), 100) == 0
    assert store.prune(tx, rules.kept_since(NOW + KEPT_MS + 1), 100) == 1


def test_a_clock_that_is_days_behind_costs_no_history(tx: Tx) -> None:
    boot = with_clock(tx, "n1", "a", 5 * 24 * HOUR_MS)
    store.append(tx, boot, [row(0, NOW - 5 * 24 * HOUR_MS)], NOW)
    assert store.prune(tx, rules.kept_since(NOW + HOUR_MS), 100) == 0


def test_a_replay_of_what_is_too_old_already_leaves_again(tx: Tx) -> None:
    boot = store.open_boot(tx, "n1", "a")
    assert store.append(tx, boot, [row(0, NOW - KEPT_MS - HOUR_MS)], NOW) == 1
    assert store.prune(tx, rules.kept_since(NOW), 100) == 1


def test_pruning_takes_the_oldest_first_and_no_more_than_it_may(tx: Tx) -> None:
    boot = store.open_boot(tx, "n1", "a")
    store.append(tx, boot, [row(seq, NOW - KEPT_MS - 10 + seq) for seq in range(10)], NOW)

    removed = [store.prune(tx, rules.kept_since(NOW), 4) for _ in range(4)]

    assert removed == [4, 4, 2, 0]
    assert count(tx) == 0


def test_what_is_forgotten_is_gone_at_once_and_pruned_bit_by_bit(tx: Tx) -> None:
    for node_id in ("n1", "n2"):
        store.append(tx, store.open_boot(tx, node_id, "a"), map(row, range(10)), NOW)
    store.forget(tx, "n1")
    assert store.recent(tx, "n1", 300) == []
    assert store.last_of_boot(tx, "n1", "a", 30) is None

    removed = [store.prune(tx, rules.kept_since(NOW), 4) for _ in range(4)]

    assert removed == [4, 4, 2, 0]
    assert len(store.recent(tx, "n2", 300)) == 10
    store.prune_boots(tx)
    assert count(tx, "boots") == 1


def test_old_and_forgotten_share_one_limit(tx: Tx) -> None:
    store.append(
        tx, store.open_boot(tx, "n1", "a"), [row(seq, NOW - 2 * KEPT_MS) for seq in range(3)], NOW
    )
    store.append(tx, store.open_boot(tx, "n2", "a"), map(row, range(3)), NOW)
    store.forget(tx, "n2")
    assert [store.prune(tx, rules.kept_since(NOW), 2) for _ in range(4)] == [2, 2, 2, 0]


def test_a_forgotten_node_that_comes_back_begins_anew(tx: Tx) -> None:
    store.append(tx, store.open_boot(tx, "n1", "a"), [row(0)], NOW)
    store.forget(tx, "n1")
    assert store.append(tx, store.open_boot(tx, "n1", "a"), [row(0)], NOW) == 1
    store.forget(tx, "n1")  # the same boot, forgotten twice
    assert store.recent(tx, "n1", 300) == []


def test_a_boot_stays_as_long_as_any_of_its_snapshots(tx: Tx) -> None:
    old, new = store.open_boot(tx, "n1", "old"), store.open_boot(tx, "n1", "new")
    store.append(tx, old, [row(0, NOW - 2 * KEPT_MS)], NOW)
    store.append(tx, new, [row(0)], NOW)
    store.prune(tx, rules.kept_since(NOW), 100)
    store.prune_boots(tx)

    assert count(tx, "boots") == 1
    assert store.open_boot(tx, "n1", "new") == new
    assert store.open_boot(tx, "n1", "old").boot != new.boot
