"""A file system that never answers: one of FUSE, whose program reads nothing.

It is mounted in a mount namespace of its own, so that nothing else on this machine meets it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.process import environment

# Mounts a file system that answers the first request, as it must, and then goes silent; samples;
# then lets go of it, so that the kernel answers for it with an error.
PROGRAM = """
import ctypes, io, json, os, struct, sys, time
from forge_agent.core.choice import Choice, Choices
from forge_agent.log import Log
from forge_agent.sampling.sampler import Sampler, families

folder = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
# Nothing that is mounted here may be seen outside.
assert libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None) == 0, os.strerror(ctypes.get_errno())
fuse = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0".encode()
assert libc.mount(b"silent", folder.encode(), b"fuse", 0, options) == 0, os.strerror(
    ctypes.get_errno())
(length, operation, unique) = struct.unpack_from("<IIQ", os.read(fuse, 1 << 16))
assert operation == 26  # FUSE_INIT
hello = struct.pack("<IIIIHHIIHHI7I", 7, 31, 0, 0, 1, 1, 4096, 1, 0, 0, 0, *[0] * 7)
os.write(fuse, struct.pack("<IiQ", 16 + len(hello), 0, unique) + hello)

said = io.StringIO()
log = Log(said, human=False)
named = Choices(mounts=Choice([folder]))
usual, with_it = Sampler(log), Sampler(log, families(log, named))

def sample(sampler):
    began = time.monotonic()
    values = sampler.sample(int(time.time() * 1000), began)
    return {"took_s": time.monotonic() - began,
            "mounts": sorted(key for key in values if key.startswith("disk.pct")),
            "others": len(values)}

def threads():
    return len(os.listdir("/proc/self/task"))

told = {"usual": [sample(usual) for _ in range(2)]}
before = threads()
told["hung"] = [sample(with_it) for _ in range(4)]
told["threads"] = threads() - before
os.close(fuse)
assert libc.umount2(folder.encode(), 2) == 0
assert libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, b"size=1m") == 0
for _ in range(50):
    told["back"] = sample(with_it)
    if f"disk.pct/{folder}" in told["back"]["mounts"]:
        break
    time.sleep(0.1)
told["said"] = [json.loads(line)["event"] for line in said.getvalue().splitlines()]
print(json.dumps(told))
"""


def test_a_hung_mount_delays_one_sample_a_little_and_the_others_not(tmp_path: Path) -> None:
    folder = tmp_path / "mnt"
    folder.mkdir()
    # Others than root get a mount namespace within a user namespace, where the kernel allows that.
    unshare = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-rm"]
    program = subprocess.run(
        [*unshare, sys.executable, "-c", PROGRAM, str(folder)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert program.returncode == 0, program.stderr
    told = json.loads(program.stdout)
    hung = f"disk.pct/{folder}"
    # The usual choice never touches it.
    for sample in told["usual"]:
        assert sample["took_s"] < 0.2
        assert sample["mounts"]
    first, *rest = told["hung"]
    assert 0.2 < first["took_s"] < 1.5
    for sample in rest:
        assert sample["took_s"] < 0.2
    for sample in told["hung"]:
        assert hung not in sample["mounts"]
        assert set(told["usual"][0]["mounts"]) <= set(sample["mounts"])
        assert sample["others"] > 5
    assert told["threads"] <= 2  # the one that waits, and the one that goes on
    assert hung in told["back"]["mounts"]
    assert told["said"] == ["file_system_silent", "file_system_answers"]
