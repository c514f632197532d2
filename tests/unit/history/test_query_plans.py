"""The statements that are run all day find what they want by the indexes made for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import pytest

from forge_collector.db import SqliteEngine, Tx, Value
from forge_collector.db.engine import Connection, Rows
from forge_collector.history import codec, rules, store
from forge_collector.history.buckets import Buckets
from forge_collector.history.columns import of_snapshots
from forge_collector.history.sealing import Span

SHORT_MS, HOUR_MS, LONG_MS = rules.SPANS_MS
BEGIN = 1_800_000_000_000 // LONG_MS * LONG_MS
NODES = 100
BOOTS = 2  # of each node
ROW = store.Row(5, BEGIN, b"{}")


@pytest.fixture(scope="module", params=["fresh", "analysed"])
def filled(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Connection]:
    """The store of a fleet in its steady state, whose statistics SQLite knows or does not know."""
    engine = SqliteEngine(tmp_path_factory.mktemp(request.param) / "fleet.db")
    writer = engine.open_writer()
    writer.begin_write()
    fill(writer)
    writer.commit()
    if request.param == "analysed":
        writer.execute("ANALYZE")
        engine.tidy(writer)
    yield writer
    writer.close()


def fill(tx: Tx) -> None:
    boots = range(1, NODES * BOOTS + 1)
    tx.executemany(
        "INSERT INTO boots (boot, node_id, boot_id, was_live) VALUES (:b, :n, :i, 1)",
        [{"b": boot, "n": f"n{boot % NODES}", "i": f"b{boot}"} for boot in boots],
    )
    tx.executemany(
        "INSERT INTO snapshots (boot, seq, ts, observed_at, body) VALUES (:b, :s, :t, :t, x'00')",
        [
            {"b": boot, "s": 9000 + row, "t": BEGIN + row * 5000}
            for row in range(75)
            for boot in boots
        ],
    )
    spans = [
        Span(boot, span_ms, BEGIN - back * span_ms)
        for span_ms, number in ((SHORT_MS, 12), (HOUR_MS, 6), (LONG_MS, 8))
        for back in range(1, number + 1)
        for boot in boots
    ]
    some = of_snapshots([1], [BEGIN - 1], [{"cpu.pct": 1}])
    body = codec.encode_columns(some)
    tx.executemany(
        """
        INSERT INTO chunks VALUES
            (:boot, :span_ms, :begins, 60, :seq, :seq + 60, :begins, :ends, 0, :body)
        """,
        [
            {**span._asdict(), "ends": span.ends, "seq": place, "body": body}
            for place, span in enumerate(spans)
        ],
    )
    body = codec.encode_buckets(Buckets.of_samples(some, rules.ROLLUP_STEP_MS))
    tx.executemany(
        """
        INSERT INTO rollups
            (boot, span_ms, begins, correction_ms, first_ts, last_ts, aside, body)
        VALUES (:boot, :span_ms, :begins, 0, :begins, :begins, 0, :body)
        """,
        [
            {**Span(boot, LONG_MS, BEGIN - back * LONG_MS)._asdict(), "body": body}
            for back in range(1, 121)
            for boot in boots
        ],
    )


class Explained:
    """A Tx that notes how each statement is going to be run, and runs it."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.plan: list[str] = []

    def execute(self, sql: str, params: Mapping[str, Value] | None = None) -> Rows:
        self._explain(sql, params or {})
        return self._tx.execute(sql, params or {})

    def executemany(self, sql: str, params: Iterable[Mapping[str, Value]]) -> Rows:
        params = list(params)
        self._explain(sql, params[0])
        return self._tx.executemany(sql, params)

    def _explain(self, sql: str, params: Mapping[str, Value]) -> None:
        rows = self._tx.execute(f"EXPLAIN QUERY PLAN {sql}", params).fetchall()
        self.plan += [step for *_, step in rows]


def plan(tx: Connection, statement: Callable[[Tx], object]) -> set[str]:
    """Return the steps of all statements that are run, and leave the store as it was."""
    explained = Explained(tx)
    tx.begin_write()
    try:
        statement(explained)
    finally:
        tx.rollback()
    return {step for step in explained.plan if step.startswith(("SEARCH", "SCAN"))}


BOOTS_OF_NODE = "SEARCH boots USING INDEX sqlite_autoindex_boots_2 (node_id=?)"
THIS_BOOT = "SEARCH boots USING INDEX sqlite_autoindex_boots_2 (node_id=? AND boot_id=?)"
ROWS_OF_BOOT = "SEARCH snapshots USING INDEX sqlite_autoindex_snapshots_1 (boot=?)"
OLD_ROWS = "SEARCH snapshots USING COVERING INDEX snapshots_by_observed_at (observed_at<?)"
CHUNKS_OF_BOOT = "SEARCH chunks USING INDEX sqlite_autoindex_chunks_1 (boot=?)"
THIS_CHUNK = (
    "SEARCH chunks USING INDEX sqlite_autoindex_chunks_1 "
    "(boot=? AND span_ms=? AND begins=? AND damaged=?)"
)
THIS_ROLLUP = (
    "SEARCH rollups USING INDEX sqlite_autoindex_rollups_1 "
    "(boot=? AND span_ms=? AND begins=? AND aside=?)"
)


@pytest.mark.parametrize(
    ("statement", "steps"),
    [
        (lambda tx: store.boots_due(tx, BEGIN + SHORT_MS), {OLD_ROWS}),
        (lambda tx: store.unsealed(tx, BEGIN + SHORT_MS), {OLD_ROWS}),
        (lambda tx: store.due(tx, 7, BEGIN + SHORT_MS, 2000), {ROWS_OF_BOOT}),
        (
            lambda tx: store.spans_to_merge(tx, 1, BEGIN, 500),
            {"SEARCH chunks USING INDEX chunks_by_begins (span_ms=? AND begins<?)"},
        ),
        (
            lambda tx: store.parts_of(tx, Span(7, LONG_MS, BEGIN - LONG_MS)),
            {"SEARCH chunks USING INDEX sqlite_autoindex_chunks_1 (boot=? AND span_ms<?)"},
        ),
        (
            lambda tx: store.samples(tx, "n5", BEGIN - LONG_MS, BEGIN),
            {BOOTS_OF_NODE, ROWS_OF_BOOT, CHUNKS_OF_BOOT, THIS_ROLLUP},
        ),
        (
            lambda tx: store.rollups(tx, "n5", BEGIN - LONG_MS, BEGIN),
            {
                *(BOOTS_OF_NODE, ROWS_OF_BOOT, CHUNKS_OF_BOOT, THIS_ROLLUP),
                "SEARCH rollups USING INDEX sqlite_autoindex_rollups_1 (boot=?)",
                THIS_CHUNK.replace("INDEX", "COVERING INDEX"),
            },
        ),
        (
            lambda tx: store.recent(tx, "n5", 300),
            {BOOTS_OF_NODE, ROWS_OF_BOOT, CHUNKS_OF_BOOT, THIS_CHUNK},
        ),
        (
            lambda tx: store.last_of_boot(tx, "n5", "b5", 100),
            {THIS_BOOT, ROWS_OF_BOOT, CHUNKS_OF_BOOT, THIS_CHUNK},
        ),
        (
            lambda tx: store.append(
                tx, store.Boot(7, None, was_live=True, sealed_seq=99), [ROW], BEGIN
            ),
            {CHUNKS_OF_BOOT},
        ),
    ],
    ids=[
        *("boots_due", "unsealed", "due", "spans_to_merge", "parts_of", "samples", "rollups"),
        *("recent", "last_of_boot", "append"),
    ],
)
def test_statements_go_by_their_indexes(
    filled: Connection, statement: Callable[[Tx], object], steps: set[str]
) -> None:
    assert plan(filled, statement) == steps


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (lambda tx: store.prune(tx, BEGIN + 9000, 1000), "snapshots_by_observed_at (observed_at<"),
        (
            lambda tx: store.prune_chunks(tx, BEGIN - 7 * LONG_MS, 1000),
            "chunks_by_begins (span_ms=? AND begins<",
        ),
        (lambda tx: store.prune_rollups(tx, BEGIN - 119 * LONG_MS, 1000), "begins<"),
    ],
    ids=["prune", "prune_chunks", "prune_rollups"],
)
def test_pruning_goes_to_what_is_old_at_once(
    filled: Connection, statement: Callable[[Tx], object], index: str
) -> None:
    """What to remove is found by age, and what has no node by its boot; nothing is gone through."""
    steps = plan(filled, statement)
    assert any(index in step for step in steps)
    assert all(step.startswith("SEARCH") and "INDEX" in step for step in steps)


def test_looking_for_empty_boots_goes_through_boots_alone(filled: Connection) -> None:
    assert plan(filled, store.prune_boots) == {
        "SCAN boots",
        ROWS_OF_BOOT.replace("INDEX", "COVERING INDEX"),
        CHUNKS_OF_BOOT.replace("INDEX", "COVERING INDEX"),
        "SEARCH rollups USING COVERING INDEX sqlite_autoindex_rollups_1 (boot=?)",
    }


def test_the_orders_of_pruning_remove_what_they_should(filled: Connection) -> None:
    """The statements above are run on something: there is something to remove."""
    filled.begin_write()
    assert store.prune(filled, BEGIN + 9000, 1000) == 2 * NODES * BOOTS
    assert store.prune_chunks(filled, BEGIN - 7 * LONG_MS, 1000) == NODES * BOOTS
    assert store.prune_rollups(filled, BEGIN - 119 * LONG_MS, 1000) == NODES * BOOTS
    filled.rollback()
