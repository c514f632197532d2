"""Recordings: from an agent's readings to a small file and back, without a loss."""

from __future__ import annotations

import io
import json
import lzma
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from forge_agent.core.rates import Reading
from scripts.recording import cli, recorder, trace

SHIPPED = Path(__file__).parents[2] / "data" / "trace.json.xz"


def line(second: float, **columns: dict[str, object]) -> str:
    reading = {
        "ts": 1_700_000_000_000 + round(second * 1000),
        "monotonic_s": 50 + second,
        "gauges": {},
        "totals": {},
        "shares": {},
        **columns,
    }
    return json.dumps(reading) + "\n"


def lines(seconds: range, **columns: dict[str, object]) -> list[str]:
    return [line(second, **columns) for second in seconds]


def test_a_packed_recording_reads_as_it_was(tmp_path: Path) -> None:
    readings = [
        line(
            turn * 1.0004,
            gauges={"mem.used_bytes": 10**10 + turn, "load.1m": 0.1084 * turn, "disk.pct//": 24.9},
            totals={"net.rx_bytes_per_s/eth0": 2**40 + turn**3},
            shares={"cpu.pct": [31.25 + turn / 100, 599.99 + turn]},
        )
        for turn in range(40)
    ]
    path = tmp_path / "packed"
    recorded = trace.of_lines(readings, "a machine")
    path.write_bytes(trace.packed(recorded))
    read = trace.read(path)
    assert read.about == "a machine"
    (piece,), (other,) = recorded.pieces, read.pieces
    for name in ("gauges", "totals", "parts", "wholes"):
        assert list(getattr(piece, name)) == list(getattr(other, name))
        for key, column in getattr(piece, name).items():
            np.testing.assert_allclose(getattr(other, name)[key], column, rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(other.ts, piece.ts)
    np.testing.assert_array_equal(other.monotonic_us, piece.monotonic_us)


def test_a_baseline_is_what_the_agent_would_have_in_its_hands() -> None:
    shares: dict[str, object] = {"cpu.pct": [1.5, 10.0]}
    recorded = trace.of_lines(
        [line(0, gauges={"proc.count": 3}), *lines(range(1, 9), shares=shares)], ""
    )
    first, second = (recorded.pieces[0].baseline(place) for place in (0, 1))
    assert (first.wall_ms, first.monotonic_s) == (1_700_000_000_000, 50.0)
    assert first.reading == Reading(gauges={"proc.count": 3.0})
    assert second.reading == Reading(shares={"cpu.pct": (1.5, 10.0)})


def test_what_comes_and_goes_is_missing_in_between(tmp_path: Path) -> None:
    with_disk: dict[str, object] = {"disk.reads_per_s/sda": 7}
    readings = [*lines(range(3), totals=with_disk), *lines(range(3, 6)), line(6, totals=with_disk)]
    path = tmp_path / "packed"
    path.write_bytes(trace.packed(trace.of_lines(readings, "")))
    column = trace.read(path).pieces[0].totals["disk.reads_per_s/sda"]
    np.testing.assert_array_equal(column, [7, 7, 7, np.nan, np.nan, np.nan, 7])


@pytest.mark.parametrize(
    ("seconds", "pieces"),
    [
        pytest.param([*range(20)], [20], id="without a gap"),
        pytest.param([*range(20), *range(60, 90)], [20, 30], id="recorded in two sessions"),
        pytest.param([*range(20), *range(21, 30)], [29], id="one turn missed"),
        pytest.param([*range(20), *range(20, 100, 5)], [21, 15], id="another pace"),
        pytest.param([*range(5000, 5020), *range(20)], [20, 20], id="rebooted"),
        pytest.param([0, 1], [], id="too short"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_it_is_cut_where_it_does_not_hang_together(seconds: list[int], pieces: list[int]) -> None:
    recorded = trace.of_lines([line(second) for second in seconds], "")
    assert [piece.readings for piece in recorded.pieces] == pieces


def test_a_line_that_was_cut_short_is_left_out() -> None:
    cut = line(10)[:-30]
    recorded = trace.of_lines([*lines(range(10)), cut + line(10), *lines(range(11, 14)), cut], "")
    assert recorded.pieces[0].readings == 13


def test_recordings_are_packed_one_after_the_other(tmp_path: Path) -> None:
    recordings = [tmp_path / "one", tmp_path / "other"]
    for path, seconds in zip(recordings, (range(0, 50, 5), range(90, 110)), strict=True):
        path.write_text("".join(lines(seconds)))
    out = tmp_path / "packed"
    options = [*map(str, recordings), "--out", str(out), "--about", "a machine"]
    told = CliRunner().invoke(cli.main, ["pack", *options])
    assert told.exit_code == 0, told.output
    read = trace.read(out)
    assert read.about == "a machine"
    assert [(piece.interval_ms, piece.readings) for piece in read.pieces] == [
        (5000, 10),
        (1000, 20),
    ]


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "packed"
    packed = trace.packed(trace.of_lines(lines(range(10)), ""))
    path.write_bytes(packed)
    assert trace.read(path).pieces[0].readings == 10
    changed = json.loads(lzma.decompress(packed)) | {"format": 99}
    path.write_bytes(lzma.compress(json.dumps(changed).encode()))
    with pytest.raises(ValueError, match="format 99"):
        trace.read(path)


def test_the_recorder_writes_what_the_families_read() -> None:
    turns = iter([False, False, False, False, True])
    families = {
        "one": lambda: Reading(gauges={"proc.count": 3}),
        "two": lambda: Reading(totals={"net.rx_bytes_per_s/eth0": 9}),
        "three": lambda: Reading(shares={"cpu.pct": (1.25, 10)}),
    }
    out = io.StringIO()
    assert recorder.record(out, 0.01, lambda: next(turns), families) == 4
    (piece,) = trace.of_lines(out.getvalue().splitlines(keepends=True), "").pieces
    assert piece.baseline(3).reading == Reading(
        {"proc.count": 3.0}, {"net.rx_bytes_per_s/eth0": 9.0}, {"cpu.pct": (1.25, 10.0)}
    )


def test_the_shipped_recording_is_small_and_whole() -> None:
    shipped = trace.read(SHIPPED)
    assert SHIPPED.stat().st_size < 400_000
    assert shipped.hours > 2
    for piece in shipped.pieces:
        assert {"cpu.pct", "cpu.core_pct/0", "cpu.core_pct/1"} <= set(piece.parts)
        assert {"mem.used_bytes", "load.1m", "proc.count", "disk.pct//"} <= set(piece.gauges)
