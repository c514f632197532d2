"""A store, and beside it a ledger of what it has to tell: each sample once, wherever it lies.

Whatever is done to the store is done here, step by step as the collector does it, and may be cut
off before it commits, as a crash would.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, pairwise
from statistics import fmean
from typing import Final, NamedTuple

import msgspec
import structlog

from forge_collector.db import Tx
from forge_collector.db.engine import Connection
from forge_collector.history import codec, rules, sealing, store
from forge_collector.history.codec import DamagedError
from forge_collector.history.columns import NOTHING
from forge_collector.history.sealing import Made, Span
from forge_collector.history.store import Row

HOUR_MS: Final = 3_600_000
ALWAYS: Final = (0, 10**15)
SEQ: Final = "x.seq"  # each snapshot measures its own seq, and so tells which it is


class Name(NamedTuple):
    """A boot, as nodes call it."""

    node_id: str
    boot_id: str


class Sample(NamedTuple):
    seq: int
    ts: int
    observed_at: int

    @property
    def values(self) -> dict[str, int | float]:
        values: dict[str, int | float] = {SEQ: self.seq, "cpu.pct": self.seq % 97 / 10}
        if self.seq % 3:
            values["disk.used_bytes//mnt/ü"] = self.seq << 20
        return values

    @property
    def row(self) -> Row:
        return Row(self.seq, self.ts, msgspec.json.encode(self.values))


class CrashError(Exception):
    """The process ends here."""


class Ledger:
    def __init__(self, writer: Connection) -> None:
        self._writer = writer
        self.samples: defaultdict[Name, dict[int, Sample]] = defaultdict(dict)
        self.offsets: dict[Name, int] = {}
        self.numbers: dict[Name, int] = {}
        # What only rollups tell of any more: the key of the chunk it was in, and the corrected ts.
        self.outlived: defaultdict[Name, list[tuple[Span, int, Sample]]] = defaultdict(list)

    @contextmanager
    def committed(self, *, crashes: bool = False) -> Iterator[Tx]:
        self._writer.begin_write()
        try:
            yield self._writer
        except BaseException:
            self._writer.rollback()
            raise
        if crashes:
            self._writer.rollback()
            raise CrashError
        self._writer.commit()

    # --- what is done ----------------------------------------------------------------------

    def append(
        self,
        name: Name,
        sent: Sequence[tuple[int, int]],
        received_at: int,
        *,
        offset_ms: int | None = None,
        crashes: bool = False,
    ) -> None:
        """Store (seq, ts) pairs; what is new of them must be counted exactly."""
        with self.committed(crashes=crashes) as tx:
            boot = store.open_boot(tx, *name)
            if offset_ms is not None and boot.clock_offset_ms is None:
                store.set_clock_offset(tx, boot.boot, offset_ms)
                boot = store.open_boot(tx, *name)
            known = self.samples[name]
            new: dict[int, Sample] = {}
            for seq, ts in sent:
                observed_at = rules.observed_at(ts, boot.clock_offset_ms, received_at)
                if seq not in known:
                    new.setdefault(seq, Sample(seq, ts, observed_at))
            rows = [Sample(seq, ts, 0).row for seq, ts in sent]
            assert store.append(tx, boot, rows, received_at) == len(new)
        self.numbers[name] = boot.boot
        if boot.clock_offset_ms is not None:
            self.offsets[name] = boot.clock_offset_ms
        known |= new

    def to_seal(self, name: Name, now_ms: int, limit: int = 2000) -> list[tuple[Made, list[int]]]:
        """Pack what is due of a boot, as far as the sealer does before it writes."""
        before_ms = rules.closed_before(now_ms, rules.SPANS_MS[0])
        with self.committed() as tx:
            if name not in self.numbers or self.numbers[name] not in store.boots_due(tx, before_ms):
                return []
            due = store.due(tx, self.numbers[name], before_ms, limit)
            packed: list[tuple[Made, list[int]]] = []
            for span, places in sealing.by_span(due.boot, due.observed_at).items():
                rows = [due.rows[place] for place in places]
                made = sealing.made(span, store.as_columns(rows), store.parts_of(tx, span), 0)
                packed.append((made, [row.seq for row in rows]))
            return packed

    def seal(self, packed: tuple[Made, list[int]], *, crashes: bool = False) -> None:
        with self.committed(crashes=crashes) as tx:
            store.seal(tx, *packed)

    def to_merge(self, level: int, now_ms: int, limit: int = 500) -> list[Made]:
        before_ms = rules.closed_before(now_ms, rules.SPANS_MS[level])
        with self.committed() as tx:
            found = [
                store.to_merge(tx, span)
                for span in store.spans_to_merge(tx, level, before_ms, limit)
            ]
        return [sealing.made(each.span, NOTHING, each.parts, each.correction_ms) for each in found]

    def put(self, made: Made, *, crashes: bool = False) -> None:
        with self.committed(crashes=crashes) as tx:
            store.put(tx, made)

    def catch_up(self, now_ms: int) -> None:
        """Seal and merge all that is due, as the sealer does while nobody disturbs it."""
        for name in list(self.numbers):
            while packed := self.to_seal(name, now_ms):
                for each in packed:
                    self.seal(each)
        for level in range(1, len(rules.SPANS_MS)):
            for made in self.to_merge(level, now_ms):
                self.put(made)
            assert self.to_merge(level, now_ms) == []

    def prune(self, now_ms: int, *, hours: int = 48, days: int = 30, limit: int = 1000) -> None:
        """Prune all that is too old, and strike it off the ledger."""
        before_ms = rules.kept_since(now_ms, hours)
        rollups_before_ms = rules.rollups_kept_since(now_ms, days)
        gone = self._to_be_pruned(before_ms)
        for prune, until_ms in (
            (store.prune, before_ms),
            (store.prune_chunks, before_ms),
            (store.prune_rollups, rollups_before_ms),
        ):
            for rounds in count():
                with self.committed() as tx:
                    if prune(tx, until_ms, limit) < limit:
                        break
                assert rounds < 1000
        with self.committed() as tx:
            store.prune_boots(tx)
        for name, seq in gone:
            del self.samples[name][seq]
        for name, kept in self.outlived.items():
            self.outlived[name] = [each for each in kept if each[0].ends > rollups_before_ms]
        with self.committed() as tx:
            boots = {boot for (boot,) in tx.execute("SELECT boot FROM boots").fetchall()}
            assert tx.execute("SELECT COUNT(*) FROM boots WHERE node_id IS NULL").fetchone() == (0,)
        for name, boot in list(self.numbers.items()):
            if boot not in boots:  # its clock is forgotten with it
                assert not self.samples[name]
                del self.numbers[name]
                self.offsets.pop(name, None)

    def forget(self, node_id: str, *, crashes: bool = False) -> None:
        with self.committed(crashes=crashes) as tx:
            store.forget(tx, node_id)
        for name in [name for name in self.numbers if name.node_id == node_id]:
            del self.numbers[name]
            self.offsets.pop(name, None)
            self.samples.pop(name, None)
            self.outlived.pop(name, None)

    def learn_clock(self, name: Name, offset_ms: int) -> None:
        if name in self.numbers:
            with self.committed() as tx:
                store.set_clock_offset(tx, self.numbers[name], offset_ms)
            self.offsets.setdefault(name, offset_ms)

    def damage(self, which: int, place: int) -> None:
        """Change a byte of some chunk that can be read; what is in it is lost, but rolled up."""
        with self.committed() as tx:
            chunks = self._chunks(tx)
            sound = [each for each in chunks if each[2] is not None]
            if not sound:
                return
            span, damaged, found = sound[which % len(sound)]
            key = {**span._asdict(), "damaged": damaged}
            where = "boot = :boot AND span_ms = :span_ms AND begins = :begins"
            (body,) = tx.execute(
                f"SELECT body FROM chunks WHERE {where} AND damaged = :damaged", key
            ).fetchone()
            changed = bytearray(body)
            changed[place % len(body)] ^= 0x10
            tx.execute(
                f"UPDATE chunks SET body = :body WHERE {where} AND damaged = :damaged",
                {**key, "body": bytes(changed)},
            )
            corrections = tx.execute(
                f"SELECT correction_ms FROM rollups WHERE {where} AND aside = 0", key
            ).fetchall()
        for name, boot in self.numbers.items():
            if boot == span.boot:
                lost = [self.samples[name].pop(seq) for seq in found or ()]
                for (correction_ms,) in corrections:
                    self.outlived[name] += [
                        (span, sample.ts + correction_ms, sample) for sample in lost
                    ]

    # --- what it tells -------------------------------------------------------------------------

    def check(self) -> None:
        """Hold all that can be read against the ledger."""
        with structlog.testing.capture_logs(), self.committed() as tx:
            self._check_places(tx)
            for node_id in {name.node_id for name in (*self.samples, *self.numbers)}:
                self._check_samples(tx, node_id)
                self._check_recent(tx, node_id)
                self._check_rollups(tx, node_id)
            for name in list(self.samples):
                self._check_last(tx, name)

    def _check_places(self, tx: Tx) -> None:
        """Each sample is in one place, a row or a chunk that can be read."""
        found = [tuple(row) for row in tx.execute("SELECT boot, seq FROM snapshots").fetchall()]
        for span, _, seqs in self._chunks(tx):
            found += [(span.boot, seq) for seq in seqs or ()]
        assert len(found) == len(set(found)), "a sample is in two places"
        known = set(self.numbers.values())
        assert {(boot, seq) for boot, seq in found if boot in known} == {
            (self.numbers[name], seq)
            for name, samples in self.samples.items()
            if name in self.numbers
            for seq in samples
        }

    def _check_samples(self, tx: Tx, node_id: str) -> None:
        expected = self._told(node_id)
        found = store.samples(tx, node_id, *ALWAYS)
        assert found.ts.tolist() == sorted(found.ts.tolist())
        read = [
            (
                ts,
                {
                    key: column[place]
                    for key, column in found.values.items()
                    if column[place] == column[place]
                },
            )
            for place, ts in enumerate(found.ts.tolist())
        ]
        assert sorted(read, key=_by_time) == expected
        if not expected:
            return
        first, last = expected[len(expected) // 3][0], expected[-1][0]
        part = store.samples(tx, node_id, first, last, {"cpu.pct"})
        assert part.ts.tolist() == [ts for ts, _ in expected if first <= ts < last]
        assert set(part.values) <= {"cpu.pct"}

    def _check_recent(self, tx: Tx, node_id: str) -> None:
        expected = self._told(node_id)
        for points in (1, 7, 300):
            found = store.recent(tx, node_id, points)
            assert [point.ts for point in found] == [ts for ts, _ in expected[-points:]]
            # Of those at the very moment that the oldest is from, some may be left out.
            told = Counter(
                (point.ts, *sorted(msgspec.json.decode(point.body).items())) for point in found
            )
            assert told <= Counter((ts, *sorted(values.items())) for ts, values in expected)

    def _check_rollups(self, tx: Tx, node_id: str) -> None:
        step_ms = rules.ROLLUP_STEP_MS
        inside: defaultdict[int, list[Mapping[str, float]]] = defaultdict(list)
        for ts, values in self._told(node_id):
            inside[ts // step_ms * step_ms].append(values)
        for name, kept in self.outlived.items():
            if name.node_id == node_id:
                for _, ts, sample in kept:
                    inside[ts // step_ms * step_ms].append(sample.values)
        found = store.rollups(tx, node_id, 0, 10**15 // step_ms * step_ms)
        assert found.ts.tolist() == sorted(inside)
        for place, start in enumerate(found.ts.tolist()):
            assert found.snapshots[place] == len(inside[start])
            for key, series in found.series.items():
                numbers = [values[key] for values in inside[start] if key in values]
                assert series.samples[place] == len(numbers)
                if numbers:
                    assert series.min[place] == min(numbers)
                    assert series.max[place] == max(numbers)
                    rounding = {"cpu.pct": 0.05, SEQ: 0}.get(key, 2**19)
                    assert abs(series.avg[place] - fmean(numbers)) <= rounding + 1e-6

    def _check_last(self, tx: Tx, name: Name) -> None:
        last = store.last_of_boot(tx, *name, 5)
        if not self.samples[name]:
            assert last is None
            return
        newest = max(self.samples[name])
        assert last is not None
        assert (last.seq, last.clock_offset_ms) == (newest, self.offsets.get(name))
        seqs = [msgspec.json.decode(point.body)[SEQ] for point in last.recorded]
        assert seqs[-1] == newest
        assert len(seqs) <= 5
        assert all(before < after for before, after in pairwise(seqs))
        for seq, point in zip(seqs, last.recorded, strict=True):
            assert point.ts == self._corrected(name, self.samples[name][seq])

    def _told(self, node_id: str) -> list[tuple[int, dict[str, int | float]]]:
        """Return what is to be read of a node: times by the collector's clock, and values."""
        return sorted(
            (
                (self._corrected(name, sample), sample.values)
                for name, samples in self.samples.items()
                if name.node_id == node_id
                for sample in samples.values()
            ),
            key=_by_time,
        )

    def _corrected(self, name: Name, sample: Sample) -> int:
        return rules.corrected(sample.ts, self.offsets.get(name))

    def _chunks(self, tx: Tx) -> list[tuple[Span, int, list[int] | None]]:
        """Return each chunk with the seqs in it, None when it cannot be read."""
        rows = tx.execute("SELECT boot, span_ms, begins, damaged, body FROM chunks").fetchall()
        found: list[tuple[Span, int, list[int] | None]] = []
        for *key, damaged, body in rows:
            try:
                seqs: list[int] | None = codec.decode_columns(body).seq.tolist()
            except DamagedError:
                seqs = None
            found.append((Span(*key), damaged, seqs))
        return found

    def _to_be_pruned(self, before_ms: int) -> list[tuple[Name, int]]:
        """Return what is too old: rows by their own age, chunks as a whole, when all of it is."""
        names = {boot: name for name, boot in self.numbers.items()}
        gone: list[tuple[Name, int]] = []
        with self.committed() as tx:
            rows = tx.execute(
                "SELECT boot, seq FROM snapshots WHERE observed_at < :before", {"before": before_ms}
            ).fetchall()
            gone += [(names[boot], seq) for boot, seq in rows if boot in names]
            for span, _, seqs in self._chunks(tx):
                if span.boot not in names or span.ends > before_ms or seqs is None:
                    continue
                name = names[span.boot]
                gone += [(name, seq) for seq in seqs]
                self._outlive(tx, name, span, seqs)
        return gone

    def _outlive(self, tx: Tx, name: Name, span: Span, seqs: Sequence[int]) -> None:
        """Note what only the rollup will tell of."""
        corrections = tx.execute(
            """
            SELECT correction_ms FROM rollups
            WHERE boot = :boot AND span_ms = :span_ms AND begins = :begins AND aside = 0
            """,
            span._asdict(),
        ).fetchall()
        for (correction_ms,) in corrections:
            for seq in seqs:
                sample = self.samples[name][seq]
                self.outlived[name].append((span, sample.ts + correction_ms, sample))


def _by_time(told: tuple[int, Mapping[str, float]]) -> tuple[int, float]:
    return told[0], told[1][SEQ]
