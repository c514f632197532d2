"""Looking at all that is stored, a part at a time: everything once, and the damaged named."""

from __future__ import annotations

import pytest

from forge_collector.db.engine import Connection
from forge_collector.history import codec, store
from forge_collector.history.columns import of_snapshots
from forge_collector.history.store import Row, damage
from forge_collector.history.store.damage import Damaged, Place
from forge_shared import codec as json

BODY = json.encode({"cpu.pct": 1.5})
TS = 1_800_000_000_000


def fill(tx: Connection, *, fresh: int, sealed: int) -> None:
    """Store rows of two boots, and as many chunks of three snapshots each."""
    for node in ("n1", "n2"):
        boot = store.open_boot(tx, node, f"boot of {node}")
        rows = [Row(100 + seq, TS + seq, BODY) for seq in range(fresh)]
        store.append(tx, boot, rows, TS + fresh)
        for chunk in range(sealed):
            body = codec.encode_columns(of_snapshots([0, 1, 2], [TS] * 3, [{"cpu.pct": 1}] * 3))
            put_chunk(tx, boot.boot, chunk, body)


def put_chunk(tx: Connection, boot: int, number: int, body: bytes) -> None:
    tx.execute(
        """
        INSERT INTO chunks (boot, span_ms, begins, snapshots, first_seq, last_seq, first_ts,
                            last_ts, damaged, body)
        VALUES (:boot, 300000, :begins, 3, 0, 2, :begins, :begins + 5, 0, :body)
        """,
        {"boot": boot, "begins": number * 300_000, "body": body},
    )


def look_at_all(tx: Connection, limit: int) -> tuple[int, list[Damaged]]:
    snapshots, damaged = 0, []
    place: Place | None = None
    for _ in range(1000):
        looked = damage.look(tx, place, limit)
        snapshots += looked.snapshots
        damaged += looked.damaged
        place = looked.place
        if place is None:
            return snapshots, damaged
    raise AssertionError("it never comes to an end")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 10, 1000])
@pytest.mark.parametrize(("fresh", "sealed"), [(0, 0), (7, 0), (0, 5), (10, 4)])
def test_everything_is_looked_at_once(tx: Connection, limit: int, fresh: int, sealed: int) -> None:
    fill(tx, fresh=fresh, sealed=sealed)
    assert look_at_all(tx, limit) == (2 * fresh + 2 * 3 * sealed, [])


def test_what_is_damaged_is_named_and_the_rest_looked_at(tx: Connection) -> None:
    fill(tx, fresh=3, sealed=3)
    tx.execute("UPDATE snapshots SET body = 'torn{' WHERE boot = 1 AND seq = 101")
    tx.execute(
        "UPDATE chunks SET body = :body WHERE boot = 2 AND begins = :begins",
        {"begins": 300_000, "body": b"no chunk at all"},
    )

    snapshots, damaged = look_at_all(tx, 2)

    assert snapshots == 2 * 3 + 2 * 3 * 3
    assert [(one.what, one.node_id, one.boot_id, one.from_ms, one.to_ms) for one in damaged] == [
        ("snapshot", "n1", "boot of n1", TS + 1, TS + 1),
        ("chunk", "n2", "boot of n2", 300_000, 300_005),
    ]


def test_a_chunk_that_is_another_one(tx: Connection) -> None:
    fill(tx, fresh=0, sealed=1)
    two = codec.encode_columns(of_snapshots([0, 1], [TS] * 2, [{"cpu.pct": 1}] * 2))
    tx.execute("UPDATE chunks SET body = :two WHERE boot = 1", {"two": two})
    (found,) = look_at_all(tx, 10)[1]
    assert found.reason == "2 snapshots instead of 3"


def test_what_belongs_to_a_forgotten_node_or_to_none(tx: Connection) -> None:
    fill(tx, fresh=1, sealed=0)
    store.forget(tx, "n1")
    assert look_at_all(tx, 10) == (2, [])
    tx.execute("DELETE FROM boots WHERE boot = 2")
    (found,) = look_at_all(tx, 10)[1]
    assert (found.node_id, found.boot_id, found.reason) == (
        None,
        "number 2",
        "it belongs to no boot",
    )
