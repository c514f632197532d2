"""disk.total_bytes, used_bytes and pct: how full the file systems are."""

from __future__ import annotations

import os
import re
import stat
import sys
from functools import partial
from typing import Final, NamedTuple

import psutil

from forge_agent.core import values
from forge_agent.core.choice import Choice
from forge_agent.core.rates import Reading
from forge_agent.log import Log
from forge_agent.sampling.asking import Asker

# Images and layers: always full, or another file system's figures once more.
_NOT_DISKS: Final = frozenset(
    {"", "squashfs", "iso9660", "udf", "cd9660", "cdfs", "overlay", "aufs", "devfs", "erofs"}
)
# Elsewhere's room, which elsewhere shows; psutil leaves them out on Linux, and not everywhere.
_NETWORK: Final = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|afpfs|webdav|davfs|9p|ceph|glusterfs|lustre|autofs|(osx|mac)?fuse(\..+)?"
)
_NOT_DEVICES: Final = re.compile(r"(/dev/)?(loop|ram|zram)\d.*")
_MACOS_INTERNAL: Final = ("/System/Volumes/", "/private/var/vm")
_APFS_CONTAINER: Final = re.compile(r"(/dev/disk\d+)s\d+.*")
# Container engines mount a device, or make a dataset of a pool, hundreds of times.
_MOST_PATHS: Final = 64


class Mount(NamedTuple):
    """One row of the mount table, as psutil tells it."""

    device: str
    path: str
    fs_type: str
    options: str


class Room(NamedTuple):
    """What one device, or one pool of them, has: ``paths`` lead to it, the shortest first.

    ``shared``: each path is a part with its own use, and what is free is free for all (ZFS).
    ``whole``: what is not free is in use, whoever uses it (volumes of one APFS container).
    """

    paths: tuple[str, ...]
    shared: bool = False
    whole: bool = False


class Usage(NamedTuple):
    """How full a room is, in bytes; ``path``: one that leads there."""

    path: str
    total: int
    used: int
    free: int


class FileSystems:
    """Reads all file systems that are shown; one that does not answer is left out until it does."""

    def __init__(self, log: Log, choice: Choice | None = None) -> None:
        self._log = log
        self._choice = choice or Choice()
        self._asker: Asker[Usage] = Asker()
        self._said: set[str] = set()  # what does not answer and was logged

    def read(self) -> Reading:
        rooms = rooms_to_show(mount_table(everything=self._choice.adds), self._choice)
        found = self._asker.ask({name: partial(usage_of, room) for name, room in rooms.items()})
        self._say_who_is_silent()
        gauges: dict[str, float] = {}
        for path, total, used, free in found.values():
            if total:
                gauges[values.key("disk.total_bytes", path)] = total
                gauges[values.key("disk.used_bytes", path)] = used
                # As df has it: what only root may use is neither in use nor free.
                gauges[values.key("disk.pct", path)] = 100 * used / (used + free or total)
        return Reading(gauges)

    def _say_who_is_silent(self) -> None:
        silent = self._asker.silent
        for name in sorted(silent - self._said):
            self._log.event("file_system_silent", file_system=name)
        for name in sorted(self._said - silent):
            self._log.event("file_system_answers", file_system=name)
        self._said = silent


def mount_table(*, everything: bool) -> list[Mount]:
    """Return what is mounted from devices; with ``everything``, the network and memory too."""
    local = _table(everything=False)
    if not everything:
        return local
    known = {mount.path for mount in local}
    # Chosen by the owner alone: without a type, as what is usually left out.
    others = (mount._replace(fs_type="") for mount in _table(everything=True))
    return local + [mount for mount in others if mount.path not in known]


def _table(*, everything: bool) -> list[Mount]:
    return [
        Mount(part.device, part.mountpoint, part.fstype, part.opts)
        for part in psutil.disk_partitions(all=everything)
    ]


def rooms_to_show(mounts: list[Mount], choice: Choice) -> dict[str, Room]:
    """Return one room a device, by its name, and each mount that the owner named.

    In a container `/` is an overlay and what is mounted from devices may be nothing: `/` is shown
    all the same, and tells the figures of the disk below it.
    """
    rooms: dict[str, Room] = {}
    root_is_decided = sys.platform == "win32" or choice.of("/") is not None
    for mount in sorted(mounts, key=lambda mount: (len(mount.path), mount.path)):
        named = choice.of(mount.path)
        if named:
            rooms[mount.path] = Room((mount.path,))
        elif named is None and _is_local_disk(mount):
            device, pooled = _device_of(mount)
            before = rooms.get(device, Room((), mount.fs_type == "zfs", pooled))
            rooms[device] = before._replace(paths=(*before.paths, mount.path)[:_MOST_PATHS])
            root_is_decided = root_is_decided or mount.path == "/"
    return rooms if root_is_decided else {"/": Room(("/",)), **rooms}


def _device_of(mount: Mount) -> tuple[str, bool]:
    """Return what the mount's room belongs to, and whether other volumes use it as well."""
    if mount.fs_type == "zfs":
        return f"zfs {mount.device.split('/')[0]}", False
    volume = _APFS_CONTAINER.fullmatch(mount.device) if mount.fs_type == "apfs" else None
    return (volume[1], True) if volume else (mount.device, False)


def _is_local_disk(mount: Mount) -> bool:
    options = mount.options.split(",")
    fs_type = mount.fs_type.lower()
    return (
        fs_type not in _NOT_DISKS
        and not _NETWORK.fullmatch(fs_type)
        and "cdrom" not in options
        and "remote" not in options
        and not _NOT_DEVICES.fullmatch(mount.device)
        and not mount.path.startswith(_MACOS_INTERNAL)
    )


def usage_of(room: Room) -> Usage | None:
    """Ask a room; None for one that is unmounted since, not ours to look into, or no folder."""
    found = (usage for usage in map(_usage, room.paths) if usage is not None)
    first = next(found, None)
    if first is None:
        return None
    if room.shared:
        parts = [first, *found]
        used, free = sum(part.used for part in parts), max(part.free for part in parts)
        return Usage(first.path, used + free, used, free)
    if room.whole:
        return first._replace(used=first.total - first.free)
    return first


def _usage(path: str) -> Usage | None:
    try:
        if not is_folder(path):
            return None
        usage = psutil.disk_usage(path)
    except (OSError, ValueError):
        return None
    return Usage(path, usage.total, usage.used, usage.free)


def is_folder(path: str) -> bool:
    """Tell a file system from a container's /etc/hosts: a file that is mounted from a disk."""
    return sys.platform == "win32" or stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116
