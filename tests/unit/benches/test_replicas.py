"""Nodes made of a recording: real machines still, none like another, and the same each time."""

from __future__ import annotations

import lzma
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from forge_shared import metrics
from scripts.benches import load_average, replicas
from scripts.benches.replicas import Sample
from scripts.recording import trace
from scripts.recording.trace import Piece, Trace

START_MS = 1_790_000_000_000
SHIPPED = Path(__file__).parents[2] / "data" / "trace.json.xz"
ACTIVITIES = (0.7, 0.93, 1.0, 1.2, 1.4)


@pytest.fixture(scope="module")
def recording() -> Trace:
    return trace.read(SHIPPED)


def stretch(recording: Trace, number: int, samples: int = 2000) -> list[Sample]:
    made = replicas.node(recording, number, start_ms=START_MS, hours=48)
    return list(islice(made, samples))


def column(samples: list[Sample], key: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([sample.values.get(key, np.nan) for sample in samples], np.float64)


def scaled(recording: Trace, activity: float) -> list[tuple[Piece, Piece]]:
    return [(piece, replicas.scaled(piece, activity)) for piece in recording.pieces]


def test_the_same_number_gives_the_same_node(recording: Trace) -> None:
    assert stretch(recording, 3, 100) == stretch(recording, 3, 100)


def test_no_two_nodes_are_alike(recording: Trace) -> None:
    one, other = stretch(recording, 1), stretch(recording, 2)
    assert (column(one, "cpu.pct") != column(other, "cpu.pct")).mean() > 0.8


def test_a_node_sends_every_five_seconds_for_as_long_as_asked(recording: Trace) -> None:
    samples = list(replicas.node(recording, 1, start_ms=START_MS, hours=3))
    ts = [sample.ts for sample in samples]
    assert START_MS <= ts[0] < START_MS + 10_000
    assert START_MS + 3 * 3_600_000 - 10_000 < ts[-1] < START_MS + 3 * 3_600_000
    assert np.median(np.diff(ts)) == pytest.approx(5000, abs=20)
    assert np.diff(ts).min() > 1000
    assert len(samples) == pytest.approx(3 * 720, rel=0.01)


def test_a_node_sends_what_an_agent_sends(recording: Trace) -> None:
    for sample in stretch(recording, 1, 300):
        assert len(sample.values) >= 26
        for key, value in sample.values.items():
            assert metrics.rounded(key, value) == value
        assert sample.values["agent.dropped_snapshots"] == 0


def test_the_same_readings_are_seen_in_every_phase_before_they_come_again(
    recording: Trace,
) -> None:
    views = replicas.views(recording, 5000)
    seen = [(id(view.piece), place) for view in views for place in view.places.tolist()]
    assert len(seen) == len(set(seen))
    assert len(seen) > 0.99 * sum(piece.readings for piece in recording.pieces)
    assert replicas.cycle_hours(recording, 5000) > recording.hours


@pytest.mark.parametrize("number", range(1, 4))
def test_sums_and_totals_hold(recording: Trace, number: int) -> None:
    for sample in stretch(recording, number):
        values = sample.values
        step = metrics.resolution("mem.used_bytes")
        total = values["mem.used_bytes"] + values["mem.available_bytes"]
        assert total == pytest.approx(values["mem.total_bytes"], abs=2 * step)
        share = 100 * values["mem.used_bytes"] / values["mem.total_bytes"]
        assert values["mem.pct"] == pytest.approx(share, abs=0.1)
        if "cpu.pct" in values:
            # What a hypervisor stole is in neither of the two.
            parts = values["cpu.user_pct"] + values["cpu.system_pct"]
            assert parts <= values["cpu.pct"] + 0.45  # roundings, and a jiffy
            cores = (values["cpu.core_pct/0"] + values["cpu.core_pct/1"]) / 2
            assert cores == pytest.approx(values["cpu.pct"], abs=2.5)  # read a moment apart
            assert values["cpu.pct"] + values["cpu.iowait_pct"] <= 100.2
            assert min(values["cpu.pct"], values["cpu.system_pct"]) >= 0


def test_time_since_boot_grows_with_the_clock(recording: Trace) -> None:
    for one, other in pairwise(stretch(recording, 1)):
        grown = other.values["uptime.s"] - one.values["uptime.s"]
        assert grown == pytest.approx((other.ts - one.ts) / 1000, abs=1)


@pytest.mark.parametrize("activity", ACTIVITIES)
def test_zeros_stay_zeros_and_what_stands_still_stands_still(
    recording: Trace, activity: float
) -> None:
    for piece, other in scaled(recording, activity):
        for key, counter in piece.totals.items():
            stood = np.diff(counter) == 0
            assert not np.diff(other.totals[key])[stood].any(), key
            assert (np.diff(other.totals[key]) >= 0).all(), key
        for key in ("mem.total_bytes", "swap.total_bytes", "swap.used_bytes", "disk.total_bytes//"):
            assert len(set(other.gauges[key])) == len(set(piece.gauges[key])), key
            assert other.gauges[key][0] == piece.gauges[key][0], key
        for key in ("mem.used_bytes", "disk.used_bytes//", "proc.count"):
            stood = np.diff(piece.gauges[key]) == 0
            assert not np.diff(other.gauges[key])[stood].any(), key


@pytest.mark.parametrize("activity", ACTIVITIES)
def test_idle_and_saturated_cores_stay_so(recording: Trace, activity: float) -> None:
    for piece, other in scaled(recording, activity):
        for key in ("cpu.core_pct/0", "cpu.core_pct/1"):
            whole = np.diff(piece.wholes[key])
            busy, made = np.diff(piece.parts[key]), np.diff(other.parts[key])
            assert (made[busy == 0] <= 0.0101).all()  # a jiffy that was begun before
            full = (busy >= whole) & (whole > 0)
            assert (made[full] >= whole[full] - 0.0101).all()
            assert (made >= -1e-9).all()
            assert (made <= whole + 0.0101).all()
            np.testing.assert_array_equal(other.wholes[key], piece.wholes[key])


@pytest.mark.parametrize("activity", ACTIVITIES)
def test_counters_keep_the_steps_that_they_had(recording: Trace, activity: float) -> None:
    for piece, other in scaled(recording, activity):
        for key, counter in piece.totals.items():
            grown = np.diff(counter)
            step = np.gcd.reduce(grown[grown > 0].astype(np.int64)) if grown.any() else 1
            assert not (np.diff(other.totals[key]) % step).any(), key
            wanted = (counter[-1] - counter[0]) * activity
            made = other.totals[key][-1] - other.totals[key][0]
            assert made == pytest.approx(wanted, abs=2 * float(step)), key


def test_a_busier_machine_is_busier(recording: Trace) -> None:
    for piece, other in scaled(recording, 1.4):
        for key in ("cpu.pct", "cpu.user_pct", "cpu.system_pct"):
            grown = piece.parts[key][-1] - piece.parts[key][0]
            assert other.parts[key][-1] - other.parts[key][0] > grown
        assert other.gauges["load.1m"].mean() > piece.gauges["load.1m"].mean()


def test_as_recorded_changes_nothing(recording: Trace) -> None:
    view = replicas.views(recording, 5000)[0]
    samples = replicas.as_recorded(view, START_MS)
    assert len(samples) == view.samples
    measured = view.piece.gauges["mem.used_bytes"][view.places[1:]]
    rounded = [metrics.rounded("mem.used_bytes", value) for value in measured]
    assert [sample.values["mem.used_bytes"] for sample in samples] == rounded


def test_load_averages_are_those_of_the_kernel() -> None:
    """Ten minutes of two tasks, then none: figures of the kernel's own recursion."""
    tasks = [2] * 120 + [0] * 120
    loads: dict[str, list[float]] = {name: [0.0] for name in ("load.1m", "load.5m", "load.15m")}
    for count in tasks:
        for name, minutes in (("load.1m", 1), ("load.5m", 5), ("load.15m", 15)):
            decay = float(np.exp(-5 / 60 / minutes))
            loads[name].append(loads[name][-1] * decay + count * (1 - decay))
    gauges = {name: np.round(np.array(column), 4) for name, column in loads.items()}
    made = load_average.scaled(gauges, 1.0)
    for name, column in gauges.items():
        np.testing.assert_allclose(made[name], column, atol=0.03)
    assert made["load.1m"][120] > 1.99
    half = load_average.scaled(gauges, 0.5)
    np.testing.assert_allclose(half["load.5m"], made["load.5m"] / 2, atol=0.03)


def test_without_load_averages_there_are_none() -> None:
    assert load_average.scaled({"proc.count": np.zeros(3)}, 1.2) == {}


def test_the_second_pass_over_the_recording_is_no_repetition(recording: Trace) -> None:
    """A compressor that remembers the whole first pass must not know the second by it."""
    cycle = round(replicas.cycle_hours(recording, 5000) * 720)
    samples = stretch(recording, 1, 2 * cycle)
    first, second = samples[:cycle], samples[cycle:]
    for key in ("cpu.pct", "load.1m", "mem.used_bytes", "disk.write_bytes_per_s/vda"):
        alone, both = compressed(second, key), compressed(samples, key)
        assert both - compressed(first, key) > 0.75 * alone, key
        assert compressed(second + second, key) - alone < 0.1 * alone, key


def compressed(samples: list[Sample], key: str) -> int:
    steps = np.round(column(samples, key) / metrics.resolution(key))
    differences = np.diff(np.nan_to_num(steps), prepend=0).astype(np.int64)
    return len(lzma.compress(" ".join(map(str, differences.tolist())).encode()))
