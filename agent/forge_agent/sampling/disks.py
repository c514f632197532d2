"""disk.*: how full the local file systems are, and what the disks read and write."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from forge_agent.core import values
from forge_agent.core.rates import Reading

# Images and layers: always full, or another file system's figures once more.
_NOT_DISKS: Final = frozenset(
    {"", "squashfs", "iso9660", "udf", "cd9660", "overlay", "aufs", "devfs", "autofs", "erofs"}
)
_NOT_DEVICES = re.compile(r"(/dev/)?(loop|ram|zram)\d.*")
# Not every kernel offers /sys/block: then names tell whole disks from parts.
_PARTS = re.compile(r"(loop|ram|zram|sr|fd|dm-|md)\d.*|([hsv]d|xvd)[a-z]+\d+|(nvme|mmcblk).+p\d+")
_MACOS_INTERNAL: Final = ("/System/Volumes/", "/private/var/vm")
_SYS_BLOCK: Final = Path("/sys/block")


class Mount(NamedTuple):
    """One row of the mount table, as psutil tells it."""

    device: str
    path: str
    fs_type: str
    options: str


def read() -> Reading:
    gauges: dict[str, float] = {}
    for path in mounts_to_show(_mounts()):
        try:
            usage = psutil.disk_usage(path)
        except OSError:  # unmounted since, or not ours to look into
            continue
        if usage.total:
            gauges[values.key("disk.total_bytes", path)] = usage.total
            gauges[values.key("disk.used_bytes", path)] = usage.used
            gauges[values.key("disk.pct", path)] = usage.percent
    return Reading(gauges, totals=_io())


def _mounts() -> list[Mount]:
    # Without all=True: network mounts are left out, of which a dead one would hang us.
    return [
        Mount(part.device, part.mountpoint, part.fstype, part.opts)
        for part in psutil.disk_partitions(all=False)
        if sys.platform == "win32" or Path(part.mountpoint).is_dir()
    ]


def mounts_to_show(mounts: list[Mount]) -> list[str]:
    """Return the paths of local file systems, one a device: of several the shortest.

    In a container `/` is an overlay and what is mounted from devices may be nothing: `/` is shown
    all the same, and tells the figures of the disk below it.
    """
    chosen: dict[str, str] = {}
    for mount in sorted(mounts, key=lambda mount: (len(mount.path), mount.path)):
        if _is_local_disk(mount):
            # A ZFS pool shares its room among its datasets.
            device = mount.device.split("/")[0] if mount.fs_type == "zfs" else mount.device
            chosen.setdefault(device, mount.path)
    paths = list(chosen.values())
    if sys.platform != "win32" and "/" not in paths:
        paths.insert(0, "/")
    return paths


def _is_local_disk(mount: Mount) -> bool:
    options = mount.options.split(",")
    return (
        mount.fs_type.lower() not in _NOT_DISKS
        and "cdrom" not in options
        and "remote" not in options
        and not _NOT_DEVICES.fullmatch(mount.device)
        and not mount.path.startswith(_MACOS_INTERNAL)
    )


def _io() -> dict[str, float]:
    totals: dict[str, float] = {}
    # nowrap=False: counters that go backwards are ours to judge; psutil would add them up.
    counters = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
    for device, io in counters.items():
        if is_whole_disk(device):
            totals[values.key("disk.read_bytes_per_s", device)] = io.read_bytes
            totals[values.key("disk.write_bytes_per_s", device)] = io.write_bytes
            totals[values.key("disk.reads_per_s", device)] = io.read_count
            totals[values.key("disk.writes_per_s", device)] = io.write_count
    return totals


def is_whole_disk(device: str, sys_block: Path = _SYS_BLOCK) -> bool:
    """Tell a disk from its partitions, and from what only stands on disks (loop, md, LVM)."""
    if sys.platform != "linux":
        return True
    if not sys_block.is_dir():
        return _PARTS.fullmatch(device) is None
    # Only what has hardware, or a hypervisor's disk, behind it has this entry.
    hardware = (sys_block / device.replace("/", "!") / "device").exists()
    return hardware and not device.startswith(("sr", "fd"))
