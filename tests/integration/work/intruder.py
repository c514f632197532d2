"""A job's program that tries what no job may; it tells what it could do all the same."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PTRACE_ATTACH = 16

done: list[str] = []


def attempt(what: str, does: Callable[..., Any], *given: Any) -> None:
    try:
        does(*given)
    except OSError:
        return
    done.append(what)


def read(path: str | Path) -> None:
    with Path(path).open("rb") as file:
        file.read(64)


def write(path: str | Path) -> None:
    with Path(path).open("ab") as file:
        file.write(b"x")


def read_by_a_link(path: str) -> None:
    link = Path("by-a-link")
    link.symlink_to(path)
    try:
        read(link)
    finally:
        link.unlink()


def trace(pid: int) -> None:
    if ctypes.CDLL(None).ptrace(PTRACE_ATTACH, pid, 0, 0) != 0:
        raise OSError


def leave_memory_behind() -> None:
    if ctypes.CDLL(None).shmget(0, 4096, 0o1600) < 0:
        raise OSError


def leave_a_queue_behind() -> None:
    if ctypes.CDLL(None).msgget(0, 0o1600) < 0:
        raise OSError


def become_root() -> None:
    os.setresuid(0, 0, 0)
    os.chown("/proc/self/environ", 1, 1)  # as root without root's rights cannot


def try_all(files: list[str], folders: list[str], pids: list[int]) -> None:
    for path in files:
        attempt(f"read {path}", read, path)
        attempt(f"write {path}", write, path)
        attempt(f"link {path}", os.link, path, "linked")
        attempt(f"read a link to {path}", read_by_a_link, path)
    for folder in folders:
        attempt(f"list {folder}", os.scandir, folder)
        attempt(f"write into {folder}", write, Path(folder, "left-by-a-job"))
    for pid in pids:
        for name in ("environ", "mem", "maps", "cmdline"):
            attempt(f"read {name} of {pid}", read, f"/proc/{pid}/{name}")
        attempt(f"list open files of {pid}", os.scandir, f"/proc/{pid}/fd")
        attempt(f"signal {pid}", os.kill, pid, 0)
        attempt(f"trace {pid}", trace, pid)
        attempt(f"limit {pid}", resource.prlimit, pid, resource.RLIMIT_NOFILE)
    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            attempt(f"a socket of {family!r}, {kind!r}", socket.socket, family, kind)
    attempt("become root", become_root)
    attempt("leave memory behind", leave_memory_behind)
    attempt("leave a queue behind", leave_a_queue_behind)


def do_what_every_job_may() -> None:
    Path("own").write_text("x")
    Path("own").rename("renamed")
    Path("folder").mkdir()
    os.link("renamed", "folder/linked")
    write(os.devnull)
    read("/dev/urandom")
    read("/proc/self/environ")
    for end in socket.socketpair():
        end.close()


wanted = json.load(sys.stdin)["payload"]
try_all(wanted["files"], wanted["folders"], [*wanted["pids"], os.getppid()])
do_what_every_job_may()
told = {"done": done, "uid": os.getuid(), "groups": os.getgroups(), "env": dict(os.environ)}
print(json.dumps(told))  # noqa: T201
