"""The samplers on results of psutil that were recorded on systems that these tests cannot run on.

tests/data/psutil names where each comes from. Only psutil's functions and the platform's name are
replaced: what is tested is everything that the agent makes of their results.
"""

from __future__ import annotations

import builtins
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from forge_agent import facts
from forge_agent.core import values
from forge_agent.core.choice import Choice
from forge_agent.log import Log
from forge_agent.sampling import container, mounts, sensors
from forge_agent.sampling.cpu import Cpu
from forge_agent.sampling.mounts import mount_table, rooms_to_show
from forge_agent.sampling.sampler import Sampler, families
from forge_shared import metrics

FOLDER = Path(__file__).parents[2] / "data" / "psutil"
PLATFORMS = {"windows": "win32", "macos": "darwin", "freebsd": "freebsd14"}
RECORDED = [
    (PLATFORMS[path.stem], entry)
    for path in sorted(FOLDER.glob("*.json"))
    for entry in json.loads(path.read_text(encoding="utf-8"))
]
FUNCTIONS = (
    *("virtual_memory", "swap_memory", "disk_partitions", "disk_usage", "disk_io_counters"),
    *("net_io_counters", "sensors_battery", "boot_time"),
)
# Of a family whose results were not recorded: a machine that has nothing of the kind.
NOTHING: dict[str, Any] = {
    "virtual_memory": {"total": 0, "available": 0},
    "swap_memory": {"total": 0, "used": 0},
    "disk_partitions": [],
    "disk_usage": {},
    "disk_io_counters": {},
    "net_io_counters": {},
    "sensors_battery": None,
    "boot_time": 0.0,
}


def as_psutil_returns(recorded: Any) -> Any:
    """Raise what was raised; fields are attributes, as in psutil's named tuples."""
    if isinstance(recorded, dict) and "raises" in recorded:
        raise getattr(builtins, recorded["raises"])(recorded["says"])
    if isinstance(recorded, dict) and all(
        isinstance(value, dict) and "raises" not in value for value in recorded.values()
    ):
        return {name: SimpleNamespace(**fields) for name, fields in recorded.items()}
    if isinstance(recorded, list):
        return [SimpleNamespace(**fields) for fields in recorded]
    return SimpleNamespace(**recorded) if isinstance(recorded, dict) else recorded


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """Become a recorded machine; returns its results."""

    def become(platform: str, entry: dict[str, Any]) -> dict[str, Any]:
        results: dict[str, Any] = entry["results"]
        monkeypatch.setattr(sys, "platform", platform)
        free = container.found(Path("/nowhere"))
        monkeypatch.setattr(container, "here", lambda: free)
        for name in FUNCTIONS:
            recorded = results.get(name, NOTHING[name])
            monkeypatch.setattr(psutil, name, replay(name, recorded), raising=False)
        monkeypatch.setattr(psutil, "cpu_times", cpu_times(results))
        monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
        monkeypatch.setattr(mounts, "is_folder", lambda _: True)
        return results

    return become


def replay(name: str, recorded: Any) -> Callable[..., Any]:
    if name != "disk_usage":
        return lambda *_, **__: as_psutil_returns(recorded)

    def disk_usage(path: str) -> Any:
        if path not in recorded:
            raise PermissionError(21, "not recorded", path)
        return as_psutil_returns(recorded[path])

    return disk_usage


def cpu_times(results: dict[str, Any]) -> Callable[..., Any]:
    cores = results.get("cpu_times_percpu", [])
    whole = results.get("cpu_times") or {
        field: sum(core[field] for core in cores) for field in ("user", "system", "idle")
    }

    def read(*, percpu: bool = False) -> Any:
        return as_psutil_returns(cores) if percpu else SimpleNamespace(**whole)

    return read


def one(about: str) -> tuple[str, dict[str, Any]]:
    return next(entry for entry in RECORDED if entry[1]["about"].startswith(about))


def sample() -> dict[str, float]:
    """What is sent, with every rate being of nothing: the counters stand still."""
    stream = io.StringIO()
    sampler = Sampler(Log(stream, human=False), families(Log(stream, human=False)))
    sampler.sample(0, 0.0)
    return sampler.sample(5000, 5.0)


@pytest.mark.parametrize(("platform", "entry"), RECORDED, ids=lambda part: str(part)[:60])
def test_every_recorded_machine_gives_a_sample_that_fits(
    platform: str, entry: dict[str, Any], machine: Callable[..., Any]
) -> None:
    machine(platform, entry)
    assert entry["source"]
    found = sample()
    assert {metrics.split(key)[0] for key in found} <= set(metrics.METRICS)
    fitted = values.fitted(found)
    assert set(fitted) == set(found)
    assert all(value >= 0 for value in fitted.values())
    assert all(value <= 100 for key, value in fitted.items() if key.partition("/")[0][-3:] == "pct")


# --- Windows ------------------------------------------------------------------------------------


def test_windows_memory_is_what_the_task_manager_says(machine: Callable[..., Any]) -> None:
    results = machine(*one("Windows 10"))
    told = results["virtual_memory"]
    found = sample()
    assert found["mem.total_bytes"] == told["total"]
    assert found["mem.used_bytes"] == told["used"]
    assert found["mem.pct"] == pytest.approx(told["percent"], abs=0.05)
    assert found["swap.pct"] == pytest.approx(results["swap_memory"]["percent"], abs=0.05)


def test_windows_swap_is_never_fuller_than_full(machine: Callable[..., Any]) -> None:
    machine(*one("Windows 11"))
    found = sample()
    assert found["swap.total_bytes"] == found["swap.used_bytes"] == 2147483648
    assert found["swap.pct"] == 100


def test_windows_interrupts_are_within_system(machine: Callable[..., Any]) -> None:
    told = machine(*one("Windows 10"))["cpu_times"]
    shares = Cpu().read().shares
    busy, whole = shares["cpu.pct"]
    assert busy == told["user"] + told["system"]
    assert whole == busy + told["idle"]
    assert shares["cpu.system_pct"][0] == told["system"]
    assert "cpu.iowait_pct" not in shares


def test_windows_interrupts_by_the_name_of_psutil_8(
    machine: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, entry = one("Windows 10")
    told = dict(entry["results"]["cpu_times"])
    told["irq"] = told.pop("interrupt")  # psutil #2772
    machine(platform, {**entry, "results": {"cpu_times": told}})
    assert Cpu().read().shares["cpu.pct"][0] == told["user"] + told["system"]


def test_windows_with_more_than_64_cores_shows_none_rather_than_wrong_ones(
    machine: Callable[..., Any],
) -> None:
    platform, entry = one("Windows 10")
    core = {"user": 1.0, "system": 1.0, "idle": 1.0}
    for count, shown in ((64, 64), (65, 0)):
        results = {**entry["results"], "cpu_times_percpu": [core] * count}
        machine(platform, {**entry, "results": results})
        keys = [key for key in Cpu().read().shares if key.startswith("cpu.core_pct")]
        assert len(keys) == shown


def test_windows_drives_and_discs(machine: Callable[..., Any]) -> None:
    def drives(about: str) -> list[str]:
        machine(*one(about))
        rooms = rooms_to_show(mount_table(everything=False), Choice())
        return [room.paths[0] for room in rooms.values()]

    assert drives("Windows 10") == ["C:\\", "D:\\", "E:\\"]
    assert drives("Windows Server 2008") == ["C:\\"]
    assert drives("Windows, a drive") == ["C:\\", "D:\\", "Y:\\"]


def test_a_drive_that_is_not_ready_is_left_out(machine: Callable[..., Any]) -> None:
    platform, entry = one("Windows, a drive")
    results = json.loads(json.dumps(entry["results"]))
    results["disk_partitions"][3] |= {"fstype": "NTFS", "opts": "rw,removable"}
    machine(platform, {**entry, "results": results})
    assert not [key for key in sample() if key.startswith("disk.")]


def test_windows_disks(machine: Callable[..., Any]) -> None:
    told = machine(*one("Windows 10"))["disk_usage"]["D:\\"]
    found = sample()
    assert found["disk.total_bytes/D:\\"] == told["total"]
    assert found["disk.used_bytes/D:\\"] == told["used"]
    assert found["disk.pct/D:\\"] == pytest.approx(told["percent"], abs=0.06)
    machine(*one("Windows Server 2022"))
    assert {key for key in sample() if key.startswith("disk.reads")} == {
        f"disk.reads_per_s/PhysicalDrive{number}" for number in range(3)
    }


def test_disks_whose_counters_are_off_cost_no_file_system(machine: Callable[..., Any]) -> None:
    machine(*one("Windows Server 2008"))
    found = sample()
    assert found["disk.pct/C:\\"] == pytest.approx(63.6, abs=0.06)
    assert not [key for key in found if "per_s" in key and key.startswith("disk")]


@pytest.mark.parametrize(
    ("about", "shown"),
    [
        ("Windows 10", ["以太网", "以太网 2", "WLAN"]),
        (
            "Windows in English",
            ["Ethernet 9", "Ethernet 2", "Ethernet 3", "Ethernet 10", "Wi-Fi 5"],
        ),
        ("Windows with VirtualBox", ["Ethernet0"]),
        ("Windows 7", ["°Ï°ì³s½u"]),
        ("OS X, interfaces", ["en0", "en1", "en2", "en3"]),
    ],
)
def test_interfaces_that_lead_out(
    about: str, shown: list[str], machine: Callable[..., Any]
) -> None:
    machine(*one(about))
    keys = [key for key in sample() if key.startswith("net.rx")]
    assert [key.partition("/")[2] for key in keys] == shown


def test_a_battery(machine: Callable[..., Any]) -> None:
    machine(*one("a laptop"))
    assert sensors.read().gauges == {"battery.pct": 77, "battery.on_ac": 0}


# --- macOS and FreeBSD --------------------------------------------------------------------------


@pytest.mark.parametrize("about", ["macOS 10.15", "macOS, 8 GiB", "OS X, an HFS+"])
def test_macos_memory_is_what_is_not_available(about: str, machine: Callable[..., Any]) -> None:
    told = machine(*one(about))["virtual_memory"]
    found = sample()
    assert found["mem.pct"] == pytest.approx(told["percent"], abs=0.05)
    assert found["mem.available_bytes"] == told["available"]


def test_a_macs_cores_and_the_whole_of_them(machine: Callable[..., Any]) -> None:
    results = machine(*one("macOS 10.15"))
    shares = Cpu().read().shares
    cores = [shares[f"cpu.core_pct/{number}"] for number in range(4)]
    assert shares["cpu.pct"][0] == pytest.approx(sum(busy for busy, _ in cores))
    assert shares["cpu.pct"][1] == pytest.approx(sum(whole for _, whole in cores))
    # All cores have had the same time since the machine started.
    assert all(whole == pytest.approx(cores[0][1], rel=1e-4) for _, whole in cores)
    assert facts.boot_time_ms() == int(results["boot_time"] * 1000)


def test_a_mac_shows_how_full_its_disk_is_not_its_sealed_system(
    machine: Callable[..., Any],
) -> None:
    told = machine(*one("macOS 10.15"))["disk_usage"]["/"]
    found = sample()
    assert {key for key in found if key.startswith("disk.pct")} == {"disk.pct//"}
    assert told["percent"] == 7.1  # of the volume that nobody can write to
    assert found["disk.used_bytes//"] == told["total"] - told["free"]
    assert found["disk.pct//"] == pytest.approx(42.2, abs=0.1)


def test_of_a_macs_volumes_one_is_shown_and_other_disks(machine: Callable[..., Any]) -> None:
    platform, entry = one("macOS on Apple's")
    usage = {"total": 494384795648, "used": 1, "free": 200000000000}  # not recorded there
    machine(platform, {**entry, "results": {**entry["results"], "disk_usage": {"/": usage}}})
    assert [key for key in sample() if key.startswith("disk.pct")] == ["disk.pct//"]
    machine(*one("macOS 10.14"))
    found = sample()
    assert {key for key in found if key.startswith("disk.pct")} == {
        "disk.pct//",
        "disk.pct//Volumes/ssd-t5",
    }
    assert found["disk.pct//Volumes/ssd-t5"] == pytest.approx(48.6, abs=0.1)
    assert {key for key in found if key.startswith("disk.writes")} == {
        "disk.writes_per_s/disk0",
        "disk.writes_per_s/disk2",
    }


def test_freebsds_memory_counts_the_cache_of_zfs(machine: Callable[..., Any]) -> None:
    told = machine(*one("FreeBSD"))["virtual_memory"]
    assert sample()["mem.pct"] == pytest.approx(told["percent"], abs=0.05)


# --- facts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "name", "os_begins"),
    [("win32", "windows", "Windows 11"), ("darwin", "darwin", "macOS 14.5")],
)
def test_facts_of_other_systems(
    platform: str,
    name: str,
    os_begins: str,
    machine: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    about = {"win32": "Windows 10", "darwin": "macOS 10.15"}[platform]
    results = machine(*one(about))
    monkeypatch.setattr("platform.release", lambda: os_begins.split()[1])
    monkeypatch.setattr("platform.mac_ver", lambda: ("14.5", ("", "", ""), "arm64"))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 4)
    told = facts.gather(boot_time_ms=1, cpu_model="", interval_s=0)
    assert told["os"] == os_begins
    assert told["platform"] == name
    assert told["mem_total_bytes"] == results["virtual_memory"]["total"]
    assert told["cpu_cores"] == 4
