"""disk.*_per_s: what the disks read and write."""

from __future__ import annotations

import os
import re
import sys
from typing import Final

import psutil

from forge_agent.core import values
from forge_agent.core.choice import Choice
from forge_agent.core.rates import Reading

# Not every kernel offers /sys/block: then names tell whole disks from parts.
_PARTS: Final = re.compile(
    r"(loop|ram|zram|sr|fd|dm-|md)\d.*|([hsv]d|xvd)[a-z]+\d+|(nvme|mmcblk).+p\d+"
)
# Optical drives and floppies; one path of several to an NVMe disk; an eMMC's boot areas.
_NOT_DISKS: Final = re.compile(r"(sr|fd)\d.*|nvme\d+c\d+n\d+|mmcblk\d+(boot\d+|rpmb)")
_SYS_BLOCK: Final = "/sys/block"


class Disks:
    """Reads the counters of the disks that are shown."""

    def __init__(self, choice: Choice | None = None) -> None:
        self._choice = choice or Choice()

    def read(self) -> Reading:
        totals: dict[str, float] = {}
        # nowrap=False: counters that go backwards are ours to judge; psutil would add them up.
        counters = psutil.disk_io_counters(perdisk=True, nowrap=False) or {}
        for device, io in counters.items():
            named = self._choice.of(device)
            if is_whole_disk(device) if named is None else named:
                totals[values.key("disk.read_bytes_per_s", device)] = io.read_bytes
                totals[values.key("disk.write_bytes_per_s", device)] = io.write_bytes
                totals[values.key("disk.reads_per_s", device)] = io.read_count
                totals[values.key("disk.writes_per_s", device)] = io.write_count
        return Reading(totals=totals)


def is_whole_disk(device: str, sys_block: str = _SYS_BLOCK) -> bool:
    """Tell a disk from its partitions, and from what only stands on disks (loop, md, LVM)."""
    if sys.platform != "linux":
        return True
    # Only what has hardware, or a hypervisor's disk, behind it has this entry.
    if os.path.exists(f"{sys_block}/{device.replace('/', '!')}/device"):  # noqa: PTH110
        return _NOT_DISKS.fullmatch(device) is None
    if os.path.isdir(sys_block):  # noqa: PTH112
        return False
    return _PARTS.fullmatch(device) is None and _NOT_DISKS.fullmatch(device) is None
