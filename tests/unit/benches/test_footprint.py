"""What readings over time come to."""

from __future__ import annotations

import os
import subprocess

import pytest

from scripts.benches import footprint, process_tree
from scripts.benches.process_tree import Held


def reading(at_s: float, rss: int, cpu_s: float = 0.0, processes: int = 1) -> Held:
    return Held(at_s, rss, rss // 2, cpu_s, processes)


def test_steady_memory_does_not_grow() -> None:
    found = footprint.of([reading(second, 1000) for second in range(0, 100, 10)])
    assert (found.rss, found.rss_max, found.pss) == (1000, 1000, 500)
    assert (found.growth, found.drift) == (0, 0)


def test_growth_is_told_by_the_hour() -> None:
    found = footprint.of([reading(100 + second, 1000 + 2 * second) for second in range(100)])
    assert found.growth == pytest.approx(7200)
    assert found.drift == pytest.approx(150)


def test_a_single_peak_is_no_growth() -> None:
    values = [1000] * 10 + [9000] + [1000] * 10
    found = footprint.of([reading(float(at), rss) for at, rss in enumerate(values)])
    assert found.growth == pytest.approx(0)
    assert (found.rss, found.rss_max) == (1000, 9000)


def test_cpu_is_what_was_used_between_the_first_and_the_last() -> None:
    found = footprint.of([reading(0, 1, 5.0), reading(10, 1, 5.1, 3), reading(20, 1, 5.4)])
    assert found.cpu_s == pytest.approx(0.4)
    assert found.cpu_share == pytest.approx(0.02)
    assert found.processes == 3


def test_a_process_is_read_with_its_children() -> None:

    alone = process_tree.held(os.getpid())
    with subprocess.Popen(["sleep", "30"]) as child:
        both = process_tree.held(os.getpid())
        child.kill()
    assert both.processes == alone.processes + 1
    assert both.at_s > alone.at_s
