"""The processes of a job: all that descends from its keeper, wherever it went."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from forge_agent.work import confinement

_MEMORY: Final = ("RssAnon:", "RssShmem:", "VmSwap:")
_MOST: Final = 65_536
_MOST_ROUNDS: Final = 100
_ROUND_S: Final = 0.02


def descendants(pid: int) -> list[int]:
    """Return the pids below a process, parents first."""
    if sys.platform != "linux":
        return _known_to_psutil(pid)
    found = _children(pid)
    for one in found:  # grows as it goes
        found.extend(_children(one))
        if len(found) > _MOST:
            break
    return found


def signal_all(pid: int, number: int) -> None:
    """Send a signal to all below a process."""
    for one in descendants(pid):
        _send(one, number)


def kill_all(pid: int) -> bool:
    """Kill all below a process, which adopts its orphans; return whether there were any. What is
    stopped first can have no more children while the others are looked for."""
    known: set[int] = set()
    while fresh := [one for one in descendants(pid) if one not in known]:
        for one in fresh:
            _send(one, signal.SIGSTOP)
        known.update(fresh)
        if len(known) > _MOST:
            break
    for one in known:
        _send(one, signal.SIGKILL)
    return bool(known)


def kill_all_of(user: int) -> None:
    """Kill all processes of a user, in one call that none of them can outrun."""
    with contextlib.suppress(OSError):
        pid = os.fork()
        if pid == 0:
            _kill_as(user)
        os.waitpid(pid, 0)


def _kill_as(user: int) -> None:
    """Become a user, and end all that is theirs; does not return."""
    try:
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        os.kill(-1, signal.SIGKILL)
    finally:
        os._exit(0)


def kill_all_at_home(folder: Path) -> None:
    """Kill the processes of a job whose keeper was killed: all of the user that its folder was
    given to; where that is our own, those whose home it is, or who are in it."""
    if sys.platform != "linux" or not folder.is_dir():
        return
    user = folder.stat().st_uid
    mark = b"\nUid:\t%d\t" % user if confinement.is_of_jobs(user) else None
    for _ in range(_MOST_ROUNDS):
        found = [pid for pid in _all() if _is_at_home(pid, os.fsencode(folder), mark)]
        if not found:
            return
        for pid in found:
            _send(pid, signal.SIGKILL)
        time.sleep(_ROUND_S)


def _is_at_home(pid: int, home: bytes, mark: bytes | None) -> bool:
    try:
        if mark is not None:
            status = Path(f"/proc/{pid}/status").read_bytes()
            return mark in status and b"\nState:\tZ" not in status
        if os.readlink(b"/proc/%d/cwd" % pid) == home:  # noqa: PTH115
            return True
        return b"\0HOME=" + home + b"\0" in b"\0" + Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False  # it has ended, or is not ours


def memory_bytes(pids: list[int]) -> int:
    """Return the memory that is theirs alone, in RAM or swapped out."""
    return sum(_memory_bytes_of(pid) for pid in pids)


def _known_to_psutil(pid: int) -> list[int]:
    """Return the pids below a process whose parents all live."""
    import psutil  # noqa: PLC0415  Linux does without

    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def _memory_bytes_of(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return sum(
        int(line.split()[1]) * 1024 for line in lines.splitlines() if line.startswith(_MEMORY)
    )


def _children(pid: int) -> list[int]:
    if not _has_lists_of_children():
        return [one for one in _all() if _parent_of(one) == pid]
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has ended
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            # Each thread has its own.
            with contextlib.suppress(OSError):
                listed = Path(f"/proc/{pid}/task/{thread}/children").read_bytes()
                found.extend(map(int, listed.split()))
    return found


@cache
def _has_lists_of_children() -> bool:
    """Tell whether the kernel was built with them."""
    return Path("/proc/thread-self/children").exists()


def _parent_of(pid: int) -> int:
    try:
        content = Path(f"/proc/{pid}/stat").read_bytes()
        # The program's name, in brackets, may hold anything.
        return int(content[content.rindex(b")") + 1 :].split()[1])
    except (OSError, ValueError, IndexError):
        return -1


def _all() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)
