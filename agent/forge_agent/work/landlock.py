"""Landlock: a process gives up, for itself and all it starts, every file but those it names.

Kernels differ in how much of it they have (the ABI): files from 1 (5.13), TCP from 4 (6.7), signals
and abstract sockets of others from 6 (6.12).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from forge_agent.work import linux

_CREATE_RULESET_VERSION: Final = 1
_RULE_PATH_BENEATH: Final = 1

_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_MAKE_CHAR: Final = 1 << 6
_MAKE_BLOCK: Final = 1 << 11
_TRUNCATE: Final = 1 << 14
_IOCTL_DEV: Final = 1 << 15
# How many of the rights an ABI knows, counted from the lowest.
_RIGHTS_OF: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_OF_PLAIN_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

_TCP_FROM: Final = 4
_SCOPES_FROM: Final = 6
_BIND_AND_CONNECT_TCP: Final = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS: Final = 0b11

READ: Final = _READ_FILE | _READ_DIR
RUN: Final = READ | _EXECUTE
# All but device files.
CHANGE: Final = ~(_MAKE_CHAR | _MAKE_BLOCK | _IOCTL_DEV)
USE: Final = _READ_FILE | _WRITE_FILE


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_fs", ctypes.c_uint64),
        ("handled_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


@cache
def abi() -> int:
    """Return what this kernel has of Landlock; 0 for nothing, or when we may not use it."""
    if os.name != "posix" or os.uname().sysname != "Linux":
        return 0
    try:
        return linux.syscall(linux.LANDLOCK_CREATE_RULESET, 0, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def confines_signals() -> bool:
    return abi() >= _SCOPES_FROM


class Ruleset:
    """What is left to a process. ``tcp``: it may speak to others."""

    def __init__(self, *, tcp: bool) -> None:
        version = abi()
        self._handled = (1 << _RIGHTS_OF.get(version, max(_RIGHTS_OF.values()))) - 1
        given = _Ruleset(
            self._handled,
            0 if tcp or version < _TCP_FROM else _BIND_AND_CONNECT_TCP,
            _ABSTRACT_SOCKETS_AND_SIGNALS if version >= _SCOPES_FROM else 0,
        )
        # An older kernel takes the front of the structure.
        known = 3 if version >= _SCOPES_FROM else 2 if version >= _TCP_FROM else 1
        self._fd = linux.syscall(
            linux.LANDLOCK_CREATE_RULESET,
            ctypes.byref(given),
            known * ctypes.sizeof(ctypes.c_uint64),
            0,
        )

    def allow(self, paths: Iterable[str | Path], rights: int) -> None:
        """Leave what lies there, and below; what does not exist is left out. Raises OSError."""
        for path in paths:
            try:
                fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError as error:
                if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EACCES}:
                    continue
                raise
            try:
                self._add(fd, rights)
            finally:
                os.close(fd)

    def enforce(self) -> None:
        """Give up all else; there is no way back. Wants no_new_privileges before."""
        linux.syscall(linux.LANDLOCK_RESTRICT_SELF, self._fd, 0)
        os.close(self._fd)

    def _add(self, fd: int, rights: int) -> None:
        rights &= self._handled
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_PLAIN_FILES
        rule = _PathBeneath(rights, fd)
        linux.syscall(linux.LANDLOCK_ADD_RULE, self._fd, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
