"""The samplers, held against what this machine says elsewhere."""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from forge_agent.core import values
from forge_agent.core.rates import Reading
from forge_agent.log import Log
from forge_agent.sampling import cpu, disks, host, memory, network, sensors
from forge_agent.sampling.disks import Mount, is_whole_disk, mounts_to_show
from forge_agent.sampling.sampler import FAMILIES, Sampler
from forge_shared import metrics

GIB = 1024**3


def quiet() -> Log:
    return Log(io.StringIO(), human=False)


def test_all_of_a_sample_is_in_the_table_and_fits() -> None:
    sampler = Sampler(quiet())
    sampler.sample(0, 0.0)
    found = sampler.sample(1000, 1.0)
    assert {metrics.split(key)[0] for key in found} <= set(metrics.METRICS)
    assert set(values.fitted(found)) == set(found)


def test_a_family_that_fails_is_left_out_and_said_once() -> None:
    def broken() -> Reading:
        raise RuntimeError("no such sensor")

    stream = io.StringIO()
    sampler = Sampler(
        Log(stream, human=False),
        {"sensors": broken, "host": lambda: Reading({"proc.count": 3})},
    )
    for second in range(3):
        assert sampler.sample(second * 1000, second) == {"proc.count": 3}
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    assert (record["event"], record["family"]) == ("sampling_failed", "sensors")


def test_a_sampler_counts_from_its_own_last_sample() -> None:
    total = iter([0, 50, 50, 100])
    families = {"network": lambda: Reading(totals={"net.rx_bytes_per_s/e": next(total)})}
    quick, slow = Sampler(quiet(), families), Sampler(quiet(), families)
    assert slow.sample(0, 0) == {}
    assert quick.sample(4000, 4) == {}
    assert quick.sample(5000, 5) == {"net.rx_bytes_per_s/e": 0}
    assert slow.sample(5000, 5) == {"net.rx_bytes_per_s/e": 20}


# --- cpu ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs /proc")
def test_cpu_times_are_those_of_proc_stat() -> None:
    fields = [int(text) for text in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    user, nice, system, idle, iowait, irq, softirq, steal = (
        ticks / os.sysconf("SC_CLK_TCK") for ticks in fields
    )
    shares = cpu.read().shares
    busy, whole = shares["cpu.pct"]
    assert busy == pytest.approx(user + nice + system + irq + softirq + steal, abs=1)
    assert whole == pytest.approx(busy + idle + iowait, abs=2)
    assert shares["cpu.user_pct"][0] == pytest.approx(user + nice, abs=1)
    assert shares["cpu.system_pct"][0] == pytest.approx(system + irq + softirq, abs=1)
    assert shares["cpu.iowait_pct"][0] == pytest.approx(iowait, abs=1)
    assert f"cpu.core_pct/{(os.cpu_count() or 1) - 1}" in shares


def test_a_busy_core_shows() -> None:
    sampler = Sampler(quiet(), {"cpu": cpu.read})
    sampler.sample(int(time.time() * 1000), time.monotonic())
    until_s = time.monotonic() + 0.3
    while time.monotonic() < until_s:
        pass
    found = sampler.sample(int(time.time() * 1000), time.monotonic())
    assert max(share for key, share in found.items() if "core" in key) > 50
    assert found["cpu.pct"] > 50 / (os.cpu_count() or 1)


# --- memory -------------------------------------------------------------------------------------


def meminfo() -> Mapping[str, int]:
    rows = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows}


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="needs /proc")
def test_memory_is_what_proc_meminfo_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    gauges, told = memory.read().gauges, meminfo()
    assert gauges["mem.total_bytes"] == told["MemTotal"]
    used = told["MemTotal"] - told["MemAvailable"]
    assert gauges["mem.used_bytes"] == pytest.approx(used, abs=GIB / 4)
    assert gauges["mem.pct"] == pytest.approx(100 * used / told["MemTotal"], abs=2)
    assert gauges["swap.total_bytes"] == told["SwapTotal"]


def test_a_container_has_its_own_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{2 * GIB}\n")
    (tmp_path / "memory.current").write_text(f"{GIB}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {GIB // 4}\n")
    assert memory.container_memory(tmp_path, 8 * GIB) == (2 * GIB, GIB - GIB // 4)
    assert memory.container_memory(tmp_path, 2 * GIB) is None
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.container_memory(tmp_path, 8 * GIB) is None
    assert memory.container_memory(tmp_path / "none", 8 * GIB) is None


def test_a_container_of_the_first_kind_has_its_own_memory(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(f"{GIB}\n")
    (tmp_path / "memory" / "memory.usage_in_bytes").write_text("1000\n")
    (tmp_path / "memory" / "memory.stat").write_text("total_inactive_file 3000\n")
    assert memory.container_memory(tmp_path, 8 * GIB) == (GIB, 0)


# --- disks --------------------------------------------------------------------------------------


def test_the_root_is_as_full_as_df_says() -> None:
    told = subprocess.run(["df", "-kP", "/"], capture_output=True, text=True, check=True).stdout
    _, total_kib, used_kib, _, capacity, _ = told.splitlines()[1].split()
    gauges = disks.read().gauges
    assert gauges["disk.total_bytes//"] == int(total_kib) * 1024
    assert gauges["disk.used_bytes//"] == pytest.approx(int(used_kib) * 1024, abs=GIB)
    # df rounds up
    assert gauges["disk.pct//"] == pytest.approx(int(capacity.rstrip("%")), abs=1.5)


def test_one_row_a_device_and_only_disks() -> None:
    mounts = [
        Mount("/dev/sda1", "/", "ext4", "rw"),
        Mount("/dev/sda1", "/var/lib/docker/bind", "ext4", "rw"),
        Mount("/dev/sdb1", "/data/deep", "xfs", "rw"),
        Mount("/dev/sdb1", "/data", "xfs", "rw"),
        Mount("tank/home", "/tank/home", "zfs", "rw"),
        Mount("tank", "/tank", "zfs", "rw"),
        Mount("/dev/loop3", "/snap/core/1", "squashfs", "ro"),
        Mount("/dev/loop4", "/mnt/image", "ext4", "rw"),
        Mount("/dev/sr0", "/media/cdrom", "iso9660", "ro"),
        Mount("overlay", "/var/lib/docker/overlay2/x/merged", "overlay", "rw"),
        Mount("/dev/zram0", "/scratch", "ext4", "rw"),
    ]
    assert mounts_to_show(mounts) == ["/", "/data", "/tank"]


def test_a_container_shows_its_root() -> None:
    assert mounts_to_show([]) == ["/"]
    assert mounts_to_show([Mount("/dev/sdb1", "/data", "ext4", "rw")]) == ["/", "/data"]


def test_only_whole_disks_are_counted(tmp_path: Path) -> None:
    for disk in ("sda", "nvme0n1", "sr0"):
        (tmp_path / disk / "device").mkdir(parents=True)
    for other in ("dm-0", "md0", "loop0", "zram0"):
        (tmp_path / other).mkdir()
    shown = [
        name
        for name in ("sda", "sda1", "nvme0n1", "nvme0n1p1", "sr0", "dm-0", "md0", "loop0")
        if is_whole_disk(name, tmp_path)
    ]
    assert shown == ["sda", "nvme0n1"]


def test_without_sys_block_names_tell_disks_from_parts(tmp_path: Path) -> None:
    for disk in ("sda", "vdb", "xvda", "nvme0n1", "mmcblk0"):
        assert is_whole_disk(disk, tmp_path / "none"), disk
    for part in ("sda1", "vdb12", "xvda1", "nvme0n1p2", "mmcblk0p1", "loop1", "dm-3", "zram0"):
        assert not is_whole_disk(part, tmp_path / "none"), part


@pytest.mark.skipif(not Path("/proc/diskstats").exists(), reason="needs /proc")
def test_disk_counters_are_those_of_proc_diskstats() -> None:
    totals = disks.read().totals
    rows = (line.split() for line in Path("/proc/diskstats").read_text().splitlines())
    told = {row[2]: (int(row[5]) * 512, int(row[9]) * 512) for row in rows}
    devices = {key.partition("/")[2] for key in totals}
    for device in devices:
        read_bytes, written_bytes = told[device]
        assert totals[f"disk.read_bytes_per_s/{device}"] == pytest.approx(read_bytes, abs=GIB / 4)
        written = totals[f"disk.write_bytes_per_s/{device}"]
        assert written == pytest.approx(written_bytes, abs=GIB / 4)


# --- network, sensors, host ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "interface",
    [
        "eth0",
        "wlo1",
        "enp3s0",
        "wlan0",
        "eno1",
        "bond0",
        "wg0",
        "tun0",
        "fwd0",
        "brazil",
        "Ethernet",
    ],
)
def test_interfaces_that_lead_out(interface: str) -> None:
    assert network.leads_out(interface)


@pytest.mark.parametrize(
    "interface",
    [
        *("lo", "lo0", "docker0", "br-5f3a", "veth12ab@if3", "cali123", "virbr0", "virbr0-nic"),
        *("vmbr0", "tap100i0", "fwbr100i0", "fwpr100p0", "fwln100i0", "ifb0", "bridge0"),
    ],
)
def test_interfaces_that_stay_inside(interface: str) -> None:
    assert not network.leads_out(interface)


@pytest.mark.skipif(not Path("/sys/class/net").exists(), reason="needs /sys")
def test_traffic_is_what_sys_class_net_says() -> None:
    totals = network.read().totals
    for key, total in totals.items():
        metric, interface = metrics.split(key)
        way = "rx" if "rx" in metric else "tx"
        told = Path(f"/sys/class/net/{interface}/statistics/{way}_bytes").read_text()
        assert total == pytest.approx(int(told), abs=GIB / 4)


def test_sensors_of_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    def sensor(label: str, celsius: float | None) -> SimpleNamespace:
        return SimpleNamespace(label=label, current=celsius)

    chips = {
        "coretemp": [sensor("Core 0", 41.0), sensor("Core 1", 43.0)],
        "nvme": [sensor("Composite", 35.0), sensor("Composite", 36.0), sensor("", 37.0)],
        "acpitz": [sensor("", -273.2), sensor("", None), sensor("", 255.0)],
    }
    battery = SimpleNamespace(percent=80.4, power_plugged=False)
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: chips, raising=False)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    assert sensors.read().gauges == {
        "temp.celsius/coretemp/Core 0": 41.0,
        "temp.celsius/coretemp/Core 1": 43.0,
        "temp.celsius/nvme/Composite": 35.0,
        "temp.celsius/nvme/Composite#1": 36.0,
        "temp.celsius/nvme/2": 37.0,
        "battery.pct": 80.4,
        "battery.on_ac": 0,
    }


def test_a_machine_without_sensors_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: None, raising=False)
    assert sensors.read().gauges == {}


@pytest.mark.skipif(not Path("/proc/uptime").exists(), reason="needs /proc")
def test_load_uptime_and_processes() -> None:
    gauges = host.read().gauges
    uptime_s = float(Path("/proc/uptime").read_text().split()[0])
    assert gauges["uptime.s"] == pytest.approx(uptime_s, abs=5)
    assert gauges["load.15m"] == pytest.approx(
        float(Path("/proc/loadavg").read_text().split()[2]), abs=0.5
    )
    processes = sum(path.name.isdigit() for path in Path("/proc").iterdir())
    assert gauges["proc.count"] == pytest.approx(processes, abs=20)


def test_every_family_is_listed() -> None:
    folder = Path(disks.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__", "sampler"}
    assert set(FAMILIES) == files
