"""forgectl nodes history: every snapshot once, page by page, whoever reads it."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.integration.forgectl.conftest import Forgectl
from tests.process import ADMIN_SECRET, CollectorProcess, environment, running_collector

ENV: Final = {"FORGE_TOKEN": ADMIN_SECRET}
HOUR_MS: Final = 3_600_000
AVERAGED_MS: Final = 600_000
BOOT: Final = "0190b8a4-7a5f-4c3e-9d21-5e0b6a7c8d9"
ODD_KEY: Final = 'disk.pct//mnt/a,"b" ü'


class Recorded(NamedTuple):
    """What a node measured, by time; each a snapshot of its own."""

    points: dict[int, dict[str, float]]

    def within(self, from_ms: int, to_ms: int) -> dict[int, dict[str, float]]:
        return {ts: values for ts, values in self.points.items() if from_ms <= ts < to_ms}


def replay(
    collector: CollectorProcess, node_id: str, points: dict[int, dict[str, float]], boot: int = 0
) -> None:
    snapshots = [
        {"seq": seq, "boot_id": f"{BOOT}{boot}", "ts": ts, "values": values}
        for seq, (ts, values) in enumerate(points.items())
    ]
    with collector.client(collector.mint(node_id=node_id)) as node:
        for first in range(0, len(snapshots), 500):
            reply = node.replay(node_id, snapshots[first : first + 500])
            assert reply.json()["rejected"] == [], reply


@pytest.fixture(scope="module")
def recorded(collector: CollectorProcess) -> Recorded:
    """Eight hours: an hour of them at one second, a gap of two hours, and series that come late or
    leave early."""
    draw = random.Random(3)
    now = round(time.time() * 1000)
    points: dict[int, dict[str, float]] = {}
    ts = now - 8 * HOUR_MS
    while ts < now - 10_000:
        age = now - ts
        values = {"cpu.pct": draw.randrange(1000) / 10, "mem.used_bytes": draw.randrange(2**30)}
        if age > 5 * HOUR_MS:
            values["cpu.core_pct/10"] = 1.5
            values["cpu.core_pct/9"] = 2
        if age < HOUR_MS:
            values[ODD_KEY] = 61.5
        if age < 2 * HOUR_MS:
            values["new.thing"] = 0.125
        points[ts] = values
        if 5 * HOUR_MS < age < 5 * HOUR_MS + 5000:
            ts += 2 * HOUR_MS
        ts += 1000 if 2 * HOUR_MS < age < 3 * HOUR_MS else draw.choice([5000, 5000, 5003])
    replay(collector, "nas-2", points)
    return Recorded(points)


def read_csv(text: str) -> tuple[list[str], dict[int, dict[str, float]]]:
    """Return a CSV's series, and what it tells by time."""
    header, *lines = csv.reader(io.StringIO(text))
    assert header[:2] == ["ts", "time"]
    points = {
        int(line[0]): {
            key: float(cell) for key, cell in zip(header[2:], line[2:], strict=True) if cell
        }
        for line in lines
    }
    assert len(points) == len(lines)
    assert list(points) == sorted(points)
    return header[2:], points


def read_ndjson(text: str) -> dict[int, dict[str, float]]:
    told = [json.loads(line) for line in text.splitlines()]
    assert all(point.keys() == {"ts", "values"} for point in told)
    points = {point["ts"]: point["values"] for point in told}
    assert len(points) == len(told)
    return points


def test_csv_holds_every_snapshot_once(forgectl: Forgectl, recorded: Recorded) -> None:
    done = forgectl("nodes", "history", "nas-2", "--since", "9h", **ENV)
    assert (done.returncode, done.stderr) == (0, "")
    keys, points = read_csv(done.stdout)
    # As the table of metrics has them, instances by number, and strangers last.
    assert keys == [
        *("cpu.pct", "cpu.core_pct/9", "cpu.core_pct/10", "mem.used_bytes"),
        *(ODD_KEY, "new.thing"),
    ]
    assert points == recorded.points
    first = done.stdout.splitlines()[1].split(",")[:2]
    assert first[1].endswith("Z")
    assert "." in first[1]


def test_ndjson_holds_every_snapshot_once(forgectl: Forgectl, recorded: Recorded) -> None:
    done = forgectl("nodes", "history", "nas-2", "--since", "9h", "--format", "ndjson", **ENV)
    assert (done.returncode, done.stderr) == (0, "")
    assert read_ndjson(done.stdout) == recorded.points


def test_a_span_between_two_moments(forgectl: Forgectl, recorded: Recorded) -> None:
    times = sorted(recorded.points)
    from_ms, to_ms = times[100], times[900]
    done = forgectl(
        *("nodes", "history", "nas-2", "--since", str(from_ms), "--until", str(to_ms)), **ENV
    )
    _, points = read_csv(done.stdout)
    assert points == recorded.within(from_ms, to_ms)
    assert len(points) == 800


def test_only_the_metrics_that_were_asked_for(forgectl: Forgectl, recorded: Recorded) -> None:
    wanted = ("--metrics", "cpu.core_pct,no.such", "--metrics", ODD_KEY)
    done = forgectl("nodes", "history", "nas-2", "--since", "9h", *wanted, **ENV)
    keys, points = read_csv(done.stdout)
    assert keys == ["cpu.core_pct/9", "cpu.core_pct/10", ODD_KEY]
    assert points == {
        ts: some
        for ts, values in recorded.points.items()
        if (some := {key: values[key] for key in keys if key in values})
    }


def test_since_the_beginning_of_time(forgectl: Forgectl, recorded: Recorded) -> None:
    """It does not page through fifty years of nothing, nor until the end of time."""
    long_ago = ("--since", "1970-01-02", "--until", "2099-01-01", "--metrics", "cpu.pct")
    done = forgectl("nodes", "history", "nas-2", *long_ago, **ENV)
    _, points = read_csv(done.stdout)
    assert points.keys() == recorded.points.keys()


def test_nothing_is_said_to_be_nothing(forgectl: Forgectl, recorded: Recorded) -> None:
    assert recorded
    for form, told in (("csv", "ts,time\n"), ("ndjson", "")):
        done = forgectl(
            *("nodes", "history", "nas-2", "--format", form, "--metrics", "no.such"), **ENV
        )
        assert (done.returncode, done.stdout) == (0, told)
        assert "nothing in that time" in done.stderr


def test_a_reader_that_has_had_enough_is_no_error(
    collector: CollectorProcess, recorded: Recorded, tmp_path: Path
) -> None:
    assert recorded
    with subprocess.Popen(
        [sys.executable, "-m", "forgectl", "nodes", "history", "nas-2", "--since", "9h"],
        env=environment(FORGE_URL=collector.url, HOME=str(tmp_path), **ENV),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"ts,time,")
        process.stdout.close()
        said = process.stderr.read()
        assert (process.wait(20), said) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "There is no node 'nobody'"),
        (("../fleet",), "There is no"),
        (("nas-2", "--since", "1h", "--until", "2h"), "--since must be before --until"),
        (("nas-2", "--since", "2098-01-01"), "before now"),
    ],
)
def test_wrong_input_gets_one_sentence(
    forgectl: Forgectl, recorded: Recorded, arguments: Sequence[str], said: str
) -> None:
    assert recorded
    done = forgectl("nodes", "history", *arguments, **ENV)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("option", "text"), [("--since", "yesterday"), ("--until", "6")])
def test_a_moment_that_cannot_be_read_is_not_even_asked_for(
    forgectl: Forgectl, option: str, text: str
) -> None:
    done = forgectl("nodes", "history", "nas-2", option, text)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"'{option}': '{text}' is none of these" in done.stderr


def averages(points: dict[int, dict[str, float]], to_ms: int) -> dict[int, float]:
    """Return the averages of cpu.pct over ten minutes that begin before then."""
    some: dict[int, list[float]] = {}
    for ts, values in points.items():
        some.setdefault(ts // AVERAGED_MS * AVERAGED_MS, []).append(values["cpu.pct"])
    return {ts: sum(numbers) / len(numbers) for ts, numbers in some.items() if ts < to_ms}


def test_where_snapshots_are_no_longer_kept_averages_are_told_and_said_to_be(
    tmp_path: Path,
) -> None:
    now = round(time.time() * 1000)
    points: dict[int, dict[str, float]] = {
        ts: {"cpu.pct": ts // 5000 % 100} for ts in range(now - 4 * HOUR_MS, now, 5000)
    }
    with running_collector(tmp_path / "data", "--history-hours", "1") as collector:
        replay(collector, "nas-2", points)

        def history(*options: str) -> Any:
            return subprocess.run(
                [sys.executable, "-m", "forgectl", "nodes", "history", "nas-2", *options],
                env=environment(FORGE_URL=collector.url, HOME=str(tmp_path), **ENV),
                capture_output=True,
                text=True,
                check=True,
                timeout=20,
            )

        done = history("--since", "5h")
        lines = history("--since", "5h", "--format", "ndjson").stdout.splitlines()
    _, told = read_csv(done.stdout)
    assert "averages over ten minutes" in done.stderr
    assert "single snapshots" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    # Where the one ends and the other begins, ten minutes after an hour ago at the latest.
    raw_since = min(ts for ts in told if ts in points and ts % AVERAGED_MS)
    assert now - HOUR_MS <= raw_since
    assert raw_since <= now - HOUR_MS + AVERAGED_MS + 60_000
    assert {ts: values for ts, values in told.items() if ts >= raw_since} == {
        ts: values for ts, values in points.items() if ts >= raw_since
    }
    expected = averages(points, raw_since - 5000)
    found = {ts: values["cpu.pct"] for ts, values in told.items() if ts < raw_since}
    assert found.keys() == expected.keys()
    assert all(abs(found[ts] - expected[ts]) <= 0.051 for ts in found)
    averaged = [point for line in lines if "step_ms" in (point := json.loads(line))]
    assert {point["ts"] for point in averaged} >= found.keys()  # asked a moment later
    assert {point["step_ms"] for point in averaged} == {AVERAGED_MS}
