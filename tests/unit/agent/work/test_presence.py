"""What the machine is doing besides our jobs."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from forge_agent.work import presence
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


@pytest.mark.skipif(os.name != "posix", reason="elsewhere there are no such terminals")
def test_a_terminal_was_used_when_it_says_so_unless_that_is_yet_to_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, terminal = os.openpty()
    path = os.ttyname(terminal)
    monkeypatch.setattr(presence, "_terminals", lambda: iter([path]))
    monkeypatch.setattr(presence, "_desktop_idle_s", lambda: None)

    def input_ago_s(*, used_at_s: float) -> float | None:
        os.utime(path, (used_at_s, used_at_s))
        return Presence().look(idle_matters=True, jobs_run=False).input_ago_s

    try:
        now_s = time.time()
        assert input_ago_s(used_at_s=now_s - 500) == pytest.approx(500, abs=5)
        assert input_ago_s(used_at_s=now_s + 5) == 0
        assert input_ago_s(used_at_s=now_s + 3600) is None
    finally:
        os.close(ours)
        os.close(terminal)


def _busy() -> tuple[float, ...]:

    times = psutil.cpu_times()
    return (times.user, times.nice, times.system, times.irq, times.softirq, times.steal)


def _cores() -> int:

    return psutil.cpu_count() or 1
