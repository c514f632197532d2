"""What a container may use, where we are in one: from the tree of cgroups.

/proc tells of the whole host inside a container (psutil #2100). The limits that matter are those
on the way from the root of the tree, as we see it, to process 1: in a container process 1 is its
own, whether it has a cgroup namespace or sees the host's whole tree. On a host nothing limits
process 1, and the limit of our own service lies on another branch. A container that shares the
host's process ids shows the host, which is what such a one is made for.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from forge_agent.core.rates import saturating

_ROOT: Final = Path("/")
_FILES: Final = {
    # (version, what): its file. Version 1 has a tree for each controller.
    (2, "memory"): "memory.max",
    (1, "memory"): "memory.limit_in_bytes",
    (2, "cpu"): "cpu.max",
    (1, "cpu"): "cpu.cfs_quota_us",
}


class Limited(NamedTuple):
    """A container's memory or swap, in bytes: its limit and what it uses.

    File cache that the kernel drops first is not in use, as `docker stats` has it.
    """

    total: int
    used: int


class CpuTime(NamedTuple):
    """How many cores' time a container may use, and the seconds that it has used."""

    cores: float
    used_s: float
    user_s: float
    system_s: float


class Branch(NamedTuple):
    """The cgroups of one controller that limit us: folders below ``mount``, innermost first."""

    version: int
    mount: str
    below: tuple[str, ...]


class Container:
    """Where the limits are. They are read anew each time: they can be changed while we run.

    ``own_meminfo``: /proc/meminfo is already the container's (LXCFS makes it so).
    """

    def __init__(
        self, memory: Branch, cpu: Branch, accounting: str, *, own_meminfo: bool = False
    ) -> None:
        self._memory = memory
        self._cpu = cpu
        self._accounting = accounting  # version 1: where the time used is told
        self.own_meminfo = own_meminfo

    def memory(self, machine_total: int) -> Limited | None:
        """Return the tightest limit, if there is one below the machine's memory."""
        tightest = self._tightest()
        if tightest is None or tightest[0] >= machine_total:
            return None
        limit, folder = tightest
        if self._memory.version == 2:
            charged, droppable = _number(f"{folder}/memory.current"), "inactive_file"
        else:
            charged, droppable = _number(f"{folder}/memory.usage_in_bytes"), "total_inactive_file"
        in_use = saturating(charged or 0, _table(f"{folder}/memory.stat").get(droppable, 0))
        return Limited(limit, int(min(limit, in_use)))

    def swap(self, machine_total: int) -> Limited | None:
        """Return what of the machine's swap is ours; to be asked where memory is limited."""
        tightest = self._tightest()
        if tightest is None:
            return None
        limit, folder = tightest
        if self._memory.version == 2:
            total = _number(f"{folder}/memory.swap.max")
            used = _number(f"{folder}/memory.swap.current")
        else:  # memory and swap are limited and counted together
            total = _less(_number(f"{folder}/memory.memsw.limit_in_bytes"), limit)
            memory = _number(f"{folder}/memory.usage_in_bytes")
            used = _less(_number(f"{folder}/memory.memsw.usage_in_bytes"), memory or 0)
        if used is None:  # counted for nobody
            return None
        total = machine_total if total is None else min(total, machine_total)
        return Limited(total, min(total, used))

    def cpu(self, machine_cores: int) -> CpuTime | None:
        """Return the tightest limit, if there is one below all of the machine's cores."""
        tightest: tuple[float, str] | None = None
        for below in self._cpu.below:
            cores = self._cores(self._cpu.mount + below)
            if cores is not None and (tightest is None or cores < tightest[0]):
                tightest = cores, below
        if tightest is None or tightest[0] >= machine_cores:
            return None
        cores, below = tightest
        if self._cpu.version == 2:
            told = _table(f"{self._cpu.mount}{below}/cpu.stat")
            micro = [told.get(f"{what}_usec", 0) for what in ("usage", "user", "system")]
            return CpuTime(cores, *(time / 1e6 for time in micro))
        folder = self._accounting + below
        nano = [_number(f"{folder}/cpuacct.usage{what}") or 0 for what in ("", "_user", "_sys")]
        return CpuTime(cores, *(time / 1e9 for time in nano))

    def _tightest(self) -> tuple[int, str] | None:
        """Return the lowest limit of memory and its cgroup's folder."""
        found: tuple[int, str] | None = None
        for below in self._memory.below:
            folder = self._memory.mount + below
            limit = _number(f"{folder}/{_FILES[self._memory.version, 'memory']}")
            if limit and (found is None or limit < found[0]):
                found = limit, folder
        return found

    def _cores(self, folder: str) -> float | None:
        if self._cpu.version == 2:
            quota, _, period = _text(f"{folder}/cpu.max").strip().partition(" ")
        else:
            quota = _text(f"{folder}/cpu.cfs_quota_us").strip()
            period = _text(f"{folder}/cpu.cfs_period_us").strip()
        if not (quota.isdigit() and period.isdigit()) or int(period) == 0:  # "max", -1
            return None
        return int(quota) / int(period) or None


@cache
def here() -> Container:
    """Return the container that we are in; found once, for what we are in does not change."""
    return found(_ROOT)


class _Mount(NamedTuple):
    """A tree of cgroups that we can see: the cgroup that is its root, and where it is mounted."""

    root: str
    folder: str
    version: int
    controllers: frozenset[str]


def found(root: Path) -> Container:
    """Look for limits; ``root`` is `/`, or a folder that holds such files as are there."""
    if sys.platform != "linux":
        return Container(Branch(2, "", ()), Branch(2, "", ()), "")
    mounts: list[_Mount] = []
    own_meminfo = False
    for line in _text(f"{root}/proc/self/mountinfo").splitlines():
        where, _, what = line.partition(" - ")
        fields, kind = where.split(" "), what.split(" ")
        if len(fields) < 5 or len(kind) < 3:
            continue
        own_meminfo = own_meminfo or fields[4] == "/proc/meminfo"
        if kind[0] in {"cgroup", "cgroup2"}:
            folder = f"{root}{fields[4]}".replace("//", "/").replace("\\040", " ")
            version = 2 if kind[0] == "cgroup2" else 1
            mounts.append(_Mount(fields[3], folder, version, frozenset(kind[2].split(","))))
    paths = _paths_of_process_1(root)
    memory = _branch("memory", mounts, paths)
    cpu = _branch("cpu", mounts, paths)
    accounting = next((mount.folder for mount in mounts if "cpuacct" in mount.controllers), "")
    return Container(memory, cpu, accounting, own_meminfo=own_meminfo)


def _paths_of_process_1(root: Path) -> dict[str, str]:
    """Return the cgroup of process 1 by controller; version 2's is by the empty name."""
    paths: dict[str, str] = {}
    for line in _text(f"{root}/proc/1/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        paths |= dict.fromkeys(controllers.split(","), path)
    return paths or {"": "/"}  # hidden from us: what we see of the tree begins at its root


def _branch(controller: str, mounts: list[_Mount], paths: dict[str, str]) -> Branch:
    version = 1 if controller in paths else 2
    path = paths.get(controller, paths.get("", "/"))
    for mount in mounts:
        below = _below(path, mount.root)
        serves = mount.version == 2 or controller in mount.controllers
        if mount.version == version and serves and below is not None:
            steps = below.split("/")
            outwards = ["/".join(steps[:count]) for count in range(len(steps), 0, -1)]
            file = _FILES[version, controller]
            limiting = (up for up in outwards if Path(f"{mount.folder}{up}/{file}").exists())
            return Branch(version, mount.folder, tuple(limiting))
    return Branch(version, "", ())


def _below(path: str, root: str) -> str | None:
    """Return a cgroup's path below a mounted one, "" for that itself; None if it is elsewhere."""
    root = root.rstrip("/")
    path = path.rstrip("/")
    below = path.removeprefix(root)
    if not path.startswith(root) or (below and not below.startswith("/")):
        return None
    return None if below.startswith("/..") else below


def _text(path: str) -> str:
    """Read a file of /proc or /sys; "" where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 read each second
            return file.read()
    except OSError:
        return ""


def _number(path: str) -> int | None:
    """Read a file that holds one number; None for "max", and where there is no such file."""
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _less(number: int | None, what: int) -> int | None:
    return None if number is None else max(0, number - what)


def _table(path: str) -> dict[str, int]:
    """Read a file of names and numbers."""
    rows = (line.split() for line in _text(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
