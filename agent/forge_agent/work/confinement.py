"""What a job is kept from: the agent's token and settings, other people's files and programs.

As root a job runs as a user of its own; as anybody, within Landlock, where the kernel has it. Both
where both are there. A filter of system calls keeps sockets from it.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from forge_agent.work import landlock, linux, seccomp

TRUSTING: Final = "work on --trust-plugins"  # words of `forge-agent`
# A user for each job: this and the pid of its keeper, so that no two that live are the same. No
# account is made; systemd gives the range to nobody.
_FIRST_USER: Final = 1_900_000_000

_PROGRAMS: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_READABLE: Final = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/timezone",
    "/proc/self",  # of the program itself: those it starts have none
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/version",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
)
_COLLECTORS_STORE: Final = "fleet.db"  # in the folder of its data
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_OF_THE_NETWORK: Final = (
    "/etc/ca-certificates",
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/pki/ca-trust",  # beside which private keys lie
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/openssl.cnf",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
)


class Means(NamedTuple):
    """What there is to confine a job with."""

    another_user: bool
    landlock: int
    filter: bool

    @property
    def suffice(self) -> bool:
        return self.another_user or self.landlock > 0


class Walls(NamedTuple):
    """What is left to a job. ``work_dir``: its own, to change as it likes; ``programs``: folders to
    read and to start programs from."""

    work_dir: Path
    programs: tuple[Path, ...]
    readable: tuple[Path, ...]
    network: bool


def means() -> Means:
    if sys.platform != "linux":
        return Means(another_user=False, landlock=0, filter=False)
    return Means(
        another_user=os.geteuid() == 0
        and linux.numbers() is not None
        and linux.has_capabilities(
            (linux.CAP_CHOWN, linux.CAP_KILL, linux.CAP_SETGID, linux.CAP_SETUID)
        )
        and _is_mapped(_FIRST_USER),
        landlock=landlock.abi(),
        filter=seccomp.is_possible(),
    )


def missing() -> str:
    """Return why jobs cannot be confined here; empty when they can."""
    if means().suffice:
        return ""
    if sys.platform != "linux":
        return (
            "this system has no means that the agent knows to keep a job from the agent's own"
            " files, its token among them"
        )
    return (
        "jobs cannot be kept from the agent's own files, its token among them: the agent is not"
        " root, so they run as the same user, and this kernel has no Landlock (Linux 5.13 and"
        " newer, where it is not switched off)"
    )


def refusal(trusting: str) -> str:
    """Say why a job is not started, and what the owner would say to have it started."""
    return f"{missing()}. `{trusting}` has them run all the same"


def out_of_reach(folder: Path) -> str:
    """Return why no job could get to its folder within this one; empty when it can."""
    have = means()
    if not have.another_user or not _closed_on_the_way(folder / "it"):
        return ""
    if have.landlock and linux.has_capabilities((linux.CAP_DAC_READ_SEARCH,)):
        return ""
    return (
        "jobs are users of their own here, and without Landlock cannot pass through closed folders:"
        f" chmod o+x {folder}"
    )


def described() -> str:
    """Return what confines jobs here, in few words."""
    have = means()
    parts = []
    if have.another_user:
        parts.append("a user of its own for each")
    if have.landlock:
        parts.append(f"Landlock (ABI {have.landlock})")
    if have.filter:
        parts.append("no sockets but granted ones")
    if have.suffice and not have.another_user and not landlock.confines_signals():
        parts.append("may signal other programs of this user")
    return "; ".join(parts) if have.suffice else "none"


def user_of(keeper_pid: int) -> int:
    return _FIRST_USER + keeper_pid


def is_of_jobs(user: int) -> bool:
    """Tell whether a user is one that only jobs are."""
    return user > _FIRST_USER


def exposed(paths: Iterable[Path], protected: Sequence[Path]) -> Path | None:
    """Return the first of the paths through which a job would see, or reach, something protected.
    What lies below something protected, such as a plugin in the state folder, is no such path."""
    kept = [Path(os.path.realpath(one)) for one in protected]
    for path in paths:
        real = Path(os.path.realpath(path))
        if any(one.is_relative_to(real) for one in kept):
            return path
    return None


def is_protected(path: Path, protected: Sequence[Path]) -> bool:
    """Tell whether a path that is granted shows something protected, or lies in it, or in the data
    of a collector."""
    real = Path(os.path.realpath(path))
    return (
        exposed((real,), protected) is not None
        or any(real.is_relative_to(os.path.realpath(one)) for one in protected)
        or any(os.path.isfile(one / _COLLECTORS_STORE) for one in (real, *real.parents))  # noqa: PTH113
    )


def out_of_their_reach(jobs_in: Path, programs: Iterable[Path], readable: Sequence[Path]) -> str:
    """Return what of these a job that is a user of its own could not have, and what opens it; or
    "". ``jobs_in``: the folder of the jobs' own; ``readable``: what was granted."""
    for path in readable:
        if opening := _opening((path,)):
            return f"{path} is closed to jobs, which are users of their own here: {opening}"
    opening = _opening(programs, jobs_in)
    if not opening:
        return ""
    # What lets a job pass through closed folders lets it read closed files as well.
    folder = next((path for path in readable if path.is_dir()), None)
    if folder is not None:
        return (
            f"a job that may read the folder {folder} may not pass through closed ones, and must to"
            f" get to its programs: {opening}"
        )
    if means().landlock and linux.has_capabilities((linux.CAP_DAC_READ_SEARCH,)):
        return ""
    return f"jobs are users of their own here, who cannot get to their programs: {opening}"


def confine(walls: Walls, user: int | None) -> None:
    """Confine this process, which has one thread, and all that it starts; raises OSError.

    ``user``: become this one; None: stay who we are. What is not to be had here is left out:
    whether it suffices is for `means`.
    """
    have = means()
    ruleset = _ruleset(walls) if have.landlock else None
    _give_up_rights(walls, user, within_landlock=ruleset is not None)
    linux.no_new_privileges()
    if ruleset is not None:
        ruleset.enforce()
    if have.filter:
        seccomp.confine(network=walls.network)


def _ruleset(walls: Walls) -> landlock.Ruleset:
    ruleset = landlock.Ruleset(tcp=walls.network)
    ruleset.allow((*_PROGRAMS, *walls.programs), landlock.RUN)
    ruleset.allow((*_READABLE, *walls.readable), landlock.READ)
    ruleset.allow(_DEVICES, landlock.USE)
    ruleset.allow((walls.work_dir,), landlock.CHANGE)
    if walls.network:
        ruleset.allow(_OF_THE_NETWORK, landlock.READ)
    return ruleset


def _give_up_rights(walls: Walls, user: int | None, *, within_landlock: bool) -> None:
    if user is None:
        if os.geteuid() == 0:  # which alone is given capabilities by starting a program
            linux.never_more_capabilities(None)
            linux.only_capability(None)
        return
    jobs_in = walls.work_dir.parent
    if why := out_of_their_reach(jobs_in, walls.programs, walls.readable):
        raise PermissionError(errno.EACCES, why)
    # An interpreter in root's own home is out of another user's reach. Within Landlock, which
    # names what may be read, the job may pass through folders that are not open to it.
    through = bool(_opening(walls.programs, jobs_in))
    if through and not within_landlock:
        raise PermissionError(errno.EACCES, "it is closed to the other user that the job runs as")
    kept = linux.CAP_DAC_READ_SEARCH if through else None
    if kept is not None:
        linux.keep_capabilities()
    linux.never_more_capabilities(kept)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    if kept is not None:
        linux.only_capability(kept)


def _opening(to_read: Iterable[Path], to_pass: Path | None = None) -> str:
    """Return the commands that would let everybody read the paths, where they are there, and pass
    through a folder; "" where they can."""
    there = [path for path in to_read if os.path.exists(path)]  # noqa: PTH110  it never raises
    ways = there if to_pass is None else [*there, to_pass / "it"]
    folders = dict.fromkeys(folder for way in ways for folder in _closed_on_the_way(way))
    commands = [f"chmod o+x {shlex.join(map(str, folders))}"] if folders else []
    for path in there:
        mode = path.stat().st_mode
        wanted, word = (0o005, "rx") if stat.S_ISDIR(mode) else (0o004, "r")
        if mode & wanted != wanted:
            commands.append(f"chmod o+{word} {shlex.quote(str(path))}")
    return " && ".join(dict.fromkeys(commands))


def _closed_on_the_way(path: Path) -> list[Path]:
    """Return the folders above a path, and above what it is a link to, that others cannot pass."""
    above = dict.fromkeys((*path.parents, *Path(os.path.realpath(path)).parents))
    return [one for one in reversed(above) if not one.stat().st_mode & stat.S_IXOTH]


def _is_mapped(user: int) -> bool:
    """Tell whether such a user exists in this user namespace: a container may have only some."""
    try:
        ranges = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
        return any(
            int(first) <= user and user + 2**22 <= int(first) + int(count)
            for first, _, count in (line.split() for line in ranges)
        )
    except (OSError, ValueError):
        return False
