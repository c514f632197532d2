"""Disks that fill up: a tiny tmpfs where we may mount one, and a limit on the size of files.

A write beyond either fails as on a full disk. The limit needs no rights, so that no machine skips
what full disks are tested with.
"""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

_SIZE_KIB = 16 * 1024


class SmallDisk(Protocol):
    path: Path

    def fill(self, pid: int, *, leave_kib: int) -> None:
        """Leave this process no more room than that."""

    def make_room(self) -> None: ...


class Tmpfs:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, pid: int, *, leave_kib: int) -> None:  # noqa: ARG002  full for everybody
        disk = os.statvfs(self.path)
        # Who else writes meanwhile takes some of that room: then it is full all the same.
        with suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
            ballast.write(bytes(max(0, disk.f_bavail * disk.f_frsize - leave_kib * 1024)))

    def make_room(self) -> None:
        self._ballast.unlink()


class FileSizeLimit:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._before: dict[int, tuple[int, int]] = {}

    def fill(self, pid: int, *, leave_kib: int) -> None:
        largest = max(file.stat().st_size for file in self.path.rglob("*") if file.is_file())
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        self._before.setdefault(pid, (soft, hard))
        # Python ignores SIGXFSZ: a write beyond the limit fails with EFBIG.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest + leave_kib * 1024, hard))

    def make_room(self) -> None:
        while self._before:
            pid, limits = self._before.popitem()
            with suppress(ProcessLookupError):  # it has ended meanwhile
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


@contextmanager
def tmpfs(path: Path) -> Iterator[SmallDisk]:
    path.mkdir()
    _mount(path)
    try:
        yield Tmpfs(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


@contextmanager
def file_size_limit(path: Path) -> Iterator[SmallDisk]:
    path.mkdir()
    disk = FileSizeLimit(path)
    try:
        yield disk
    finally:
        disk.make_room()


def _mount(path: Path) -> None:
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_SIZE_KIB}k,mode=0700", "forge-fleet-test", path],
        check=True,
        capture_output=True,
    )


def _may_mount() -> bool:
    """Root in a container often may not; ask without mounting anything here."""
    if os.geteuid() != 0:
        return False
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "forge-fleet-test", "/mnt"],
        check=False,
        capture_output=True,
    )
    return tried.returncode == 0


KINDS: Mapping[str, Callable[[Path], AbstractContextManager[SmallDisk]]] = {
    "file size limit": file_size_limit,
    **({"tmpfs": tmpfs} if _may_mount() else {}),
}
