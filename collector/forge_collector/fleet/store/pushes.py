"""The unit that stores a push."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from forge_collector.db import Tx
from forge_collector.fleet import rules
from forge_collector.fleet.store import nodes, siblings
from forge_collector.fleet.store.nodes import NodeRow
from forge_collector.fleet.store.siblings import Place, Receipt
from forge_collector.history import store as history
from forge_shared import codec
from forge_shared.messages import Snapshot


class Stored(NamedTuple):
    """What became of a push. ``node_id``: whose it is, None: of the one it was sent to.
    ``is_rival``, ``settled``: as ``siblings.Place`` has them. The others are a live push's: whether
    none of its boot's snapshots was live before, the boot's clock offset, and the values as they
    were stored."""

    accepted: int
    is_new_boot: bool = False
    clock_offset_ms: int | None = None
    body: bytes = b""
    node_id: str | None = None
    is_rival: bool = False
    settled: tuple[NodeRow, ...] = ()


def ingest(tx: Tx, node_id: str, push: rules.Push, receipt: Receipt) -> Stored:
    """Store a push; what was stored before stays as it is, and counts as a duplicate.

    Raises RevokedError when the node was forgotten, and its token with it, while the push came in.
    """
    if push.is_live:
        return _ingest_live(tx, node_id, push.snapshots[0], receipt)
    by_boot = _by_boot(push.snapshots)
    home, places = siblings.place_replayed(tx, node_id, list(by_boot), receipt)
    accepted = 0
    for boot_id, snapshots in by_boot.items():
        boot = history.open_boot(tx, places[boot_id].node_id, boot_id, places[boot_id].pushed_as)
        rows = [_row(snapshot) for snapshot in snapshots]
        accepted += history.append(tx, boot, rows, receipt.received_at)
    return Stored(accepted, node_id=_elsewhere(home, node_id), is_rival=home.is_rival)


def _ingest_live(tx: Tx, node_id: str, snapshot: Snapshot, receipt: Receipt) -> Stored:
    # Nearly every push is the live boot's; to find out which is not takes no statement more.
    place = Place(node_id)
    if not nodes.hear_live_boot(
        tx, node_id, snapshot.boot_id, receipt.received_at, receipt.heard_ms
    ):
        place = siblings.place_live(tx, node_id, snapshot.boot_id, snapshot.host, receipt)
    boot = history.open_boot(tx, place.node_id, snapshot.boot_id, place.pushed_as)
    # Only a live push tells the clock of its own boot: a replay is sent under a later one.
    boot = _with_offset(tx, boot, receipt.clock_offset_ms)
    row = _row(snapshot)
    accepted = history.append(tx, boot, [row], receipt.received_at)
    is_new_boot = bool(accepted) and not boot.was_live
    if is_new_boot:
        history.set_live(tx, boot.boot)
        nodes.set_live_boot(tx, place.node_id, snapshot.boot_id)
    if snapshot.host is not None:
        history.set_host(tx, boot.boot, codec.encode(snapshot.host).decode())
        if not place.is_rival:
            nodes.set_host(tx, place.node_id, snapshot.host)
    if place.is_rival and accepted:
        place = siblings.settle(tx, node_id, place, snapshot.boot_id, receipt)
    return Stored(
        accepted,
        is_new_boot,
        boot.clock_offset_ms,
        row.body,
        _elsewhere(place, node_id),
        place.is_rival,
        place.settled,
    )


def _elsewhere(place: Place, node_id: str) -> str | None:
    return None if place.node_id == node_id else place.node_id


def _row(snapshot: Snapshot) -> history.Row:
    return history.Row(snapshot.seq, snapshot.ts, codec.encode(snapshot.values))


def _by_boot(snapshots: Iterable[Snapshot]) -> dict[str, list[Snapshot]]:
    by_boot: defaultdict[str, list[Snapshot]] = defaultdict(list)
    for snapshot in snapshots:
        by_boot[snapshot.boot_id].append(snapshot)
    return by_boot


def _with_offset(tx: Tx, boot: history.Boot, offset_ms: int | None) -> history.Boot:
    if boot.clock_offset_ms is not None or offset_ms is None:
        return boot
    history.set_clock_offset(tx, boot.boot, offset_ms)
    return boot._replace(clock_offset_ms=offset_ms)
