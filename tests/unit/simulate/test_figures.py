from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping

import pytest

from forge_shared import codec, metrics
from forge_shared.messages import Snapshot
from scripts.simulation.figures import Figures, Noise
from scripts.simulation.machines import GIB, Machine, fleet

START_S = 1_795_258_874.8
BOOT_ID = "0198c1f2-0000-7000-8000-000000000000"
MACHINES = fleet(20)  # one whole roll: every family

Values = Mapping[str, int | float]


def rendered(machine: Machine, times_s: Iterator[float]) -> list[Snapshot]:
    figures = Figures(machine, Noise(1), START_S, up_s=3600)
    return [
        codec.decode_snapshot(
            b'{"seq":%d,"boot_id":"%b","ts":%d,"values":{%b}}'
            % (seq, BOOT_ID.encode(), int(now_s * 1000), figures.render(now_s))
        )
        for seq, now_s in enumerate(times_s)
    ]


def seconds(count: int, step_s: float) -> Iterator[float]:
    return (START_S + step * step_s for step in range(count))


@pytest.fixture(params=MACHINES, ids=lambda machine: machine.node_id)
def machine(request: pytest.FixtureRequest) -> Machine:
    chosen: Machine = request.param
    return chosen


def test_every_value_is_in_the_table_and_at_its_resolution(machine: Machine) -> None:
    for snapshot in rendered(machine, seconds(50, 5)):
        for key, value in snapshot.values.items():
            assert metrics.split(key)[0] in metrics.METRICS
            assert value == metrics.rounded(key, value), key


def test_values_stay_plausible_over_two_days(machine: Machine) -> None:
    for snapshot in rendered(machine, seconds(600, 300)):
        check_plausible(machine, snapshot.values)


def check_plausible(machine: Machine, values: Values) -> None:
    assert all(value >= 0 for value in values.values())
    for key, value in values.items():
        if metrics.METRICS[metrics.split(key)[0]].unit == "%":
            assert value <= 100, key
        if metrics.split(key)[0] == "temp.celsius":
            assert 25 <= value <= 85, key
    assert values["mem.total_bytes"] == machine.family.memory_gib * GIB
    assert values["mem.used_bytes"] + values["mem.available_bytes"] == values["mem.total_bytes"]
    assert values["mem.used_bytes"] <= values["mem.total_bytes"]
    cores = [value for key, value in values.items() if key.startswith("cpu.core_pct/")]
    assert len(cores) == machine.family.cores
    assert values["cpu.pct"] == pytest.approx(statistics.mean(cores), abs=0.1)
    for mount, gib in machine.family.mounts:
        assert values[f"disk.total_bytes/{mount}"] == gib * GIB
        assert values[f"disk.used_bytes/{mount}"] <= gib * GIB


def test_figures_move(machine: Machine) -> None:
    first, *others = rendered(machine, seconds(20, 5))
    assert len({snapshot.values["cpu.pct"] for snapshot in others}) > 5
    moving = {
        key
        for snapshot in others
        for key, value in snapshot.values.items()
        if value != first.values[key]
    }
    assert len(moving) > len(first.values) / 2


def test_uptime_is_the_time_since_boot() -> None:
    first, second = rendered(MACHINES[0], seconds(2, 60))
    assert first.values["uptime.s"] == 3600
    assert second.values["uptime.s"] == 3660


def test_a_clock_that_goes_back_does_no_harm() -> None:
    snapshots = rendered(MACHINES[4], iter([START_S, START_S + 5, START_S - 3600, START_S]))
    for snapshot in snapshots[:2]:
        check_plausible(MACHINES[4], snapshot.values)


def test_a_snapshot_holds_about_forty_values() -> None:
    counts = [Figures(machine, Noise(1), START_S, 0).count for machine in MACHINES]
    assert 36 <= statistics.mean(counts) <= 45
    assert min(counts) >= 30
    assert max(counts) <= 60
    for machine, count in zip(MACHINES, counts, strict=True):
        assert len(rendered(machine, seconds(1, 1))[0].values) == count


def test_the_same_seed_makes_the_same_figures() -> None:
    assert rendered(MACHINES[0], seconds(5, 5)) == rendered(MACHINES[0], seconds(5, 5))
