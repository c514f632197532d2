"""What a process and its children hold and have used."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import NamedTuple

import psutil


class Held(NamedTuple):
    """``at_s``: on the monotonic clock. ``rss``: bytes resident, shared pages counted for each
    process; ``pss``: shared pages divided among who shares them. ``cpu_s``: since the start,
    processes that have ended since included. ``processes``: how many there are now."""

    at_s: float
    rss: int
    pss: int
    cpu_s: float
    processes: int


def held(pid: int) -> Held:
    """Read a process and all below it; raises psutil.NoSuchProcess when it is gone."""
    root = psutil.Process(pid)
    times = root.cpu_times()
    rss = pss = count = 0
    # Children that have ended are in their parent's account.
    cpu_s = times.children_user + times.children_system
    for process in (root, *root.children(recursive=True)):
        # A child may end while it is looked at.
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            memory, spent = process.memory_full_info(), process.cpu_times()
            rss, pss, count = rss + memory.rss, pss + memory.pss, count + 1
            cpu_s += spent.user + spent.system
    if count == 0:
        raise psutil.NoSuchProcess(pid)
    return Held(time.monotonic(), rss, pss, cpu_s, count)
