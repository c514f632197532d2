"""Linux' calls that Python has no name for: what a process may give up before it starts another."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from functools import cache
from typing import Any, Final, NamedTuple

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_KEEPCAPS: Final = 8
_PR_SET_SECCOMP: Final = 22
_PR_CAPBSET_DROP: Final = 24
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_RAISE: Final = 2
_SECCOMP_MODE_FILTER: Final = 2

CAP_CHOWN: Final = 0
CAP_DAC_READ_SEARCH: Final = 2
CAP_KILL: Final = 5
CAP_SETGID: Final = 6
CAP_SETUID: Final = 7
_MOST_CAPABILITIES: Final = 64
_CAPABILITIES_VERSION_3: Final = 0x20080522

_IOPRIO_WHO_PROCESS: Final = 1
_IOPRIO_IDLE: Final = 3 << 13


class Numbers(NamedTuple):
    """A processor's numbers of the calls that we make, or keep from others. ``audit``: how seccomp
    names the processor. Those above 400 are the same everywhere."""

    audit: int
    socket: int
    ioprio_set: int
    capset: int
    add_key: int
    request_key: int
    keyctl: int
    perf_event_open: int
    open_by_handle_at: int
    bpf: int
    userfaultfd: int
    prlimit64: int
    shmget: int
    semget: int
    msgget: int
    mq_open: int


IO_URING_SETUP: Final = 425
PIDFD_GETFD: Final = 438
LANDLOCK_CREATE_RULESET: Final = 444
LANDLOCK_ADD_RULE: Final = 445
LANDLOCK_RESTRICT_SELF: Final = 446

_NUMBERS: Final = {
    "x86_64": Numbers(
        audit=0xC000003E,
        socket=41,
        ioprio_set=251,
        capset=126,
        add_key=248,
        request_key=249,
        keyctl=250,
        perf_event_open=298,
        open_by_handle_at=304,
        bpf=321,
        userfaultfd=323,
        prlimit64=302,
        shmget=29,
        semget=64,
        msgget=68,
        mq_open=240,
    ),
    "aarch64": Numbers(
        audit=0xC00000B7,
        socket=198,
        ioprio_set=30,
        capset=91,
        add_key=217,
        request_key=218,
        keyctl=219,
        perf_event_open=241,
        open_by_handle_at=265,
        bpf=280,
        userfaultfd=282,
        prlimit64=261,
        shmget=194,
        semget=190,
        msgget=186,
        mq_open=180,
    ),
}


class _SockFprog(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def numbers() -> Numbers | None:
    """Return this processor's numbers; None for one that we do not know, or a program that does not
    speak its language."""
    return _NUMBERS.get(os.uname().machine) if ctypes.sizeof(ctypes.c_void_p) == 8 else None


def syscall(number: int, *arguments: Any) -> int:
    """Make a call by its number; raises OSError."""
    return _checked(
        _libc().syscall(
            ctypes.c_long(number),
            *(ctypes.c_long(given) if isinstance(given, int) else given for given in arguments),
        )
    )


def prctl(option: int, *arguments: Any) -> None:
    padded = [*arguments, 0, 0, 0, 0][:4]
    _checked(
        _libc().prctl(
            ctypes.c_int(option),
            *(ctypes.c_ulong(given) if isinstance(given, int) else given for given in padded),
        )
    )


def adopt_orphans() -> None:
    """Become the parent of descendants whose own has ended, in the place of init."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(signal_number: int) -> None:
    """Be sent a signal when the parent ends, however that comes about."""
    prctl(_PR_SET_PDEATHSIG, signal_number)


def no_new_privileges() -> None:
    """Give up for good, for this process and what it starts, what set-user-id programs bring."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def filter_calls(program: bytes) -> None:
    """Put a seccomp filter, of 8-byte instructions, in front of all calls from now on."""
    given = _SockFprog(len(program) // 8, program)
    prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(given))


def idle_io() -> None:
    """Read and write only while nobody else wants to."""
    known = numbers()
    if known is not None:
        syscall(known.ioprio_set, _IOPRIO_WHO_PROCESS, 0, _IOPRIO_IDLE)


# --- capabilities ---------------------------------------------------------------------------------


def has_capabilities(wanted: Iterable[int]) -> bool:
    """Tell whether this process holds all of them."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
            held = next((int(line[7:], 16) for line in status if line.startswith("CapEff:")), 0)
    except OSError:
        return False
    return all(held >> number & 1 for number in wanted)


def keep_capabilities() -> None:
    """Have the next change of user leave the permitted ones."""
    prctl(_PR_SET_KEEPCAPS, 1)


def never_more_capabilities(but: int | None) -> None:
    """Empty what programs started from here may be given, of all but one."""
    for number in range(_MOST_CAPABILITIES):
        if number == but:
            continue
        try:
            prctl(_PR_CAPBSET_DROP, number)
        except OSError:
            return  # past the last that this kernel knows


def only_capability(number: int | None) -> None:
    """Give up all capabilities but one, or all; what is started keeps the one."""
    known = numbers()
    if known is None:
        raise OSError("the calls of this processor are not known")
    bits = 0 if number is None else 1 << number
    data = (_CapData * 2)(_CapData(bits, bits, bits), _CapData(0, 0, 0))
    header = _CapHeader(_CAPABILITIES_VERSION_3, 0)
    syscall(known.capset, ctypes.byref(header), ctypes.byref(data))
    if number is not None:
        prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(returned: int) -> int:
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return returned
