"""Pushes into a live fleet, with the outcome that the store would have reported."""

from __future__ import annotations

from collections import defaultdict

from forge_collector.fleet.live import LiveFleet
from forge_collector.fleet.rules import Push
from forge_collector.fleet.store import Receipt, Stored
from forge_shared import codec
from forge_shared.messages import Host, Snapshot
from tests.unit.fleet.manual_clock import ManualClock


def boot_id(number: int) -> str:
    return f"0190b8a4-7a5f-4c3e-9d21-{number:012x}"


class Feed:
    """Plays agents and store: remembers boots and seqs, and so what is new."""

    def __init__(self, live: LiveFleet, clock: ManualClock) -> None:
        self._live = live
        self._clock = clock
        self._seqs: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        self._were_live: set[tuple[str, str]] = set()

    def push(
        self,
        node_id: str,
        seq: int,
        *,
        boot: int = 1,
        values: dict[str, int | float] | None = None,
        host: Host | None = None,
        offset_ms: int | None = None,
        cpu: float | None = None,
    ) -> None:
        """Push one snapshot, live."""
        if values is None:
            values = {"cpu.pct": float(seq) if cpu is None else cpu}
        snapshot = Snapshot(seq, boot_id(boot), self._clock.now_ms(), values, host)
        self._heard(node_id, Push([snapshot], [], is_live=True), offset_ms)

    def replay(self, node_id: str, seqs: range, *, boot: int = 1) -> None:
        snapshots = [
            Snapshot(seq, boot_id(boot), self._clock.now_ms(), {"cpu.pct": -1.0}) for seq in seqs
        ]
        self._heard(node_id, Push(snapshots, [], is_live=False), None)

    def was_live(self, node_id: str, seqs: range, *, boot: int = 1) -> None:
        """Remember what the store knows from before this fleet was made."""
        key = (node_id, boot_id(boot))
        self._seqs[key] |= set(seqs)
        self._were_live.add(key)

    def forget(self, node_id: str) -> None:
        for key in [key for key in self._seqs if key[0] == node_id]:
            del self._seqs[key]
            self._were_live.discard(key)
        self._live.forgotten(node_id)

    def _heard(self, node_id: str, push: Push, offset_ms: int | None) -> None:
        accepted = 0
        for snapshot in push.snapshots:
            seqs = self._seqs[node_id, snapshot.boot_id]
            accepted += snapshot.seq not in seqs
            seqs.add(snapshot.seq)
        receipt = Receipt(self._clock.now_ms(), self._live.listened_ms(), offset_ms, "a token")
        stored = Stored(accepted)
        if push.is_live:
            (snapshot,) = push.snapshots
            boot = (node_id, snapshot.boot_id)
            is_new_boot = bool(accepted) and boot not in self._were_live
            if is_new_boot:
                self._were_live.add(boot)
            stored = Stored(accepted, is_new_boot, offset_ms, codec.encode(snapshot.values))
        self._live.heard(node_id, push, stored, receipt)
