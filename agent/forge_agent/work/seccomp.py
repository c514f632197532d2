"""A filter of system calls: no sockets but those granted, and no way around Landlock.

Landlock knows of TCP alone. A job could also send by UDP, or ask a service of this machine, by its
socket, to start a program outside of the job's own walls.
"""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from typing import Final

from forge_agent.work import linux
from forge_agent.work.linux import Numbers

_LOAD_WORD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06

_ALLOW: Final = 0x7FFF0000
_FAIL_WITH: Final = 0x00050000

# Where the call's parts lie in what a filter is shown.
_NUMBER_AT: Final = 0
_PROCESSOR_AT: Final = 4
_FIRST_ARGUMENT_AT: Final = 16
_IPV4_AND_IPV6: Final = (2, 10)  # Linux' own numbers; the module socket is large
_X32: Final = 0x40000000  # the bit of x86's second set of numbers


def is_possible() -> bool:
    """Tell whether this kernel has filters, and we know its processor's numbers."""
    return linux.numbers() is not None and Path("/proc/sys/kernel/seccomp").exists()


def confine(*, network: bool) -> None:
    """Keep such calls from this process and all it starts. Wants no_new_privileges before."""
    known = linux.numbers()
    if known is not None:
        linux.filter_calls(_program(known, network=network))


def _program(known: Numbers, *, network: bool) -> bytes:
    families = _IPV4_AND_IPV6 if network else ()
    denied = (
        known.add_key,  # the keys that the system holds for a user
        known.request_key,
        known.keyctl,
        known.perf_event_open,
        known.open_by_handle_at,  # files by their numbers, past the folders they lie in
        known.bpf,
        known.userfaultfd,
        linux.PIDFD_GETFD,
        known.shmget,  # memory and queues that stay when the job has ended, for others to find
        known.semget,
        known.msgget,
        known.mq_open,
    )
    no_such_call = _one(_RETURN, _FAIL_WITH | errno.ENOSYS)
    refused = _one(_RETURN, _FAIL_WITH | errno.EACCES)
    allowed = _one(_RETURN, _ALLOW)
    return b"".join(
        [
            _one(_LOAD_WORD, _PROCESSOR_AT),
            _one(_JUMP_IF_EQUAL, known.audit, if_so=1),
            no_such_call,
            _one(_LOAD_WORD, _NUMBER_AT),
            _one(_JUMP_IF_AT_LEAST, _X32, if_not=1),
            no_such_call,
            # It makes sockets too, and what programs do without it is the same.
            _one(_JUMP_IF_EQUAL, linux.IO_URING_SETUP, if_not=1),
            no_such_call,
            *(_one(_JUMP_IF_EQUAL, number, if_not=1) + refused for number in denied),
            # Limits of one's own are 0's; those of another process of the same user are not ours.
            _one(_JUMP_IF_EQUAL, known.prlimit64, if_not=4),
            _one(_LOAD_WORD, _FIRST_ARGUMENT_AT),
            _one(_JUMP_IF_EQUAL, 0, if_not=1),
            allowed,
            refused,
            _one(_JUMP_IF_EQUAL, known.socket, if_so=1),
            allowed,
            _one(_LOAD_WORD, _FIRST_ARGUMENT_AT),
            *(_one(_JUMP_IF_EQUAL, family, if_not=1) + allowed for family in families),
            refused,
        ]
    )


def _one(code: int, value: int, *, if_so: int = 0, if_not: int = 0) -> bytes:
    """Return an instruction; the jumps skip as many of those that follow."""
    return struct.pack("=HBBI", code, if_so, if_not, value)
