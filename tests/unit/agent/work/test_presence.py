"""What the machine is doing besides our jobs."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

from forge_agent.work.presence import Presence


def test_the_cpu_that_our_own_processes_take_is_not_others() -> None:
    presence = Presence()
    presence.look(idle_matters=True, jobs_run=False)
    busy = "import time\nwhile time.process_time() < 1: pass"
    begun_s, before_s = time.monotonic(), sum(_busy())
    with subprocess.Popen([sys.executable, "-c", busy]) as ours:
        ours.wait()
    seen = presence.look(idle_matters=True, jobs_run=False)
    took_s = time.monotonic() - begun_s
    assert seen.cpu_of_others_pct is not None
    of_all_s = sum(_busy()) - before_s
    of_others_s = seen.cpu_of_others_pct / 100 * took_s * _cores()
    # The second of ours is not among it, as far as ticks of the clock go.
    assert of_others_s < of_all_s - 0.8


def test_what_people_do_is_asked_where_it_matters_alone() -> None:
    seen = Presence().look(idle_matters=False, jobs_run=True)
    assert (seen.cpu_of_others_pct, seen.input_ago_s) == (None, None)
    assert seen.free_memory_mib is not None
    assert 0 <= seen.minute < 24 * 60


def _busy() -> tuple[float, ...]:

    times = psutil.cpu_times()
    return (times.user, times.nice, times.system, times.irq, times.softirq, times.steal)


def _cores() -> int:

    return psutil.cpu_count() or 1
