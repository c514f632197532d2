"""History that is sealed and merged: cut off anywhere, read point by point, late and pruned."""

from __future__ import annotations

import http.client
import random
import threading
from contextlib import closing
from pathlib import Path

import pytest

from forge_collector.history import rules
from tests.faults.conftest import Start
from tests.faults.pushes import new_boot
from tests.faults.sealed import (
    HOUR_MS,
    LINES_AT_ONCE,
    MINUTE_MS,
    history,
    line,
    now_ms,
    past,
    replay,
    snapshots,
    stored,
    wait_until_sealed,
)
from tests.process import Client, CollectorProcess, wait_for
from tests.unit.history import reference
from tests.unit.history.reference import Sent

NODES = ("n1", "n2", "n3")
ROUNDS = 5


class Replayer(threading.Thread):
    """An agent with a spool of hours, some live pushes between, until the collector is killed."""

    def __init__(self, node_id: str, token: str, port: int, spool: list[Sent], live: str) -> None:
        super().__init__(name=node_id)
        self.acknowledged: list[Sent] = []
        self.sent: list[Sent] = []
        self._node_id = node_id
        self._client = Client(port, token)
        self._spool = spool
        self._live = live

    def run(self) -> None:
        with closing(self._client):
            try:
                self._push()
            except (OSError, http.client.HTTPException):
                return  # the collector is gone, as it should be

    def _push(self) -> None:
        for first in range(0, len(self._spool), LINES_AT_ONCE):
            batch = self._spool[first : first + LINES_AT_ONCE]
            self.sent += batch
            assert replay(self._client, self._node_id, batch) == (len(batch), 0)
            self.acknowledged += batch
            for _ in range(5):
                seq = len(self.sent)
                live = Sent(self._live, seq, now_ms(), {"cpu.pct": seq % 1000 / 10})
                self.sent.append(live)
                assert self._client.push(self._node_id, line(live)).json()["accepted"] == 1
                self.acknowledged.append(live)


def due_at_kill(collector: CollectorProcess, enough: float) -> tuple[int, int]:
    """Kill it in the midst of its work: when it has made so much of what was due at its start.
    Return what waited then, and what was there sealed."""
    before = stored(collector.data).waiting

    def is_amid() -> bool:
        return stored(collector.data).waiting <= before * enough

    wait_for(is_amid, "it to be in the midst of sealing")
    collector.kill()
    left = stored(collector.data)
    return left.waiting, sum(left.chunks.values())


def test_what_was_acknowledged_is_there_once_after_kill_9_amid_sealing_and_merging(
    data: Path, start: Start
) -> None:
    draw = random.Random(11)
    collector = start()
    tokens = {node_id: collector.mint(node_id=node_id) for node_id in NODES}
    acknowledged: dict[str, list[Sent]] = {node_id: [] for node_id in NODES}
    sent: dict[str, list[Sent]] = {node_id: [] for node_id in NODES}
    end = now_ms() - 20 * MINUTE_MS
    interrupted = []

    for number in range(ROUNDS):
        first = end - (ROUNDS - number) * 3 * HOUR_MS
        spools = {node_id: past(draw, first, first + 3 * HOUR_MS, 15_000) for node_id in NODES}
        replayers = []
        for node_id, spool in spools.items():
            draw.shuffle(spool)
            replayers.append(Replayer(node_id, tokens[node_id], collector.port, spool, new_boot()))
        for replayer in replayers:
            replayer.start()
        for replayer in replayers:
            if number % 2:  # every other time, the pushes are cut off too
                replayer.join(20)
        collector.kill()
        for node_id, replayer in zip(NODES, replayers, strict=True):
            replayer.join(20)
            acknowledged[node_id] += replayer.acknowledged
            sent[node_id] += replayer.sent
        collector = start()  # and now it seals what was left
        interrupted.append(due_at_kill(collector, draw.choice([0.98, 0.8, 0.5, 0.2, 0.02])))
        collector = start()

    assert sum(1 for waiting, _ in interrupted if waiting) >= ROUNDS // 2, interrupted
    whole = wait_until_sealed(collector)
    assert rules.SPANS_MS[2] in whole.chunks  # what the hour of the day leaves may be shorter
    for node_id in NODES:
        check_each_once(collector, node_id, acknowledged[node_id], sent[node_id])
    assert collector.stop() == 0

    collector = start()
    for node_id in NODES:
        check_each_once(collector, node_id, acknowledged[node_id], sent[node_id])
        with collector.client(tokens[node_id]) as client:
            known = acknowledged[node_id]
            assert replay(client, node_id, known) == (0, len(known))
    errors = [line for line in collector.log() if line["level"] not in {"info", "warning"}]
    assert errors == []


def check_each_once(
    collector: CollectorProcess, node_id: str, acknowledged: list[Sent], sent: list[Sent]
) -> None:
    """What was sent and not acknowledged may be there or not, but not twice either."""
    with collector.client() as admin:
        found = [
            (ts, *sorted(values.items()))
            for ts, values in snapshots(admin, node_id, now_ms() - 47 * HOUR_MS, now_ms() + 1000)
        ]
    assert len(found) == len(set(found))
    assert set(found) >= {(each.ts, *sorted(each.values.items())) for each in acknowledged}
    assert set(found) <= {(each.ts, *sorted(each.values.items())) for each in sent}


# --- 48 hours ---------------------------------------------------------------------------------


@pytest.fixture
def two_days() -> dict[str, list[Sent]]:
    """Three nodes: one steady, one that was started anew, one whose clock is wrong."""
    draw = random.Random(48)
    end = now_ms() - 5 * MINUTE_MS
    begin, middle = end - 47 * HOUR_MS, end - 20 * HOUR_MS - 123_456
    return {
        "n1": past(draw, begin, end, 60_000),
        "n2": past(draw, begin, middle, 80_000) + past(draw, middle + 90_000, end, 80_000),
        "n3": past(draw, begin, end, 80_000, offset_ms=3 * HOUR_MS),
    }


def test_two_days_of_several_nodes_read_as_the_reference_tells_them(
    start: Start, two_days: dict[str, list[Sent]]
) -> None:
    draw = random.Random(49)
    collector = start()
    tokens = {node_id: collector.mint(node_id=node_id) for node_id in two_days}
    late: dict[str, list[Sent]] = {}
    for node_id, sent in list(two_days.items()):
        with collector.client(tokens[node_id]) as client:
            # The first live push of a boot tells its clock.
            for first in (each for each in sent if each.seq == 0):
                sent_at = str(now_ms() - first.offset_ms)
                assert client.push(node_id, line(first), **{"Forge-Sent-At": sent_at}).status == 200
            # A wrong clock is known to within the time that the push took.
            measured = collector.node(node_id)["clock_offset_ms"] or 0
            two_days[node_id] = [each._replace(offset_ms=measured) for each in sent]
            others = [each for each in two_days[node_id] if each.seq]
            draw.shuffle(others)
            cut = len(others) // 10
            late[node_id], early = others[:cut], others[cut:]
            assert replay(client, node_id, early) == (len(early), 0)
            assert replay(client, node_id, early[:700]) == (0, 700)
    collector.kill()

    collector = start()
    assert wait_until_sealed(collector).chunks[rules.SPANS_MS[-1]] >= 3 * 7
    lacking = {(each.boot, each.seq) for each in late["n2"]}
    there = [each for each in two_days["n2"] if (each.boot, each.seq) not in lacking]
    check_against_reference(collector, {"n2": there})

    # Late ones, and duplicates among them, of what was sealed two days ago and just now.
    for node_id, missing in late.items():
        lacking = {(each.boot, each.seq) for each in missing}
        known = draw.sample(two_days[node_id], 300)
        mixed = [*missing, *(each for each in known if (each.boot, each.seq) not in lacking)]
        draw.shuffle(mixed)
        with collector.client(tokens[node_id]) as client:
            assert replay(client, node_id, mixed) == (len(missing), len(mixed) - len(missing))
    check_against_reference(collector, {"n1": two_days["n1"]})  # some of it as rows
    assert collector.stop() == 0

    collector = start()
    wait_until_sealed(collector)
    check_against_reference(collector, two_days)
    for node_id, sent in two_days.items():
        with collector.client(tokens[node_id]) as client:
            some = draw.sample(sent, 500)
            assert replay(client, node_id, some) == (0, 500)


def check_against_reference(collector: CollectorProcess, sent: dict[str, list[Sent]]) -> None:
    """Any span, in any step: what is sealed, what is rolled up, and what is fresh."""
    now = now_ms()
    with collector.client() as admin:
        for node_id, known in sent.items():
            for from_ms, to_ms, points in (
                (now - 47 * HOUR_MS, now, 300),
                (now - 47 * HOUR_MS, now, 3600),
                (now - 30 * 24 * HOUR_MS, now, 700),
                (now - 60 * HOUR_MS, now - 30 * HOUR_MS, 1000),
                (now - 20 * HOUR_MS - 77_777, now - 11 * HOUR_MS, 300),
                (now - 3 * HOUR_MS, now, 1000),
            ):
                reference.check(
                    history(admin, node_id, from_ms, to_ms, points),
                    reference.history(
                        known, from_ms, to_ms, points=points, raw_since=now - 48 * HOUR_MS
                    ),
                    roundings=2,
                )


# --- pruning ----------------------------------------------------------------------------------


def test_what_is_too_old_goes_as_a_chunk_and_its_rollup_stays(start: Start) -> None:
    now = now_ms()
    sent = past(random.Random(3), now - 14 * HOUR_MS, now - 6 * MINUTE_MS, 20_000)
    collector = start()
    with collector.client(collector.mint(node_id="n1")) as client:
        assert replay(client, "n1", sent) == (len(sent), 0)
    assert collector.stop() == 0
    collector = start()  # a collector looks what is due as it starts
    wait_until_sealed(collector)
    assert collector.stop() == 0

    collector = start("--history-hours", "4")
    boundary = now_ms() - 4 * HOUR_MS

    with collector.client() as admin:
        kept = [each for each in sent if each.ts >= boundary]
        found = list(snapshots(admin, "n1", boundary, now))
        assert [(each.ts, each.values) for each in kept] == found
        wait_for(lambda: stored(collector.data).chunks.get(rules.SPANS_MS[-1], 0) <= 1, "pruning")
        found = list(snapshots(admin, "n1", boundary, now))
        assert [(each.ts, each.values) for each in kept] == found
        # What is older than the boundary is told by rollups, wherever its snapshots are by now.
        for points in (40, 300):
            told = history(admin, "n1", now - 20 * HOUR_MS, now, points)
            expected = reference.history(
                sent, now - 20 * HOUR_MS, now, points=points, raw_since=boundary
            )
            reference.check(told, expected, roundings=2)
