"""Sealing and merging, case by case: what moves, what stays, and what nothing may take down."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
import structlog

from forge_collector.db import Tx
from forge_collector.history import codec, rules, sealing, store
from forge_collector.history.columns import NOTHING, Columns, of_snapshots
from forge_collector.history.sealing import LossError, Made, Part, Span
from forge_collector.history.store import Boot, RaceError, Row

SHORT_MS, HOUR_MS, LONG_MS = rules.SPANS_MS
BEGIN = 1_800_000_000_000 // LONG_MS * LONG_MS
LATER = BEGIN + 2 * LONG_MS
ALWAYS = (0, 10**15)


def row(seq: int, ts: int) -> Row:
    return Row(seq, ts, msgspec.json.encode({"cpu.pct": seq / 10}))


def boot_of(tx: Tx, node_id: str = "n1") -> Boot:
    return store.open_boot(tx, node_id, "a")


def add(tx: Tx, seqs: Sequence[int], *, node_id: str = "n1", at: int | None = None) -> int:
    """Store these, each at five seconds a seq from the begin or all at one time; return what was
    new."""
    rows = [row(seq, BEGIN + 5000 * seq if at is None else at) for seq in seqs]
    return store.append(tx, boot_of(tx, node_id), rows, LATER)


def pack(tx: Tx, node_id: str = "n1", before_ms: int = LATER) -> list[tuple[Made, list[int]]]:
    due = store.due(tx, boot_of(tx, node_id).boot, before_ms, 2000)
    return [
        (
            sealing.made(
                span,
                store.as_columns([due.rows[place] for place in places]),
                store.parts_of(tx, span),
                0,
            ),
            [due.rows[place].seq for place in places],
        )
        for span, places in sealing.by_span(due.boot, due.observed_at).items()
    ]


def seal(tx: Tx, node_id: str = "n1") -> None:
    for made, seqs in pack(tx, node_id):
        store.seal(tx, made, seqs)


def merge(tx: Tx, level: int) -> list[Made]:
    merged: list[Made] = []
    for span in store.spans_to_merge(tx, level, LATER, 500):
        found = store.to_merge(tx, span)
        made = sealing.made(span, NOTHING, found.parts, found.correction_ms)
        store.put(tx, made)
        merged.append(made)
    return merged


def told(tx: Tx, node_id: str = "n1") -> list[int]:
    """Return the seqs that can be read of a node."""
    return sorted(store.samples(tx, node_id, *ALWAYS).seq.tolist())


def spans(tx: Tx, table: str = "chunks") -> list[tuple[int, int]]:
    """Return how long each is, and when it begins after the begin of all, in its own lengths."""
    rows = tx.execute(f"SELECT span_ms, begins FROM {table} ORDER BY span_ms, begins").fetchall()
    return [(span_ms, (begins - BEGIN) // span_ms) for span_ms, begins in rows]


def damage(tx: Tx, span_ms: int, number: int, table: str = "chunks") -> None:
    changed = tx.execute(
        f"""
        UPDATE {table} SET body = CAST(body || x'00' AS BLOB)
        WHERE span_ms = :span_ms AND begins = :begins
        """,
        {"span_ms": span_ms, "begins": BEGIN + number * span_ms},
    )
    assert changed.rowcount >= 1


# --- what is sealed, and when ---------------------------------------------------------------------


def test_rows_become_one_chunk_for_each_five_minutes(tx: Tx) -> None:
    add(tx, range(150))
    assert [(made.chunk.snapshots, made.rollup) for made, _ in pack(tx) if made.chunk] == [
        (60, None),
        (60, None),
        (30, None),
    ]
    seal(tx)
    assert spans(tx) == [(SHORT_MS, 0), (SHORT_MS, 1), (SHORT_MS, 2)]
    assert store.due(tx, 1, LATER, 10).rows == []
    assert told(tx) == list(range(150))


def test_only_what_is_over_is_due(tx: Tx) -> None:
    add(tx, range(150))
    before_ms = rules.closed_before(BEGIN + 2 * SHORT_MS + 10_000, SHORT_MS)
    assert before_ms == BEGIN + 2 * SHORT_MS
    assert len(store.due(tx, 1, before_ms, 2000).rows) == 120
    # A late push may still come.
    assert rules.closed_before(BEGIN + 2 * SHORT_MS + 9999, SHORT_MS) == BEGIN + SHORT_MS
    assert store.boots_due(tx, BEGIN) == []
    assert store.boots_due(tx, BEGIN + 1) == [1]
    assert store.unsealed(tx, before_ms) == 120


@pytest.mark.parametrize(("limit", "rows"), [(50, 50), (60, 60), (61, 60), (119, 60), (150, 120)])
def test_a_bounded_number_of_rows_is_due_at_once_in_whole_spans(
    tx: Tx, limit: int, rows: int
) -> None:
    add(tx, range(150))
    found = store.due(tx, 1, LATER, limit)
    assert [each.seq for each in found.rows] == list(range(rows))


def test_hours_and_then_six_of_them_become_one(tx: Tx) -> None:
    add(tx, range(0, 2 * 720 * 6, 30))
    seal(tx)
    assert len(spans(tx)) == 144
    assert {made.chunk.snapshots for made in merge(tx, 1) if made.chunk} == {24}
    assert spans(tx) == spans(tx, "rollups") == [(HOUR_MS, number) for number in range(12)]
    merge(tx, 2)
    assert spans(tx) == spans(tx, "rollups") == [(LONG_MS, 0), (LONG_MS, 1)]
    assert told(tx) == list(range(0, 2 * 720 * 6, 30))
    assert store.spans_to_merge(tx, 1, LATER, 10) == store.spans_to_merge(tx, 2, LATER, 10) == []


def test_the_oldest_spans_are_merged_first(tx: Tx) -> None:
    add(tx, range(0, 720 * 6, 90))
    add(tx, range(0, 720 * 6, 90), node_id="n2")
    seal(tx)
    seal(tx, "n2")
    assert [tuple(span) for span in store.spans_to_merge(tx, 1, LATER, 3)] == [
        (1, HOUR_MS, BEGIN),
        (2, HOUR_MS, BEGIN),
        (1, HOUR_MS, BEGIN + HOUR_MS),
    ]
    assert len(store.spans_to_merge(tx, 1, BEGIN + HOUR_MS, 500)) == 2


def test_what_comes_late_joins_what_is_sealed(tx: Tx) -> None:
    add(tx, range(0, 4320, 2))
    seal(tx)
    merge(tx, 1)
    merge(tx, 2)
    assert add(tx, range(4320)) == 2160
    assert told(tx) == list(range(4320))
    for _ in range(2):
        seal(tx)
        merge(tx, 1)
        merge(tx, 2)
        assert spans(tx) == spans(tx, "rollups") == [(LONG_MS, 0)]
        assert told(tx) == list(range(4320))
    assert add(tx, range(4320)) == 0


def test_late_ones_merge_with_the_long_chunk_past_short_ones_of_the_same_hours(tx: Tx) -> None:
    """A chunk of six hours takes up whatever lies in it, of whatever level."""
    add(tx, [0, 10])
    seal(tx)
    merge(tx, 1)
    merge(tx, 2)
    add(tx, [5])
    seal(tx)
    merge(tx, 1)
    add(tx, [6])
    seal(tx)
    assert spans(tx) == [(SHORT_MS, 0), (HOUR_MS, 0), (LONG_MS, 0)]
    merge(tx, 2)
    assert spans(tx) == [(LONG_MS, 0)]
    assert told(tx) == [0, 5, 6, 10]


@pytest.mark.parametrize("levels", [(), (1,), (1, 2)])
def test_duplicates_are_counted_exactly_wherever_the_first_one_is(
    tx: Tx, levels: tuple[int, ...]
) -> None:
    add(tx, range(0, 100, 3))
    seal(tx)
    for level in levels:
        merge(tx, level)
    assert add(tx, range(0, 100, 3)) == 0
    assert add(tx, [99, 0, 1, 1, 3, 100, 100]) == 2
    assert add(tx, [1, 100, 50]) == 1
    assert told(tx) == sorted({*range(0, 100, 3), 1, 50, 100})


def test_the_same_moment_of_two_nodes_stays_apart(tx: Tx) -> None:
    add(tx, range(0, 50, 2))
    add(tx, range(1, 50, 2), node_id="n2")
    for node_id in ("n1", "n2"):
        seal(tx, node_id)
    merge(tx, 1)
    assert told(tx) == list(range(0, 50, 2))
    assert told(tx, "n2") == list(range(1, 50, 2))
    assert add(tx, range(50)) == 25


def test_a_snapshot_without_values_is_there_all_the_same(tx: Tx) -> None:
    store.append(tx, boot_of(tx), [Row(seq, BEGIN + seq, b"{}") for seq in range(3)], LATER)
    seal(tx)
    merge(tx, 1)
    found = store.samples(tx, "n1", *ALWAYS)
    assert (found.seq.tolist(), found.values) == ([0, 1, 2], {})
    assert [point.body for point in store.recent(tx, "n1", 9)] == [b"{}"] * 3


# --- races ----------------------------------------------------------------------------------------


def test_rows_that_went_meanwhile_are_not_sealed(tx: Tx) -> None:
    add(tx, range(10))
    ((made, seqs),) = pack(tx)
    assert store.prune(tx, BEGIN + 5000, 1) == 1
    with pytest.raises(RaceError):
        store.seal(tx, made, seqs)


def test_a_chunk_that_went_meanwhile_is_not_merged(tx: Tx) -> None:
    add(tx, range(100))
    seal(tx)
    found = store.to_merge(tx, Span(1, HOUR_MS, BEGIN))
    made = sealing.made(found.span, NOTHING, found.parts, 0)
    store.prune_chunks(tx, BEGIN + SHORT_MS, 1)
    with pytest.raises(RaceError):
        store.put(tx, made)


def test_a_chunk_that_was_replaced_meanwhile_is_not_continued(tx: Tx) -> None:
    add(tx, range(10))
    seal(tx)
    add(tx, range(10, 20))
    ((made, seqs),) = pack(tx)
    merge(tx, 1)
    with pytest.raises(RaceError):
        store.seal(tx, made, seqs)


def test_what_comes_meanwhile_stays_a_row(tx: Tx) -> None:
    add(tx, range(10))
    ((made, seqs),) = pack(tx)
    add(tx, range(20))
    store.seal(tx, made, seqs)
    assert told(tx) == list(range(20))
    assert [each.seq for each in store.due(tx, 1, LATER, 100).rows] == list(range(10, 20))


def test_nothing_of_a_forgotten_node_ends_up_with_another(tx: Tx) -> None:
    """What was packed for a boot that is gone finds no boot of the same number."""
    add(tx, range(10))
    packed = pack(tx)
    store.forget(tx, "n1")
    store.prune(tx, 0, 100)
    store.prune_boots(tx)
    add(tx, range(10), node_id="n2")
    for made, seqs in packed:
        with pytest.raises(RaceError):
            store.seal(tx, made, seqs)
    assert told(tx, "n2") == list(range(10))


def test_what_does_not_unpack_to_the_same_replaces_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fresh = of_snapshots([1, 2], [BEGIN, BEGIN + 1], [{"cpu.pct": 1}, {"cpu.pct": 2}])
    other = codec.encode_columns(of_snapshots([1, 2], [BEGIN, BEGIN + 1], [{}, {"cpu.pct": 2}]))
    for body in (other, b"no chunk"):

        def lossy(_: Columns, *, is_thorough: bool, body: bytes = body) -> bytes:
            return body

        monkeypatch.setattr(codec, "encode_columns", lossy)
        with pytest.raises(LossError):
            sealing.made(Span(1, SHORT_MS, BEGIN), fresh, [], 0)


# --- damage ---------------------------------------------------------------------------------------


def test_a_damaged_chunk_is_named_and_takes_down_nothing_else(tx: Tx) -> None:
    add(tx, range(180))
    seal(tx)
    damage(tx, SHORT_MS, 1)
    sound = [*range(60), *range(120, 180)]
    with structlog.testing.capture_logs() as lines:
        assert told(tx) == sound
        assert len(store.recent(tx, "n1", 300)) == 120
        assert len(store.rollups(tx, "n1", 0, 10**15 // 600_000 * 600_000)) == 2
    assert {line["event"] for line in lines} == {"a chunk of history is damaged and left out"}
    assert {
        (line["node"], line["begins"], line["ends"], line["reason"], line["log_level"])
        for line in lines
    } == {
        (
            "n1",
            BEGIN + SHORT_MS,
            BEGIN + 2 * SHORT_MS,
            "the checksum does not match",
            "error",
        )
    }


def test_a_merge_goes_on_without_what_is_damaged_and_leaves_it_where_it_is(tx: Tx) -> None:
    add(tx, range(180))
    seal(tx)
    damage(tx, SHORT_MS, 1)
    (made,) = merge(tx, 1)
    assert made.damaged == [Span(1, SHORT_MS, BEGIN + SHORT_MS)]
    assert spans(tx) == [(SHORT_MS, 1), (HOUR_MS, 0)]
    assert store.spans_to_merge(tx, 1, LATER, 9) == []
    merge(tx, 2)
    assert spans(tx) == [(SHORT_MS, 1), (LONG_MS, 0)]
    with structlog.testing.capture_logs():
        assert told(tx) == [*range(60), *range(120, 180)]


def test_sealing_into_the_span_of_a_damaged_chunk_goes_on(tx: Tx) -> None:
    add(tx, range(10))
    seal(tx)
    for begin in (10, 20, 30):
        damage(tx, SHORT_MS, 0)
        add(tx, range(begin, begin + 10))
        seal(tx)
        with structlog.testing.capture_logs():
            assert told(tx) == list(range(begin, begin + 10))
    found = tx.execute("SELECT damaged, snapshots FROM chunks ORDER BY damaged").fetchall()
    assert found == [(0, 10), (1, 10), (2, 10), (3, 10)]
    merge(tx, 1)
    with structlog.testing.capture_logs():
        assert [point.ts for point in store.recent(tx, "n1", 300)] == [
            BEGIN + 5000 * seq for seq in range(30, 40)
        ]
        last = store.last_of_boot(tx, "n1", "a", 30)
    assert last is not None
    assert (last.seq, len(last.recorded)) == (39, 10)


def test_what_was_in_a_damaged_chunk_can_be_sent_again(tx: Tx) -> None:
    add(tx, range(20))
    seal(tx)
    damage(tx, SHORT_MS, 0)
    assert add(tx, range(20)) == 20
    seal(tx)
    assert add(tx, range(20)) == 0
    with structlog.testing.capture_logs():
        assert told(tx) == list(range(20))


def counted(tx: Tx) -> int:
    return int(store.rollups(tx, "n1", 0, 10**15 // 600_000 * 600_000).snapshots.sum())


def test_a_rollup_outlives_its_damaged_chunk(tx: Tx) -> None:
    add(tx, range(0, 1440, 10))
    seal(tx)
    merge(tx, 1)
    damage(tx, HOUR_MS, 0)
    assert counted(tx) == 144
    merge(tx, 2)
    assert spans(tx, "rollups") == [(HOUR_MS, 0), (LONG_MS, 0)]
    assert counted(tx) == 144
    with structlog.testing.capture_logs():
        assert len(told(tx)) == 72


def test_a_rollup_outlives_a_damaged_chunk_of_which_there_comes_another(tx: Tx) -> None:
    add(tx, range(100, 110))
    seal(tx)
    merge(tx, 1)
    for number in range(3):
        damage(tx, HOUR_MS, 0)
        add(tx, [number])
        seal(tx)
        merge(tx, 1)
        with structlog.testing.capture_logs():
            assert counted(tx) == 11 + number
            assert told(tx) == [number]


def test_rollups_outlive_chunks_that_are_pruned_before_six_hours_are_over(tx: Tx) -> None:
    """Where less is kept than a long chunk lasts."""
    add(tx, range(0, 4320, 60))
    seal(tx)
    merge(tx, 1)
    store.prune_chunks(tx, BEGIN + 4 * HOUR_MS, 100)
    merge(tx, 2)
    assert counted(tx) == 72
    assert len(told(tx)) == 24


def test_what_is_replayed_after_its_chunk_was_pruned_adds_to_the_rollups(tx: Tx) -> None:
    add(tx, range(0, 4320, 60))
    seal(tx)
    merge(tx, 1)
    merge(tx, 2)
    store.prune_chunks(tx, LATER, 100)
    for more in (1, 2, 3):
        assert add(tx, [more]) == 1
        seal(tx)
        merge(tx, 1)
        merge(tx, 2)
        assert counted(tx) == 72 + more
    store.prune_chunks(tx, LATER, 100)
    assert counted(tx) == 75
    assert store.prune_rollups(tx, LATER - LONG_MS - 1, 100) == 0
    store.prune_rollups(tx, LATER - LONG_MS, 100)
    assert spans(tx, "rollups") == []


def test_a_damaged_rollup_is_named_and_the_others_stand(tx: Tx) -> None:
    add(tx, range(0, 1440, 10))
    seal(tx)
    merge(tx, 1)
    damage(tx, HOUR_MS, 1, "rollups")
    with structlog.testing.capture_logs() as lines:
        assert counted(tx) == 72
    assert [(line["event"], line["node"], line["begins"]) for line in lines] == [
        ("a rollup of history is damaged and left out", "n1", BEGIN + HOUR_MS)
    ]
    assert len(told(tx)) == 144


def test_a_part_that_cannot_be_read_is_told_from_those_that_are_in_the_chunk() -> None:
    sound = Part(
        Span(1, SHORT_MS, BEGIN), codec.encode_columns(of_snapshots([1], [BEGIN], [{"a.b": 1}]))
    )
    other = Part(Span(1, SHORT_MS, BEGIN + SHORT_MS), b"noise")
    made = sealing.made(Span(1, HOUR_MS, BEGIN), NOTHING, [sound, other], 0)
    assert (made.replaced, made.damaged) == ([sound.span], [other.span])
    nothing = sealing.made(Span(1, HOUR_MS, BEGIN), NOTHING, [other], 0)
    assert nothing == (None, None, [], [other.span])


# --- clocks ---------------------------------------------------------------------------------------


def test_a_clock_known_after_the_merge_moves_rollups_too(tx: Tx) -> None:
    add(tx, range(0, 720, 10))
    seal(tx)
    merge(tx, 1)
    before = store.rollups(tx, "n1", 0, 10**15 // 600_000 * 600_000)
    store.set_clock_offset(tx, 1, 2 * HOUR_MS)
    after = store.rollups(tx, "n1", 0, 10**15 // 600_000 * 600_000)
    assert (after.ts - before.ts).tolist() == [2 * HOUR_MS] * 6
    assert after.snapshots.tolist() == before.snapshots.tolist()
    assert store.samples(tx, "n1", *ALWAYS).ts.tolist() == [
        BEGIN + 5000 * seq + 2 * HOUR_MS for seq in range(0, 720, 10)
    ]


def test_recent_goes_by_time_where_a_clock_was_put_back(tx: Tx) -> None:
    rows = [row(seq, BEGIN + (9 - seq) * 1000) for seq in range(10)]
    store.append(tx, boot_of(tx), rows, LATER)
    seal(tx)
    assert [point.ts for point in store.recent(tx, "n1", 3)] == [
        BEGIN + second * 1000 for second in (7, 8, 9)
    ]


# --- the last of a boot --------------------------------------------------------------------------


def test_the_last_of_a_boot_is_found_where_it_is_sealed(tx: Tx) -> None:
    add(tx, range(150))
    seal(tx)
    last = store.last_of_boot(tx, "n1", "a", 30)
    assert last is not None
    assert last.seq == 149
    assert [point.ts for point in last.recorded] == [BEGIN + 5000 * seq for seq in range(120, 150)]


def test_late_rows_below_the_last_sealed_one_do_not_pass_for_the_last(tx: Tx) -> None:
    add(tx, [0, *range(60, 120)])
    seal(tx)
    add(tx, range(1, 60))
    last = store.last_of_boot(tx, "n1", "a", 30)
    assert last is not None
    assert (last.seq, last.recorded[-1].ts) == (119, BEGIN + 5000 * 119)
    assert [point.ts for point in last.recorded] == [BEGIN + 5000 * seq for seq in range(90, 120)]


def test_fresh_rows_go_on_where_the_chunk_ends(tx: Tx) -> None:
    add(tx, range(60))
    seal(tx)
    add(tx, range(60, 70))
    last = store.last_of_boot(tx, "n1", "a", 30, {"mem.pct"})
    assert last is not None
    assert last.seq == 69
    assert [point.ts for point in last.recorded] == [BEGIN + 5000 * seq for seq in range(40, 70)]
    assert [bool(msgspec.json.decode(point.body)) for point in last.recorded] == (
        [False] * 20 + [True] * 10
    )


# --- pruning --------------------------------------------------------------------------------------


def test_a_chunk_is_pruned_when_all_of_it_is_too_old(tx: Tx) -> None:
    add(tx, range(0, 1440, 10))
    seal(tx)
    merge(tx, 1)
    add(tx, [5])
    seal(tx)
    assert spans(tx) == [(SHORT_MS, 0), (HOUR_MS, 0), (HOUR_MS, 1)]
    assert store.prune_chunks(tx, BEGIN + SHORT_MS - 1, 100) == 0
    assert store.prune_chunks(tx, BEGIN + SHORT_MS, 100) == 1
    assert store.prune_chunks(tx, BEGIN + HOUR_MS - 1, 100) == 0
    assert store.prune_chunks(tx, BEGIN + HOUR_MS, 100) == 1
    assert spans(tx) == [(HOUR_MS, 1)]
    assert told(tx) == list(range(720, 1440, 10))
    assert counted(tx) == 144


def test_pruning_removes_about_so_many_at_once(tx: Tx) -> None:
    add(tx, range(0, 4320, 60))
    seal(tx)
    assert [store.prune_chunks(tx, LATER, 30) for _ in range(4)] == [30, 30, 12, 0]


def test_more_than_was_asked_for_does_not_end_all_bounds(tx: Tx) -> None:
    """A span with a damaged and a sound chunk counts twice; the orphans' turn then has no room."""
    add(tx, [0])
    seal(tx)
    damage(tx, SHORT_MS, 0)
    add(tx, [1])
    seal(tx)
    add(tx, range(0, 4320, 60), node_id="n2")
    seal(tx, "n2")
    store.forget(tx, "n2")
    assert store.prune_chunks(tx, BEGIN + SHORT_MS, 1) == 2
    assert len(spans(tx)) == 72


def test_of_a_forgotten_node_nothing_stays(tx: Tx) -> None:
    add(tx, range(0, 4320, 60))
    seal(tx)
    merge(tx, 1)
    add(tx, range(1, 4320, 60))
    seal(tx)
    add(tx, range(2, 100))
    store.forget(tx, "n1")
    assert told(tx) == []
    assert counted(tx) == 0
    while store.prune(tx, 0, 10) == 10:
        pass
    while store.prune_chunks(tx, 0, 10) == 10:
        pass
    while store.prune_rollups(tx, 0, 2) == 2:
        pass
    store.prune_boots(tx)
    for table in ("boots", "snapshots", "chunks", "rollups"):
        assert tx.execute(f"SELECT COUNT(*) FROM {table}").fetchone() == (0,)
