"""Which machines the fleet is made of: names, systems, sizes, disks, interfaces, tags."""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

from forge_shared.messages import Host

GIB: Final = 1024**3
_AGENT_VERSION: Final = "0.1.0"
_TAGGED_EVERY: Final = 3


class System(NamedTuple):
    """An operating system: what it calls things, and what it can measure."""

    os: str
    platform: str
    kernel: str
    device: str
    interface: str
    sensors: tuple[str, ...] = ()
    has_iowait: bool = False


class Family(NamedTuple):
    """Machines of one kind. ``busy``: how much of the CPU they use on a usual day, 0 to 1.
    ``mounts``: mount point and size in GiB."""

    prefix: str
    system: System
    arch: str
    cpu_model: str
    cores: int
    memory_gib: int
    mounts: tuple[tuple[str, int], ...]
    busy: float
    tags: tuple[str, ...] = ()
    ephemeral: bool = False
    on_battery: bool = False


class Machine(NamedTuple):
    """One machine of a family."""

    node_id: str
    family: Family
    tags: tuple[str, ...]

    def host(self, boot_time_ms: int, interval_s: float) -> Host:
        family, system = self.family, self.family.system
        return Host(
            hostname=self.node_id,
            os=system.os,
            platform=system.platform,
            kernel=system.kernel,
            arch=family.arch,
            cpu_model=family.cpu_model,
            cpu_cores=family.cores,
            mem_total_bytes=family.memory_gib * GIB,
            boot_time=boot_time_ms,
            agent_version=_AGENT_VERSION,
            interval_s=round(interval_s),
        )


_SERVER_SENSORS: Final = ("coretemp/Package id 0", "nvme/Composite")
_DEBIAN: Final = System(
    "Debian GNU/Linux 12 (bookworm)", "linux", "6.1.0-28-amd64", "nvme0n1", "enp3s0",
    _SERVER_SENSORS, has_iowait=True,
)  # fmt: skip
_UBUNTU: Final = System(
    "Ubuntu 24.04.3 LTS", "linux", "6.8.0-71-generic", "nvme0n1", "eno1",
    _SERVER_SENSORS, has_iowait=True,
)  # fmt: skip
_RASPBIAN: Final = System(
    "Raspberry Pi OS 12 (bookworm)", "linux", "6.6.51+rpt-rpi-v8", "mmcblk0", "eth0",
    ("cpu_thermal",), has_iowait=True,
)  # fmt: skip
_WINDOWS: Final = System("Windows 11", "windows", "10.0.26100", "PhysicalDrive0", "Ethernet")
_MACOS: Final = System("macOS 15.6", "darwin", "24.6.0", "disk0", "en0")

_EPYC: Final = "AMD EPYC 7302P 16-Core Processor"
_XEON: Final = "Intel(R) Xeon(R) E-2288G CPU @ 3.70GHz"
_I7: Final = "13th Gen Intel(R) Core(TM) i7-13700"
_M2: Final = "Apple M2"

_WEB: Final = Family(
    "web", _DEBIAN, "x86_64", _XEON, 8, 32, (("/", 128), ("/var", 256)), 0.25, ("rack-a",)
)
_DB: Final = Family(
    "db", _DEBIAN, "x86_64", _EPYC, 16, 64, (("/", 64), ("/srv", 1024)), 0.35, ("rack-a",)
)
_NAS: Final = Family(
    "nas", _DEBIAN, "x86_64", "Intel(R) N100", 4, 16,
    (("/", 32), ("/tank", 16_384), ("/backup", 8_192)), 0.08, ("storage",),
)  # fmt: skip
_BUILD: Final = Family("build", _UBUNTU, "x86_64", _EPYC, 16, 64, (("/", 512),), 0.5, ("rack-b",))
_GPU: Final = Family(
    "gpu", _UBUNTU, "x86_64", _EPYC, 16, 128, (("/", 256), ("/data", 4096)), 0.6, ("gpu", "rack-b")
)
_LAB_PC: Final = Family(
    "lab-pc", _WINDOWS, "AMD64", _I7, 12, 16, (("C:\\", 476), ("D:\\", 931)), 0.12, ("lab",)
)
_PI: Final = Family("pi", _RASPBIAN, "aarch64", "Cortex-A76", 4, 8, (("/", 58),), 0.1, ("edge",))
_MAC: Final = Family(
    "mac-studio", _MACOS, "arm64", _M2, 12, 32, (("/", 460), ("/Volumes/Media", 1863)), 0.18,
    ("design",),
)  # fmt: skip
_LAPTOP: Final = Family(
    "laptop", _WINDOWS, "AMD64", _I7, 8, 16, (("C:\\", 476),), 0.15,
    ("staff",), ephemeral=True, on_battery=True,
)  # fmt: skip
_MACBOOK: Final = Family(
    "macbook", _MACOS, "arm64", _M2, 8, 16, (("/", 460),), 0.15,
    ("staff",), ephemeral=True, on_battery=True,
)  # fmt: skip

# The order a fleet grows in; it repeats.
_ROLL: Final = (
    _WEB, _NAS, _LAB_PC, _DB, _LAPTOP, _WEB, _LAB_PC, _PI, _MAC, _BUILD,
    _LAB_PC, _WEB, _GPU, _LAB_PC, _DB, _PI, _WEB, _MACBOOK, _LAB_PC, _WEB,
)  # fmt: skip


def fleet(count: int) -> list[Machine]:
    """Return that many machines, always the same ones, each with a name of its own."""
    numbers: Counter[str] = Counter()
    machines: list[Machine] = []
    for index in range(count):
        family = _ROLL[index % len(_ROLL)]
        numbers[family.prefix] += 1
        number = numbers[family.prefix]
        tags = family.tags if number % _TAGGED_EVERY == 1 else ()
        machines.append(Machine(f"{family.prefix}-{number:02}", family, tags))
    return machines
