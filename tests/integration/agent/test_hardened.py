"""The figures under what the unit takes away, as far as it can be taken away without systemd:
writable file systems, capabilities, gaining rights, writable code, being root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.process import environment

# Everything is imported before the rights are given away: the project may be root's alone.
SAMPLE = """
import ctypes, json, os, sys, time
import psutil
from forge_agent.log import Log
from forge_agent.sampling.sampler import Sampler

MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 1, 32, 4096, 16384, 1 << 19
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE = 24, 38, 65
libc = ctypes.CDLL(None, use_errno=True)
sampler = Sampler(Log(sys.stderr, human=False))
Sampler(Log(sys.stderr, human=False)).sample(0, time.monotonic())  # has the rest imported
done = []
if sys.argv[1] == "hardened":
    if os.geteuid() == 0 and libc.unshare(0x00020000) == 0:  # a mount namespace
        libc.mount(None, b"/", None, MS_REC | MS_SLAVE, None)
        for line in open("/proc/self/mountinfo"):
            path = line.split()[4].encode()
            libc.mount(None, path, None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
        done.append("read-only")
    if os.geteuid() == 0:
        for capability in range(64):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
        done.append("nobody")
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)  # kernels before 6.3 do not know it
try:
    open(sys.argv[2] + "/written", "w").close()
    done.append("wrote")
except OSError:
    pass
sampler.sample(0, time.monotonic())
time.sleep(0.3)
print(json.dumps({"values": sampler.sample(1, time.monotonic()), "done": done}))
"""
# Their instances come and go by themselves.
FLEETING = ("gpu.", "temp.", "battery.")


def sampled(how: str, folder: Path) -> tuple[dict[str, float], list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", SAMPLE, how, str(folder)],
        check=True,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=30,
    )
    assert done.stderr == ""  # no family has failed
    found: dict[str, Any] = json.loads(done.stdout)
    values = {key: value for key, value in found["values"].items() if not key.startswith(FLEETING)}
    return values, found["done"]


def test_the_figures_are_those_without_hardening(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    free, done = sampled("free", tmp_path)
    assert done == ["wrote"]
    hardened, done = sampled("hardened", tmp_path)
    if os.geteuid() == 0:
        assert "nobody" in done
    if "read-only" in done:
        assert "wrote" not in done
    assert set(hardened) == set(free)
    for key, value in free.items():
        if key.startswith(("disk.total_bytes", "mem.total_bytes", "swap.total_bytes")):
            assert hardened[key] == value, key
        if key.startswith(("disk.used_bytes", "mem.used_bytes", "proc.count")):
            assert abs(hardened[key] - value) < 0.2 * max(value, hardened[key]) + 2**28, key
