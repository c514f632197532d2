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
from forge_agent.core.choice import Choice, Choices
from forge_agent.core.rates import Reading
from forge_agent.log import Log
from forge_agent.sampling import container, cpu, host, memory, sensors
from forge_agent.sampling.container import Branch, Container
from forge_agent.sampling.cpu import Cpu
from forge_agent.sampling.disks import Disks, is_whole_disk
from forge_agent.sampling.mounts import FileSystems
from forge_agent.sampling.network import Interfaces, leads_out
from forge_agent.sampling.sampler import Sampler, families
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
    measured = {"network": lambda: Reading(totals={"net.rx_bytes_per_s/e": next(total)})}
    quick, slow = Sampler(quiet(), measured), Sampler(quiet(), measured)
    assert slow.sample(0, 0) == {}
    assert quick.sample(4000, 4) == {}
    assert quick.sample(5000, 5) == {"net.rx_bytes_per_s/e": 0}
    assert slow.sample(5000, 5) == {"net.rx_bytes_per_s/e": 20}


def test_a_family_that_fails_once_tells_the_whole_time_when_it_is_back() -> None:
    # psutil raises when an interface vanishes in the middle of its reading (psutil #2941).
    totals = iter([100, None, 300])

    def read() -> Reading:
        total = next(totals)
        if total is None:
            raise OSError(19, "No such device")
        return Reading(totals={"net.rx_bytes_per_s/e": total})

    sampler = Sampler(quiet(), {"network": read})
    found = [sampler.sample(second * 1000, second) for second in (0, 5, 10)]
    assert found == [{}, {}, {"net.rx_bytes_per_s/e": 20}]


def test_after_a_suspend_one_sample_has_no_rates() -> None:
    totals = iter(range(0, 600, 100))
    measured = {"network": lambda: Reading({"g": 1}, {"net.rx_bytes_per_s/e": next(totals)})}
    sampler = Sampler(quiet(), measured)
    rated = {"g": 1, "net.rx_bytes_per_s/e": 20}
    assert sampler.sample(0, 0) == {"g": 1}
    assert sampler.sample(5_000, 5) == rated
    assert sampler.sample(3_605_000, 10) == {"g": 1}  # the wall clock tells
    assert sampler.sample(3_610_000, 15) == rated
    assert sampler.sample(3_615_000, 20, slept_s=3600) == {"g": 1}  # only the system does
    assert sampler.sample(3_620_000, 25, slept_s=3600) == rated


def test_the_time_slept_is_what_the_clocks_differ_by() -> None:
    difference_s = time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(
        time.CLOCK_MONOTONIC
    )
    assert host.slept_s() == pytest.approx(difference_s, abs=0.5)


# --- cpu ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs /proc")
def test_cpu_times_are_those_of_proc_stat() -> None:
    fields = [int(text) for text in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    user, nice, system, idle, iowait, irq, softirq, steal = (
        ticks / os.sysconf("SC_CLK_TCK") for ticks in fields
    )
    shares = Cpu().read().shares
    busy, whole = shares["cpu.pct"]
    assert busy == pytest.approx(user + nice + system + irq + softirq + steal, abs=1)
    assert whole == pytest.approx(busy + idle + iowait, abs=2)
    assert shares["cpu.user_pct"][0] == pytest.approx(user + nice, abs=1)
    assert shares["cpu.system_pct"][0] == pytest.approx(system + irq + softirq, abs=1)
    assert shares["cpu.iowait_pct"][0] == pytest.approx(iowait, abs=1)
    assert f"cpu.core_pct/{(os.cpu_count() or 1) - 1}" in shares


def test_a_busy_core_shows() -> None:
    sampler = Sampler(quiet(), {"cpu": Cpu().read})
    sampler.sample(int(time.time() * 1000), time.monotonic())
    until_s = time.monotonic() + 0.3
    while time.monotonic() < until_s:
        pass
    found = sampler.sample(int(time.time() * 1000), time.monotonic())
    assert max(share for key, share in found.items() if "core" in key) > 50
    assert found["cpu.pct"] > 50 / (os.cpu_count() or 1)


def test_cores_that_are_offline_do_not_lend_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def cpu_times(*, percpu: bool = False) -> object:
        cores = [SimpleNamespace(user=float(n), system=0.0, idle=9.0) for n in cpu_of]
        return cores if percpu else cores[0]

    cpu_of = [0, 1, 2, 3]
    online = "0-3\n"
    monkeypatch.setattr(psutil, "cpu_times", cpu_times)
    monkeypatch.setattr(cpu, "online_cores", lambda: online)
    family = Cpu()
    names = [f"cpu.core_pct/{number}" for number in range(4)]
    assert [key for key in family.read().shares if "core" in key] == names
    cpu_of, online = [0, 2, 3], "0,2-3\n"
    shares = family.read().shares
    assert [key for key in shares if "core" in key] == [names[0], *names[2:]]
    assert shares[names[2]][0] == 2
    # One goes and another comes: as many as before.
    cpu_of, online = [0, 1, 3], "0-1,3\n"
    assert [key for key in family.read().shares if "core" in key] == [*names[:2], names[3]]
    online = "0-63\n"  # LXC: the times are the container's, the list the host's
    assert [key for key in family.read().shares if "core" in key] == names[:3]


def test_a_list_of_cores() -> None:
    assert cpu.numbers("0-2,5,7-8\n") == ["0", "1", "2", "5", "7", "8"]
    assert cpu.numbers("") == []
    assert cpu.numbers("0\n") == ["0"]


def test_of_hundreds_of_cores_all_are_read_and_what_fits_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = SimpleNamespace(user=1.0, system=0.0, idle=9.0)
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu=False: [one] * 1200 if percpu else one)
    monkeypatch.setattr(cpu, "online_cores", lambda: "0-1199\n")
    shares = Cpu().read().shares
    assert f"cpu.core_pct/{1199}" in shares
    found = {**dict.fromkeys(shares, 1.0), "disk.pct//": 5.0, "mem.pct": 4.0}
    sent = values.fitted(found)
    assert len(sent) == values.MAX_VALUES
    assert {"cpu.pct", "disk.pct//", "mem.pct", "cpu.core_pct/0"} <= set(sent)
    cores = [int(key.partition("/")[2]) for key in sent if "core" in key]
    assert cores == list(range(len(cores)))


# --- memory -------------------------------------------------------------------------------------


def meminfo() -> Mapping[str, int]:
    rows = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows}


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="needs /proc")
def test_memory_is_what_proc_meminfo_says(monkeypatch: pytest.MonkeyPatch) -> None:
    free = Container(Branch(2, "", ()), Branch(2, "", ()), "")
    monkeypatch.setattr(container, "here", lambda: free)
    gauges, told = memory.read().gauges, meminfo()
    assert gauges["mem.total_bytes"] == told["MemTotal"]
    used = told["MemTotal"] - told["MemAvailable"]
    assert gauges["mem.used_bytes"] == pytest.approx(used, abs=GIB / 4)
    assert gauges["mem.pct"] == pytest.approx(100 * used / told["MemTotal"], abs=2)
    assert gauges["swap.total_bytes"] == told["SwapTotal"]


# --- disks --------------------------------------------------------------------------------------


def test_the_root_is_as_full_as_df_says() -> None:
    told = subprocess.run(["df", "-kP", "/"], capture_output=True, text=True, check=True).stdout
    _, total_kib, used_kib, _, capacity, _ = told.splitlines()[1].split()
    gauges = FileSystems(quiet()).read().gauges
    assert gauges["disk.total_bytes//"] == int(total_kib) * 1024
    assert gauges["disk.used_bytes//"] == pytest.approx(int(used_kib) * 1024, abs=GIB)
    # df rounds up
    assert gauges["disk.pct//"] == pytest.approx(int(capacity.rstrip("%")), abs=1.5)


def test_only_whole_disks_are_counted(tmp_path: Path) -> None:
    for disk in ("sda", "nvme0n1", "nvme0c0n1", "mmcblk0", "mmcblk0boot0", "cciss!c0d0", "sr0"):
        (tmp_path / disk / "device").mkdir(parents=True)
    for other in ("dm-0", "md0", "loop0", "zram0"):
        (tmp_path / other).mkdir()
    shown = [
        name
        for name in (
            *("sda", "sda1", "nvme0n1", "nvme0n1p1", "nvme0c0n1", "sr0", "dm-0", "md0", "loop0"),
            *("mmcblk0", "mmcblk0p1", "mmcblk0boot0", "cciss/c0d0"),
        )
        if is_whole_disk(name, str(tmp_path))
    ]
    assert shown == ["sda", "nvme0n1", "mmcblk0", "cciss/c0d0"]


def test_without_sys_block_names_tell_disks_from_parts(tmp_path: Path) -> None:
    for disk in ("sda", "vdb", "xvda", "nvme0n1", "mmcblk0"):
        assert is_whole_disk(disk, str(tmp_path / "none")), disk
    for part in ("sda1", "vdb12", "xvda1", "nvme0n1p2", "mmcblk0p1", "loop1", "dm-3", "zram0"):
        assert not is_whole_disk(part, str(tmp_path / "none")), part


@pytest.mark.skipif(not Path("/proc/diskstats").exists(), reason="needs /proc")
def test_disk_counters_are_those_of_proc_diskstats() -> None:
    totals = Disks().read().totals
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
    assert leads_out(interface)


@pytest.mark.parametrize(
    "interface",
    [
        *("lo", "lo0", "docker0", "br-5f3a", "veth12ab@if3", "cali123", "virbr0", "virbr0-nic"),
        *("vmbr0", "tap100i0", "fwbr100i0", "fwpr100p0", "fwln100i0", "ifb0", "bridge0"),
    ],
)
def test_interfaces_that_stay_inside(interface: str) -> None:
    assert not leads_out(interface)


@pytest.mark.skipif(not Path("/sys/class/net").exists(), reason="needs /sys")
def test_traffic_is_what_sys_class_net_says() -> None:
    totals = Interfaces().read().totals
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


def test_disks_and_interfaces_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    def counters(**_: object) -> dict[str, SimpleNamespace]:
        return {
            name: SimpleNamespace(bytes_recv=total, bytes_sent=0) for name, total in there.items()
        }

    monkeypatch.setattr(psutil, "net_io_counters", counters)
    sampler = Sampler(quiet(), {"network": Interfaces().read})
    rates: list[float | None] = []
    there: dict[str, int] = {}
    for second, plugged in enumerate(
        (
            {"eth0": 1000, "usb0": 5000},
            {"eth0": 2000},  # unplugged
            {"eth0": 3000, "usb0": 10},  # back, counting from 0: nothing to compare with
            {"eth0": 4000, "usb0": 110},
            {"eth0": 5000, "usb0": 60},  # another one by that name, between two samples
            {"eth0": 6000, "usb0": 160},
            {"eth0": 7000, "usb0": 2**32 - 10},
            {"eth0": 8000, "usb0": 90},  # ran over
        )
    ):
        there = plugged
        found = sampler.sample(second * 1000, second)
        rates.append(found.get("net.rx_bytes_per_s/usb0"))
        assert found.get("net.rx_bytes_per_s/eth0") == (1000 if second else None)
    assert rates == [None, None, None, 100, None, 100, 2**32 - 170, None]


def test_the_owner_chooses_interfaces_and_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    io_of = {
        name: SimpleNamespace(bytes_recv=1, bytes_sent=2)
        for name in ("eth0", "eth1", "docker0", "lo")
    }
    monkeypatch.setattr(psutil, "net_io_counters", lambda **_: io_of)

    def interfaces(*patterns: str) -> list[str]:
        totals = Interfaces(Choice(patterns)).read().totals
        return [key.partition("/")[2] for key in totals if "rx" in key]

    assert interfaces() == ["eth0", "eth1"]
    assert interfaces("docker0") == ["eth0", "eth1", "docker0"]
    assert interfaces("eth0", "!*") == ["eth0"]
    assert interfaces("!eth1") == ["eth0"]
    assert interfaces("*") == list(io_of)

    one = SimpleNamespace(read_bytes=1, write_bytes=2, read_count=3, write_count=4)
    monkeypatch.setattr(psutil, "disk_io_counters", lambda **_: {"loop0": one, "no-such-1": one})
    assert Disks().read().totals == {}
    totals = Disks(Choice(["loop*"])).read().totals
    assert set(totals) == {
        f"disk.{what}_per_s/loop0" for what in ("read_bytes", "write_bytes", "reads", "writes")
    }


def test_every_family_is_listed() -> None:
    folder = Path(container.__file__).parent
    files = {path.stem for path in folder.glob("*.py")}
    no_families = {"__init__", "sampler", "container", "asking"}
    assert set(families(quiet(), Choices())) == files - no_families
