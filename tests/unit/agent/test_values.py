from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from forge_agent.core.values import MAX_VALUES, fitted, key
from forge_shared import codec

NUMBERS = st.one_of(st.integers(), st.floats())
METRICS = st.sampled_from(["cpu.pct", "disk.pct", "net.rx_bytes_per_s", "temp.celsius", "x.new"])


def decoded(values: dict[str, int | float]) -> dict[str, int | float]:
    """Send values through the collector's decoder, which raises on what it refuses."""
    boot_id = "00000000-0000-4000-8000-000000000000"
    snapshot = {"seq": 0, "boot_id": boot_id, "ts": 1_795_000_000_000, "values": values}
    return codec.decode_snapshot(json.dumps(snapshot).encode()).values


@given(st.dictionaries(st.builds(key, METRICS, st.text(st.characters(), max_size=250)), NUMBERS))
def test_whatever_is_measured_the_collector_takes(values: dict[str, float]) -> None:
    assert decoded(fitted(values)) == fitted(values)


def test_values_are_rounded_to_their_resolution() -> None:
    assert fitted({"cpu.pct": 3.14159, "mem.used_bytes": 1_500_000, "load.1m": 0.129}) == {
        "cpu.pct": 3.1,
        "mem.used_bytes": 1024 * 1024,
        "load.1m": 0.13,
    }


def test_what_is_no_number_is_left_out() -> None:
    assert fitted({"cpu.pct": math.nan, "load.1m": math.inf, "net.rx_bytes_per_s/e": 2.0**53}) == {}


def test_a_file_name_that_is_no_text_is_still_a_key() -> None:
    assert key("disk.pct", "/mnt/\udcff\n") == "disk.pct//mnt/??"
    assert key("disk.pct", "") == "disk.pct/?"


def test_too_many_values_lose_the_last_instances_of_each_metric() -> None:
    values = {f"cpu.core_pct/{core}": 1.0 for core in range(2000)}
    values |= {f"disk.pct//mnt/{disk}": 50.0 for disk in range(10)} | {"cpu.pct": 5.0}
    kept = fitted(values)
    assert len(kept) == MAX_VALUES == codec.MAX_VALUES
    assert "cpu.pct" in kept
    assert all(f"disk.pct//mnt/{disk}" in kept for disk in range(10))
    assert "cpu.core_pct/1012" in kept
    assert "cpu.core_pct/1013" not in kept
    assert fitted(values) == kept
