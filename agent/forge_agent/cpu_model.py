"""The processor's name. py-cpuinfo, where the kernel does not tell it, takes a second and much
memory to find it: a process of its own asks, once a boot, and the answer is kept in the state
folder."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Final

from forge_agent import itself

_CACHE_FILE: Final = "cpu-model.json"
_TOLD_BY_LINUX: Final = Path("/proc/cpuinfo")
_TIMEOUT_S: Final = 30.0


class CpuModel:
    """Finds the name in the background: ``poll`` until it is there.

    ``boot_time_ms`` tells boots apart; the answer of an earlier boot is asked for anew.
    """

    def __init__(self, state_dir: Path, boot_time_ms: int) -> None:
        self._cache = state_dir / _CACHE_FILE
        self._boot_time_ms = boot_time_ms
        self._name = self._cached()
        self._child: subprocess.Popen[bytes] | None = None
        self._started_s: float | None = None

    def poll(self) -> str:
        """Return the name, or "" while it is not known; the first call begins to ask for it."""
        child = self._child
        if self._name is None and self._started_s is None:
            self._start()
        elif child is not None and child.poll() is not None:
            self._finish(child)
        elif self._started_s is not None and time.monotonic() - self._started_s > _TIMEOUT_S:
            self.stop()
        return self._name or ""

    def stop(self) -> None:
        """End the question if it is still open."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()

    def _start(self) -> None:
        self._started_s = time.monotonic()
        # Without it the machine's card lacks one line; that is no reason to fail.
        with contextlib.suppress(OSError):
            self._child = subprocess.Popen(
                [*itself.command(), "cpu-model"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )

    def _finish(self, child: subprocess.Popen[bytes]) -> None:
        self._child = None
        output, _ = child.communicate()
        self._name = output.decode("utf-8", "replace").strip() if child.returncode == 0 else ""
        if self._name:
            record = {"boot_time": self._boot_time_ms, "cpu_model": self._name}
            with contextlib.suppress(OSError):
                self._cache.touch(mode=0o600)
                self._cache.write_text(json.dumps(record), encoding="utf-8")

    def _cached(self) -> str | None:
        try:
            record = json.loads(self._cache.read_bytes())
        except (OSError, ValueError):
            return None
        # The kernel's boot time moves by a second when the clock is set.
        if not isinstance(record, dict) or not isinstance(record.get("boot_time"), int):
            return None
        same_boot = abs(record["boot_time"] - self._boot_time_ms) < 60_000
        name = record.get("cpu_model")
        return name if same_boot and isinstance(name, str) else None


def print_it() -> int:
    """Find the name out, and print it."""
    name = _told() or _found_out()
    print(name)  # noqa: T201
    return 0 if name else 1


def _told() -> str:
    """Return the name that Linux tells, which py-cpuinfo would return too, having looked everywhere
    else; "" where there is none, as on most ARMs."""
    try:
        lines = _TOLD_BY_LINUX.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    told = (line.partition(":") for line in lines)
    return next((name.strip() for key, _, name in told if key.strip() == "model name"), "")


def _found_out() -> str:
    import cpuinfo  # noqa: PLC0415 a second and many modules: only the child asks

    os.environ.setdefault("PATH", os.defpath)  # py-cpuinfo takes it to be there
    found = cpuinfo.get_cpu_info()
    return found.get("brand_raw") or found.get("hardware_raw") or ""
