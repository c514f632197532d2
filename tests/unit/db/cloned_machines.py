"""Machines cloned from one disk, with agents that all use one token, played against store and
fleet: who runs when, what arrives late, who is restarted. One step is a second."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from forge_collector.access import store as access
from forge_collector.db import Tx
from forge_collector.db.engine import Connection
from forge_collector.events import Events, NodeTokenShared
from forge_collector.fleet import store
from forge_collector.fleet.live import LiveFleet
from forge_collector.fleet.rules import Push
from forge_collector.fleet.store import NodeRow
from forge_collector.history import store as history
from forge_shared.messages import Host, Snapshot
from tests.empty_store import open_empty_store
from tests.unit.db.receipts import TOKEN, receipt
from tests.unit.fleet.feeding import boot_id
from tests.unit.fleet.manual_clock import ManualClock

INTERVAL_S = 5
NODE = "n1"


@dataclass
class Machine:
    """``boot``: of its agent; every boot it ever had is in ``boots``."""

    number: int
    hostname: str
    boot_time: int = 0
    boot: int = 0
    seq: int = 0
    runs: bool = False
    next_push_s: int = 0
    boots: list[int] = field(default_factory=list)

    @property
    def host(self) -> Host:
        return Host(hostname=self.hostname, boot_time=self.boot_time)


class World:
    def __init__(self, writer: Connection, machines: int, *, same_hostname: bool = False) -> None:
        self.tx: Tx = writer
        self.clock = ManualClock()
        self.shared: list[NodeTokenShared] = []
        self.live = self._fleet()
        self.machines = [
            Machine(number, "lab" if same_hostname else f"pc{number}") for number in range(machines)
        ]
        self._now_s = 0
        self._last_boot = 0
        self._late: defaultdict[int, list[tuple[Machine, Snapshot]]] = defaultdict(list)

    def _fleet(self) -> LiveFleet:
        events = Events()
        events.subscribe(NodeTokenShared, self.shared.append)
        return LiveFleet(self.clock, events)

    # --- what happens -----------------------------------------------------------------------

    def switch_on(self, number: int) -> None:
        machine = self.machines[number]
        if not machine.runs:
            machine.boot_time = self.clock.now_ms()
            self._start_agent(machine)

    def switch_off(self, number: int, late_s: int = 0) -> None:
        """``late_s``: the agent's last push is so long on its way."""
        machine = self.machines[number]
        if machine.runs and late_s:
            self._late[self._now_s + late_s].append((machine, self._snapshot(machine)))
        machine.runs = False

    def restart_agent(self, number: int, late_s: int = 0) -> None:
        machine = self.machines[number]
        if machine.runs:
            self.switch_off(number, late_s)
            self._start_agent(machine)

    def reboot(self, number: int) -> None:
        if self.machines[number].runs:
            self.switch_off(number)
            self.advance(25)
            self.switch_on(number)

    def restart_collector(self) -> None:
        """Its live state is what the store tells."""
        listened_ms = self.live.listened_ms()
        self.live = self._fleet()
        rows = store.load(self.tx)
        lasts = [
            row.live_boot_id and history.last_of_boot(self.tx, row.id, row.live_boot_id, 30)
            for row in rows
        ]
        self.live.restore(zip(rows, [last or None for last in lasts], strict=True), listened_ms)

    def advance(self, seconds: int) -> None:
        for _ in range(seconds):
            self._now_s += 1
            self.clock.advance(1000)
            for _, snapshot in self._late.pop(self._now_s, []):
                self._push(snapshot)
            for machine in self.machines:
                if machine.runs and self._now_s >= machine.next_push_s:
                    machine.next_push_s = self._now_s + INTERVAL_S
                    self._push(self._snapshot(machine))
            self.live.refresh_statuses()

    def replay(self, number: int, boot: int, seqs: range) -> None:
        """Let a machine's agent replay what it spooled in some boot."""
        snapshots = [
            Snapshot(seq, boot_id(boot), 1_700_000_000_000, {"cpu.pct": 1}) for seq in seqs
        ]
        came_in = receipt(self.clock.now_ms(), self.live.listened_ms())
        came_in = came_in._replace(boot_id=boot_id(self.machines[number].boot))
        push = Push(snapshots, [], is_live=False)
        self.live.heard(NODE, push, store.ingest(self.tx, NODE, push, came_in), came_in)

    def _start_agent(self, machine: Machine) -> None:
        self._last_boot += 1
        machine.boot, machine.seq, machine.runs = self._last_boot, 0, True
        machine.boots.append(machine.boot)
        machine.next_push_s = self._now_s + 1

    def _snapshot(self, machine: Machine) -> Snapshot:
        host = machine.host if machine.seq == 0 else None
        values: dict[str, int | float] = {"cpu.pct": machine.number}
        snapshot = Snapshot(machine.seq, boot_id(machine.boot), self.clock.now_ms(), values, host)
        machine.seq += 1
        return snapshot

    def _push(self, snapshot: Snapshot) -> None:
        came_in = receipt(self.clock.now_ms(), self.live.listened_ms())
        push = Push([snapshot], [], is_live=True)
        self.live.heard(NODE, push, store.ingest(self.tx, NODE, push, came_in), came_in)

    # --- what is seen -----------------------------------------------------------------------

    def nodes(self) -> dict[str, NodeRow]:
        return {row.id: row for row in store.load(self.tx)}

    def owner(self, boot: int) -> str | None:
        """Return the node that a boot's history belongs to."""
        found = self.tx.execute(
            "SELECT node_id FROM boots WHERE boot_id = :boot_id", {"boot_id": boot_id(boot)}
        ).fetchall()
        assert len(found) <= 1, found
        return found[0][0] if found else None

    def node_of(self, machine: Machine) -> str | None:
        """Return the node whose live boot is this machine's agent."""
        live = [
            row.id for row in self.nodes().values() if row.live_boot_id == boot_id(machine.boot)
        ]
        assert len(live) <= 1, live
        return live[0] if live else None

    def check(self) -> None:
        """Store and fleet tell the same, and every boot is where its pushes go."""
        rows = self.nodes()
        shown = {node.id: node for node in self.live.nodes()}
        assert set(shown) == set(rows)
        has_siblings = {row.sibling_of for row in rows.values()}
        for node_id, row in rows.items():
            own = node_id if node_id in has_siblings else None
            assert shown[node_id].shares_token_of == (row.sibling_of or own)
            assert shown[node_id].host == row.host
            assert shown[node_id].last_seen == row.last_seen
            if row.live_boot_id is not None:
                assert history.standing(self.tx, node_id, row.live_boot_id) is not None


def opened(path: Path) -> Connection:
    writer = open_empty_store(path)
    writer.begin_write()
    access.add(writer, TOKEN)
    return writer
