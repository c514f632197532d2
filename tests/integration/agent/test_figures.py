"""What the agent shows under a real load, against what others say of the same seconds: /proc,
and the programs that people would look with."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from forge_agent.log import Log
from forge_agent.sampling import container
from forge_agent.sampling.sampler import Sampler
from tests.process import environment

MIB: Final = 1024**2
_WRITTEN: Final = 48 * MIB
_CHUNK: Final = 4 * MIB
_BUSY: Final = "import time; end = time.monotonic() + 20\nwhile time.monotonic() < end: pass"

Table = Mapping[str, list[int]]


def table(path: str, name_at: int) -> Table:
    """Read a file of /proc whose lines are a name and numbers."""
    rows = (re.split(r"[\s:]+", line.strip()) for line in Path(path).read_text().splitlines())
    return {
        row[name_at]: [int(text) for text in row[name_at + 1 :] if text.isdigit()]
        for row in rows
        if len(row) > name_at + 1
    }


def printed(*command: str) -> str:
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=30, env={"LC_ALL": "C"}
    ).stdout


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One core is kept busy."""
    busy = subprocess.Popen([sys.executable, "-c", _BUSY])
    yield tmp_path_factory.mktemp("load")
    busy.kill()
    busy.wait()


class Watched:
    """Two seconds under load, as the agent and /proc saw them."""

    def __init__(self, folder: Path) -> None:
        sampler = Sampler(Log(io.StringIO(), human=False))
        vmstat = subprocess.Popen(
            ["vmstat", "-n", "2", "2"], stdout=subprocess.PIPE, text=True, env={"LC_ALL": "C"}
        )
        before = self._told()
        sampler.sample(int(time.time() * 1000), began_s := time.monotonic())
        with (folder / "written").open("wb", buffering=0) as file:
            for _ in range(_WRITTEN // _CHUNK):
                file.write(os.urandom(_CHUNK))
            os.fsync(file.fileno())
        time.sleep(max(0.0, began_s + 2 - time.monotonic()))
        after = self._told()
        self.elapsed_s = time.monotonic() - began_s
        self.found = sampler.sample(int(time.time() * 1000), time.monotonic())
        self.free = printed("free", "-b")
        self.df = printed("df", "-B1", "--output=size,used,avail", "/")
        self.vmstat = vmstat.communicate(timeout=30)[0]
        self.cpu, self.disks = (
            {
                name: [late - early for late, early in zip(row, then[name], strict=True)]
                for name, row in now.items()
                if name in then
            }
            for now, then in zip(after, before, strict=True)
        )

    def _told(self) -> tuple[Table, Table]:
        cpu = table("/proc/stat", 0)
        return {name: row for name, row in cpu.items() if name.startswith("cpu")}, table(
            "/proc/diskstats", 2
        )


@pytest.fixture(scope="module")
def watched(load: Path) -> Watched:
    return Watched(load)


def shares(ticks: list[int]) -> tuple[float, float, float, float]:
    """Percent busy, user, system and waiting, of a line of /proc/stat (proc(5))."""
    user, nice, system, idle, iowait, irq, softirq, steal = ticks[:8]
    whole = sum(ticks[:8])
    busy = whole - idle - iowait
    parts = (busy, user + nice, system + irq + softirq, iowait)
    assert steal >= 0
    return tuple(100 * part / whole for part in parts)  # type: ignore[return-value]


def test_the_cpu_is_as_busy_as_proc_stat_and_vmstat_say(watched: Watched) -> None:
    found = watched.found
    busy, user, system, iowait = shares(watched.cpu["cpu"])
    assert busy > 80 / (os.cpu_count() or 1)
    assert found["cpu.pct"] == pytest.approx(busy, abs=4)
    assert found["cpu.user_pct"] == pytest.approx(user, abs=4)
    assert found["cpu.system_pct"] == pytest.approx(system, abs=4)
    assert found["cpu.iowait_pct"] == pytest.approx(iowait, abs=4)
    for number in range(os.cpu_count() or 1):
        one, *_ = shares(watched.cpu[f"cpu{number}"])
        assert found[f"cpu.core_pct/{number}"] == pytest.approx(one, abs=6)
    names, *_, last = (line.split() for line in watched.vmstat.splitlines()[1:])
    told = dict(zip(names, map(int, last), strict=True))
    assert found["cpu.pct"] == pytest.approx(100 - told["id"] - told["wa"], abs=15)


def test_memory_is_what_free_says(watched: Watched) -> None:
    if container.here().memory(1 << 62) is not None:
        pytest.fail("free does not know the limit of this container: run this test outside of it")
    rows = {line.split()[0]: line.split()[1:] for line in watched.free.splitlines()[1:]}
    total, *_, available = map(int, rows["Mem:"])
    found = watched.found
    assert found["mem.total_bytes"] == total
    near = max(256 * MIB, total // 50)
    assert found["mem.available_bytes"] == pytest.approx(available, abs=near)
    assert found["mem.used_bytes"] == pytest.approx(total - available, abs=near)
    assert found["mem.pct"] == pytest.approx(100 * (total - available) / total, abs=2)
    swap_total, swap_used, _ = map(int, rows["Swap:"])
    assert found["swap.total_bytes"] == swap_total
    assert found["swap.used_bytes"] == pytest.approx(swap_used, abs=near)


def test_the_root_is_as_full_as_df_says(watched: Watched) -> None:
    size, used, available = map(int, watched.df.splitlines()[1].split())
    found = watched.found
    assert found["disk.total_bytes//"] == size
    assert found["disk.used_bytes//"] == pytest.approx(used, abs=512 * MIB)
    assert found["disk.pct//"] == pytest.approx(100 * used / (used + available), abs=1)


def test_the_disks_wrote_what_proc_diskstats_says(watched: Watched) -> None:
    written = {
        key.partition("/")[2]: value * watched.elapsed_s
        for key, value in watched.found.items()
        if key.startswith("disk.write_bytes_per_s")
    }
    assert written
    for device, amount in written.items():
        # Sectors of 512 bytes are the seventh figure, whatever the disk's own are.
        assert amount == pytest.approx(watched.disks[device][6] * 512, rel=0.1, abs=4 * MIB)
        writes = watched.found[f"disk.writes_per_s/{device}"] * watched.elapsed_s
        assert writes == pytest.approx(watched.disks[device][4], rel=0.1, abs=50)
    assert sum(written.values()) > 0.9 * _WRITTEN


# --- the network --------------------------------------------------------------------------------

# On a host of its own: with a card that leads nowhere, and a loopback interface.
SENDER = """
import io, json, socket, subprocess, time
from pathlib import Path
from forge_agent.core.choice import Choice, Choices
from forge_agent.log import Log
from forge_agent.sampling.sampler import Sampler, families

def ip(*command):
    subprocess.run(["ip", *command], check=True)

def told():
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    rows = {name.strip(): row.split() for name, row in (line.split(":") for line in lines)}
    return {name: (int(row[0]), int(row[8])) for name, row in rows.items()}

def plug(name):
    ip("link", "add", name, "type", "veth", "peer", "name", f"veth-{name}")
    ip("link", "set", name, "up")
    ip("link", "set", f"veth-{name}", "up")

def interfaces():
    began = time.monotonic()
    found = usual.sample(int(time.time() * 1000), began)
    return sorted(key.partition("/")[2] for key in found if key.startswith("net.rx"))

ip("link", "set", "lo", "up")
plug("eth7")
ip("addr", "add", "10.99.0.1/24", "dev", "eth7")
ip("neigh", "add", "10.99.0.2", "lladdr", "02:00:00:00:00:02", "dev", "eth7")
time.sleep(0.2)
log = Log(io.StringIO(), human=False)
usual = Sampler(log)
chosen = Sampler(log, families(log, Choices(interfaces=Choice(["lo", "!eth*"]))))
before = told()
began = time.monotonic()
for sampler in (usual, chosen):
    sampler.sample(int(time.time() * 1000), began)
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(2000):
    out.sendto(bytes(1000), ("10.99.0.2", 9))
listener = socket.create_server(("127.0.0.1", 0))
one = socket.create_connection(listener.getsockname())
two, _ = listener.accept()
for _ in range(64):
    one.sendall(bytes(1 << 16))
    left = 1 << 16
    while left:
        left -= len(two.recv(left))
time.sleep(0.5)
ended = time.monotonic()
found = [sampler.sample(int(time.time() * 1000), ended) for sampler in (usual, chosen)]
after = told()
plug("eth8")
plugged = [interfaces(), interfaces()]
ip("link", "delete", "eth7")
plugged.append(interfaces())
plug("eth7")
plugged.append(interfaces())
plugged.append(interfaces())
print(json.dumps({
    "plugged": plugged,
    "elapsed_s": ended - began,
    "usual": {key: value for key, value in found[0].items() if key.startswith("net.")},
    "chosen": {key: value for key, value in found[1].items() if key.startswith("net.")},
    "told": {name: [late - early for late, early in zip(after[name], before[name])]
             for name in ("lo", "eth7")},
}))
"""


def test_traffic_is_what_was_sent_and_what_proc_net_dev_says() -> None:
    unshare = ["unshare", "-n"] if os.getuid() == 0 else ["unshare", "-rn"]
    program = subprocess.run(
        [*unshare, sys.executable, "-c", SENDER],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert program.returncode == 0, program.stderr
    seen = json.loads(program.stdout)

    def amount(which: str, key: str) -> float:
        return float(seen[which][key]) * float(seen["elapsed_s"])

    assert set(seen["usual"]) == {"net.rx_bytes_per_s/eth7", "net.tx_bytes_per_s/eth7"}
    sent = amount("usual", "net.tx_bytes_per_s/eth7")
    # 1,000 bytes, and 8 of UDP, 20 of IP, 14 of Ethernet.
    assert sent == pytest.approx(2000 * 1042, rel=0.02)
    assert sent == pytest.approx(seen["told"]["eth7"][1], rel=0.02)
    assert set(seen["chosen"]) == {"net.rx_bytes_per_s/lo", "net.tx_bytes_per_s/lo"}
    received = amount("chosen", "net.rx_bytes_per_s/lo")
    assert received == pytest.approx(seen["told"]["lo"][0], rel=0.02)
    assert received > 64 << 16
    # A new one has a rate from its second sample on; one that went and came back is new, or has
    # counted from 0 since.
    first, second, third, fourth, fifth = seen["plugged"]
    assert first == ["eth7"]
    assert second == ["eth7", "eth8"]
    assert third == ["eth8"]
    assert fourth == ["eth8"]
    assert fifth == ["eth7", "eth8"]
