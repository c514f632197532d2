"""What the machine is doing besides our jobs, for the owner's policy to judge."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import psutil

from forge_agent.core.owner_policy import Seen
from forge_agent.work import clock

_ASK_DESKTOP_EVERY_S: Final = 10.0
_TOOL_TIMEOUT_S: Final = 5.0
_SESSIONS: Final = Path("/run/systemd/sessions")
# Since CPU time is counted in ticks of 10 ms, a share over less would be noise.
_LEAST_GAP_S: Final = 1.0
# By so much clocks are set back all the time.
_SET_BACK_S: Final = 60.0


class Presence:
    """Looks at the machine each time it is asked; what it has to ask others for, less often."""

    def __init__(self) -> None:
        self._cpu = _CpuOfOthers()
        self._desktop_ago_s: float | None = None
        self._desktop_asked_s = -_ASK_DESKTOP_EVERY_S

    def look(self, *, idle_matters: bool, jobs_run: bool) -> Seen:
        """``idle_matters``: else nobody is asked what the people and programs here do.
        ``jobs_run``: this process has started some that have not ended."""
        now_s, wall_ms = clock.awake_or_not_s(), clock.wall_ms()
        local = time.localtime(wall_ms / 1000)
        seen = Seen(
            now_s=now_s,
            wall_ms=wall_ms,
            minute=local.tm_hour * 60 + local.tm_min,
            free_memory_mib=psutil.virtual_memory().available // 2**20,
            on_battery=_on_battery(),
        )
        if not idle_matters:
            return seen
        return seen._replace(
            cpu_of_others_pct=self._cpu.pct(now_s, jobs_run=jobs_run),
            input_ago_s=self._input_ago_s(now_s),
        )

    def _input_ago_s(self, now_s: float) -> float | None:
        if now_s - self._desktop_asked_s >= _ASK_DESKTOP_EVERY_S:
            self._desktop_asked_s, self._desktop_ago_s = now_s, _desktop_idle_s()
        desktop_ago_s = self._desktop_ago_s
        if desktop_ago_s is not None:
            desktop_ago_s += now_s - self._desktop_asked_s
        ago_s = [one for one in (desktop_ago_s, _terminals_idle_s(time.time())) if one is not None]
        return min(ago_s, default=None)


class _CpuOfOthers:
    """The share of all cores that went to others than this process and all it has started."""

    def __init__(self) -> None:
        self._before: tuple[float, float, float] | None = None
        self._pct: float | None = None
        self._at_s = 0.0

    def pct(self, now_s: float, *, jobs_run: bool) -> float | None:
        """Return the share since the last call, in percent; None at first."""
        if self._before is not None and now_s - self._at_s < _LEAST_GAP_S:
            return self._pct
        times = psutil.cpu_times()
        idle_s = times.idle + getattr(times, "iowait", 0.0)
        # Guests' time is in user and nice already.
        guests_s = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        total_s = sum(times) - guests_s
        now = (total_s, total_s - idle_s, _own_cpu_s(jobs_run=jobs_run))
        before, self._before, self._at_s = self._before, now, now_s
        if before is None:
            return None
        all_s, busy_s, own_s = (after - then for after, then in zip(now, before, strict=True))
        self._pct = 100 * min(1.0, max(0.0, busy_s - max(0.0, own_s)) / all_s) if all_s > 0 else 0.0
        return self._pct


def _own_cpu_s(*, jobs_run: bool) -> float:
    """Return the CPU time of this process and of all that it ever started: what has ended is
    counted with who has waited for it."""
    own = psutil.Process()
    total_s = sum(own.cpu_times()[:4])
    # To find them, all processes of the machine are looked at.
    for process in own.children(recursive=True) if jobs_run else ():
        with contextlib.suppress(psutil.Error):
            total_s += sum(process.cpu_times()[:4])
    return total_s


def _on_battery() -> bool | None:
    with contextlib.suppress(OSError, AttributeError, ValueError, RuntimeError):
        battery = psutil.sensors_battery()
        if battery is not None and battery.power_plugged is not None:
            return not battery.power_plugged
    return None


# --- people ---------------------------------------------------------------------------------------


def _terminals_idle_s(now_s: float) -> float | None:
    """Return since when nobody has typed at a terminal, as `w` does; None without terminals. A
    server where nobody is signed in is idle by its load alone."""
    if os.name != "posix":
        return None
    ago_s = []
    for path in _terminals():
        with contextlib.suppress(OSError):
            ago_s.append(now_s - os.stat(path).st_atime)  # noqa: PTH116 some each second
    return _least(ago_s)


def _least(ago_s: Iterable[float]) -> float | None:
    """Return how long ago the last of these was; None if there is none. What is yet to come was
    noted before the clock was set back, and tells nothing."""
    return min((max(0.0, one) for one in ago_s if one > -_SET_BACK_S), default=None)


def _terminals() -> Iterator[str]:
    for folder, name in (("/dev/pts", r"\d+"), ("/dev", r"tty\d+|ttys\d+")):
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            yield from (entry.path for entry in entries if re.fullmatch(name, entry.name))


def _desktop_idle_s() -> float | None:
    """Return since when nobody has used a desktop's keyboard or mouse; None without a desktop, or
    where it does not tell."""
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        if sys.platform == "win32":
            return _idle_s_on_windows()
        if sys.platform == "darwin":
            return _idle_s_on_macos()
        if sys.platform == "linux":
            return _idle_s_of_logind()
    return None


def _idle_s_of_logind() -> float | None:
    """Ask logind, if somebody has a desktop open: those tell it when they are idle."""
    ago_s = []
    for path in _SESSIONS.iterdir() if _SESSIONS.is_dir() else ():
        if path.suffix or not re.search(r"^TYPE=(x11|wayland)$", path.read_text(), re.MULTILINE):
            continue
        answer = _ask(
            "loginctl", "show-session", path.name, "-p", "IdleHint", "-p", "IdleSinceHint"
        )
        found = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
        if found.get("IdleHint") == "no":
            return 0.0
        if found.get("IdleHint") == "yes":
            ago_s.append(time.time() - int(found.get("IdleSinceHint", "0")) / 1e6)
    return _least(ago_s)


def _idle_s_on_macos() -> float | None:
    found = re.search(r'"HIDIdleTime" = (\d+)', _ask("ioreg", "-c", "IOHIDSystem", "-d", "4"))
    return int(found.group(1)) / 1e9 if found else None


def _idle_s_on_windows() -> float | None:
    """Ask for the last input of this process's session: a service's own has none."""
    import ctypes  # noqa: PLC0415  on Windows alone

    class LastInput(ctypes.Structure):
        _fields_ = (("size", ctypes.c_uint), ("at_ms", ctypes.c_uint))

    last = LastInput(ctypes.sizeof(LastInput), 0)
    windll = ctypes.windll  # type: ignore[attr-defined,unused-ignore]
    if not windll.user32.GetLastInputInfo(ctypes.byref(last)) or not last.at_ms:
        return None
    return float((windll.kernel32.GetTickCount() - last.at_ms) % 2**32) / 1000


def _ask(*argv: str) -> str:
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=_TOOL_TIMEOUT_S, check=False
    )
    return done.stdout
