"""Pasts to replay, and a look at how far a collector has come with sealing them."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from forge_collector.history import codec, rules
from forge_shared.messages import History
from tests.faults.pushes import new_boot
from tests.process import Client, CollectorProcess, wait_for
from tests.unit.history.reference import Sent

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
LINES_AT_ONCE = 500


def now_ms() -> int:
    return int(time.time() * 1000)


def past(
    draw: random.Random, from_ms: int, to_ms: int, every_ms: int, offset_ms: int = 0
) -> list[Sent]:
    """One boot of a node: with gaps, and a disk that comes and goes. ``offset_ms``: how much its
    clock is behind the collector's."""
    boot, ts = new_boot(), from_ms
    sent: list[Sent] = []
    disk, used = True, 500
    while ts < to_ms:
        used = max(0, used + draw.choice([0, 0, 1, -1, 40]))
        disk ^= draw.random() < 0.01
        values: dict[str, float] = {
            "cpu.pct": draw.randrange(1000) / 10,
            "mem.used_bytes": used << 20,
            "net.rx_bytes_per_s/eth0": float(draw.choice([0, 7, 122, 4450, 98_000, 1_020_000])),
            "new.thing": draw.random(),
        }
        if disk:
            values["disk.pct//mnt/usb"] = used % 1000 / 10
        sent.append(Sent(boot, len(sent), ts - offset_ms, values, offset_ms))
        ts += draw.choices([every_ms, every_ms // 5, 2_400_000], [97, 2.7, 0.3])[0]
    return sent


def line(sent: Sent) -> dict[str, object]:
    return {"boot_id": sent.boot, "seq": sent.seq, "ts": sent.ts, "values": sent.values}


def replay(client: Client, node_id: str, sent: Sequence[Sent]) -> tuple[int, int]:
    """Replay in full batches; return how many were new, and how many were known."""
    accepted = duplicates = 0
    for first in range(0, len(sent), LINES_AT_ONCE):
        reply = client.replay(node_id, [line(each) for each in sent[first : first + LINES_AT_ONCE]])
        assert reply.status == 200, reply
        told = reply.json()
        assert not told["rejected"]
        accepted += told["accepted"]
        duplicates += told["duplicates"]
    return accepted, duplicates


def history(client: Client, node_id: str, from_ms: int, to_ms: int, points: int) -> History:
    reply = client.send(
        "GET", f"/api/nodes/{quote(node_id)}/history?from={from_ms}&to={to_ms}&points={points}"
    )
    assert reply.status == 200, reply
    return msgspec.json.decode(reply.body, type=History)


def snapshots(
    client: Client, node_id: str, from_ms: int, to_ms: int
) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield every snapshot of a node, each for itself, as the API tells them."""
    waiting = [(from_ms, to_ms)]
    while waiting:
        first, end = waiting.pop()
        told = history(client, node_id, first, end, 3600)
        if told.step_ms > 1:
            assert end - first > 1000, "not every snapshot is kept of this span"
            middle = (first + end) // 2
            waiting += [(middle, end), (first, middle)]
            continue
        for place, ts in enumerate(told.ts):
            values = {
                key: number
                for key, series in told.series.items()
                if (number := series.avg[place]) is not None
            }
            if values:  # where there are none, it is a gap
                yield ts, values


def identities(data: Path) -> list[tuple[str, str, int]]:
    """Return (node, boot, seq) of each snapshot in a database, as often as it is there."""
    with closing(sqlite3.connect(f"file:{data / 'fleet.db'}?mode=ro", uri=True)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = raw.execute(
            "SELECT node_id, boot_id, seq FROM snapshots JOIN boots USING (boot)"
        ).fetchall()
        for node_id, boot_id, body in raw.execute(
            "SELECT node_id, boot_id, body FROM chunks JOIN boots USING (boot)"
        ):
            seqs = codec.decode_columns(body).seq.tolist()
            found += [(node_id, boot_id, seq) for seq in seqs]
    return found


class Stored(NamedTuple):
    """Where history lies: how many rows, and chunks of each span."""

    rows: int
    chunks: dict[int, int]
    waiting: int


def stored(data: Path) -> Stored:
    """``waiting``: what is due to be sealed or merged, in rows and chunks."""
    with closing(sqlite3.connect(f"file:{data / 'fleet.db'}?mode=ro", uri=True)) as raw:
        (rows,) = raw.execute("SELECT COUNT(*) FROM snapshots").fetchone()
        chunks = dict(raw.execute("SELECT span_ms, COUNT(*) FROM chunks GROUP BY 1").fetchall())
        due = raw.execute(
            "SELECT COUNT(*) FROM snapshots WHERE observed_at < ?",
            (rules.closed_before(now_ms(), rules.SPANS_MS[0]),),
        ).fetchone()[0]
        for short, long in zip(rules.SPANS_MS, rules.SPANS_MS[1:], strict=False):
            due += raw.execute(
                "SELECT COUNT(*) FROM chunks WHERE span_ms = ? AND begins < ? AND damaged = 0",
                (short, rules.closed_before(now_ms(), long)),
            ).fetchone()[0]
    return Stored(rows, chunks, due)


def wait_until_sealed(collector: CollectorProcess) -> Stored:
    """Wait until all is sealed and merged that is due. It looks as it starts, and now and then.
    The longer it works, the longer it rests, so a busy machine makes it wait twice over; to look
    takes time too."""
    wait_for(
        lambda: not stored(collector.data).waiting,
        "history to be sealed",
        patience_s=180,
        every_s=0.25,
    )
    return stored(collector.data)
