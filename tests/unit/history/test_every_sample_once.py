"""Whatever comes in whatever order, and wherever it is cut off: each sample can be read once."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from forge_collector.history import rules
from forge_collector.history.sealing import Made
from forge_collector.history.store import RaceError
from tests.empty_store import open_empty_store
from tests.unit.history.ledger import HOUR_MS, CrashError, Ledger, Name

START_MS = 1_800_000_000_000 // rules.SPANS_MS[-1] * rules.SPANS_MS[-1]
MINUTE_MS = 60_000

names = st.builds(Name, st.sampled_from(["n1", "n2"]), st.sampled_from(["a", "b"]))
# Ages on a coarse grid, so that many fall into the same spans; some are about to be pruned.
ages_ms = (
    st.integers(0, 40).map(lambda number: number * 100_000)
    | st.integers(0, 16).map(lambda number: number * HOUR_MS // 2)
    | st.integers(46 * 60, 49 * 60).map(lambda minutes: minutes * MINUTE_MS)
    | st.integers(-3, 0).map(lambda number: number * HOUR_MS)
)
offsets_ms = st.sampled_from([0, 4000, -7000, HOUR_MS, -3 * HOUR_MS])
crashes = st.sampled_from([False, False, False, True])


class Histories(RuleBasedStateMachine):
    """One node after the other pushes and replays, the sealer works, and so does the pruner."""

    is_clock_known_late = True

    @initialize()
    def open(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._writer = open_empty_store(Path(self._folder.name, "fleet.db"))
        self._writer.execute("PRAGMA synchronous = OFF")  # no power is cut here
        self.ledger = Ledger(self._writer)
        self.now_ms = START_MS
        self.to_seal: dict[Name, list[tuple[Made, list[int]]]] = {}
        self.to_merge: list[Made] = []

    def teardown(self) -> None:
        if hasattr(self, "_writer"):
            self._writer.close()
            self._folder.cleanup()

    @rule(name=names, number=st.integers(1, 12), offset_ms=offsets_ms | st.none(), crash=crashes)
    def push(self, name: Name, number: int, offset_ms: int | None, crash: bool) -> None:
        """Some live pushes, five seconds apart, up to now."""
        known = self.ledger.samples[name]
        if not self.is_clock_known_late and name in self.ledger.numbers:
            offset_ms = None
        offset_ms = self.ledger.offsets.get(name, offset_ms)
        for seq in range(max(known, default=-1) + 1, max(known, default=-1) + 1 + number):
            self.now_ms += 5000
            try:
                self.ledger.append(
                    name,
                    [(seq, self.now_ms - (offset_ms or 0))],
                    self.now_ms,
                    offset_ms=offset_ms,
                    crashes=crash,
                )
            except CrashError:
                return

    @rule(
        name=names,
        sent=st.lists(st.tuples(st.integers(0, 60), ages_ms), min_size=1, max_size=25),
        crash=crashes,
    )
    def replay(self, name: Name, sent: list[tuple[int, int]], crash: bool) -> None:
        """A batch: late, in any order, some of it known already."""
        try:
            self.ledger.append(
                name, [(seq, self.now_ms - age) for seq, age in sent], self.now_ms, crashes=crash
            )
        except CrashError:
            return

    @rule(name=names)
    def send_all_again(self, name: Name) -> None:
        known = self.ledger.samples[name].values()
        if known:
            self.ledger.append(name, [(sample.seq, sample.ts) for sample in known], self.now_ms)

    @rule(ms=st.sampled_from([MINUTE_MS, 5 * MINUTE_MS, HOUR_MS, 7 * HOUR_MS, 20 * HOUR_MS]))
    def wait(self, ms: int) -> None:
        self.now_ms += ms

    @rule(name=names, limit=st.sampled_from([1, 4, 2000]))
    def pack_rows(self, name: Name, limit: int) -> None:
        if not self.to_merge:
            self.to_seal[name] = self.ledger.to_seal(name, self.now_ms, limit)

    @rule(crash=crashes)
    def seal_what_is_packed(self, crash: bool) -> None:
        """With whatever happened since it was packed."""
        for packed in self.to_seal.values():
            for each in packed:
                try:
                    self.ledger.seal(each, crashes=crash)
                except (RaceError, CrashError):
                    break
        self.to_seal = {}

    @rule(level=st.sampled_from([1, 2]), limit=st.sampled_from([1, 500]))
    def pack_chunks(self, level: int, limit: int) -> None:
        if not any(self.to_seal.values()):
            self.to_merge = self.ledger.to_merge(level, self.now_ms, limit)

    @rule(crash=crashes)
    def put_what_is_merged(self, crash: bool) -> None:
        for made in self.to_merge:
            try:
                self.ledger.put(made, crashes=crash)
            except (RaceError, CrashError):
                continue
        self.to_merge = []

    @rule()
    def catch_up(self) -> None:
        self.to_seal, self.to_merge = {}, []
        self.ledger.catch_up(self.now_ms)

    @rule(
        hours=st.sampled_from([48, 48, 2]),
        days=st.sampled_from([30, 30, 2]),
        limit=st.sampled_from([2, 1000]),
    )
    def prune(self, hours: int, days: int, limit: int) -> None:
        self.ledger.prune(self.now_ms, hours=hours, days=days, limit=limit)

    @rule(node_id=st.sampled_from(["n1", "n2"]), crash=crashes)
    def forget(self, node_id: str, crash: bool) -> None:
        try:
            self.ledger.forget(node_id, crashes=crash)
        except CrashError:
            return

    @rule(name=names, offset_ms=offsets_ms)
    def learn_clock(self, name: Name, offset_ms: int) -> None:
        if self.is_clock_known_late:
            self.ledger.learn_clock(name, offset_ms)

    @invariant()
    def each_sample_is_there_once(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.check()


class DamagedHistories(Histories):
    """The same with bytes that change in chunks: what was in them is lost, and nothing else.

    Clocks are known from the first push on: a rollup cannot follow them without its chunk.
    """

    @initialize()
    def know_clocks(self) -> None:
        self.is_clock_known_late = False

    @rule(which=st.integers(0, 9), place=st.integers(0, 5000))
    def damage(self, which: int, place: int) -> None:
        self.ledger.damage(which, place)


_SETTINGS = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestHistories = Histories.TestCase
TestHistories.settings = _SETTINGS
TestDamagedHistories = DamagedHistories.TestCase
TestDamagedHistories.settings = _SETTINGS
