"""Hot statements find their rows by an index: their cost must not grow with history.

Each feature's functions run over a Tx that notes what they execute; EXPLAIN QUERY PLAN then tells
how. Plans are looked at with an empty store, and with one that is filled and analysed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pytest

from forge_collector.db import Rows, Tx, Value
from forge_collector.fleet import store as fleet
from forge_collector.fleet.rules import Push
from forge_collector.fleet.store import nodes
from forge_collector.history import store as history
from forge_shared.messages import Host, Snapshot
from tests.unit.db.receipts import NOW, receipt

BOOT_ID, SIBLINGS_BOOT, NEW_BOOT = (str(uuid.UUID(int=number)) for number in (1, 2, 3))


class Statement(NamedTuple):
    sql: str
    plan: list[str]


class NotingTx:
    """A Tx that keeps the plan of every statement it runs."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.statements: list[Statement] = []

    def execute(self, sql: str, params: Mapping[str, Value] = {}) -> Rows:
        rows = self._tx.execute(f"EXPLAIN QUERY PLAN {sql}", params).fetchall()
        self.statements.append(Statement(" ".join(sql.split()), [row[3] for row in rows]))
        return self._tx.execute(sql, params)

    def executemany(self, sql: str, params: Iterable[Mapping[str, Value]]) -> Rows:
        every = list(params)
        for one in every:
            self.execute(sql, one)
        return self._tx.executemany(sql, every)

    def plan_of(self, part: str) -> list[str]:
        """Return the one plan of the statements that contain this."""
        plans = {tuple(found.plan) for found in self.statements if part in found.sql}
        assert len(plans) == 1, plans
        return list(plans.pop())


def push(seq: int, *, is_live: bool = True) -> Push:
    snapshot = Snapshot(seq, BOOT_ID, NOW + seq, {"cpu.pct": 1}, Host(hostname="one"))
    return Push([snapshot], [], is_live=is_live)


def fill(tx: Tx) -> None:
    for number in range(50):
        for seq in range(20):
            fleet.ingest(tx, f"n{number}", push(seq), receipt(offset_ms=1))
    history.forget(tx, "n7")
    tx.execute("ANALYZE")


@pytest.fixture(params=["empty", "filled"])
def noting(request: pytest.FixtureRequest, tx: Tx) -> NotingTx:
    if request.param == "filled":
        fill(tx)
    return NotingTx(tx)


def searches(plan: Iterable[str], *tables: str) -> None:
    """Assert that a plan looks rows up, and scans none of these tables."""
    for step in plan:
        assert not any(step.startswith(f"SCAN {table}") for table in tables), list(plan)


def test_ingest_looks_everything_up(noting: NotingTx) -> None:
    for seq in range(2):
        fleet.ingest(noting, "n1", push(1000 + seq), receipt(offset_ms=1))
    fleet.ingest(noting, "n1", push(2000, is_live=False), receipt())

    assert noting.plan_of("SELECT boot, clock_offset_ms") == [
        "SEARCH boots USING INDEX sqlite_autoindex_boots_2 (node_id=? AND boot_id=?)"
    ]
    assert noting.plan_of("UPDATE nodes SET last_seen") == [
        "SEARCH nodes USING INDEX sqlite_autoindex_nodes_1 (id=?)"
    ]
    # A conflict on (boot, seq) is found by the primary key as the row goes in: no plan at all.
    assert noting.plan_of("INSERT INTO snapshots") == []
    for statement in noting.statements:
        searches(statement.plan, "nodes", "snapshots", "credentials")
        if "MAX(boot)" not in statement.sql:
            searches(statement.plan, "boots")


def test_a_push_of_a_sibling_looks_everything_up(noting: NotingTx) -> None:
    sibling = nodes.NodeRow("n1.2", "n1.2", [], False, Host(), NOW, NOW, 0, BOOT_ID, None, "n1")
    fleet.ingest(noting, "n1", push(1000), receipt())
    nodes.add(noting, sibling)
    history.set_live(noting, history.open_boot(noting, "n1.2", SIBLINGS_BOOT, "n1").boot)
    noting.statements.clear()
    for boot_id in (SIBLINGS_BOOT, NEW_BOOT):
        snapshot = Snapshot(7, boot_id, NOW, {"cpu.pct": 1}, Host(hostname="two"))
        fleet.ingest(noting, "n1", Push([snapshot], [], is_live=True), receipt(offset_ms=1))
    assert noting.statements
    for statement in noting.statements:
        searches(statement.plan, "nodes", "snapshots", "credentials")
        if "MAX(boot)" not in statement.sql:
            searches(statement.plan, "boots")


def test_a_new_boot_gets_its_number_without_a_look_at_all_boots(noting: NotingTx) -> None:
    history.open_boot(noting, "n1", "new")
    plan = noting.plan_of("INSERT INTO collector")
    assert plan == ["SEARCH boots USING COVERING INDEX sqlite_autoindex_boots_1"], plan


def test_recent_reads_the_boots_of_one_node_by_their_keys(noting: NotingTx) -> None:
    fleet.ingest(noting, "n1", push(1000), receipt(offset_ms=1))
    history.recent(noting, "n1", 300)
    for table in ("snapshots", "chunks"):
        plan = noting.plan_of(f"FROM boots JOIN {table}")
        assert "SEARCH boots USING INDEX sqlite_autoindex_boots_2 (node_id=?)" in plan[0], plan
        searches(plan, table)


def test_where_a_boot_stands_is_looked_up(noting: NotingTx) -> None:
    history.last_of_boot(noting, "n1", BOOT_ID, 30)
    assert noting.statements
    for statement in noting.statements:
        searches(statement.plan, "boots", "snapshots")


def test_pruning_goes_by_age_and_by_boot_and_never_scans_snapshots(noting: NotingTx) -> None:
    history.prune(noting, NOW - 1, 100)
    by_age = noting.plan_of("observed_at < :before_ms")
    assert any("snapshots_by_observed_at (observed_at<?)" in step for step in by_age), by_age
    assert not any("TEMP B-TREE" in step for step in by_age), by_age
    by_boot = noting.plan_of("WHERE node_id IS NULL")
    for plan in (by_age, by_boot):
        searches(plan, "snapshots", "boots")


def test_pruning_boots_looks_each_one_up(noting: NotingTx) -> None:
    history.prune_boots(noting)
    searches(noting.plan_of("DELETE FROM boots"), "snapshots")


def test_forgetting_a_node_looks_its_boots_up(noting: NotingTx) -> None:
    fleet.ingest(noting, "n1", push(1000), receipt())
    noting.statements.clear()
    fleet.forget(noting, "n1")
    assert noting.statements
    for statement in noting.statements:
        searches(statement.plan, "boots", "nodes", "snapshots")


def test_an_edit_is_looked_up(noting: NotingTx) -> None:
    fleet.keep_last(noting, {"n1": history.Recorded(NOW, b"{}")})
    searches(noting.plan_of("UPDATE nodes SET last_ts"), "nodes")
