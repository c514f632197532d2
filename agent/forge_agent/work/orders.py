"""What a worker tells the keeper of a job: one JSON line, and then what the program reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

_LONGEST_LINE: Final = 1024 * 1024
# The program is asked to end; so long it has to do so.
GRACE_S: Final = 5.0
TERM: Final = b'{"do": "term"}\n'
KILL: Final = b'{"do": "kill"}\n'


class Order(NamedTuple):
    """``argv``: the program, found already. ``report_fd``: where the keeper tells how it went.
    ``programs`` and ``readable``: what the job may start, and read. ``trusted``: start it even
    where it cannot be confined; ``trusting``: the command that says so. None: without such a
    limit."""

    argv: tuple[str, ...]
    env: dict[str, str]
    work_dir: Path
    document_bytes: int
    report_fd: int
    programs: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    network: bool = False
    trusted: bool = False
    trusting: str = ""
    wall_s: float | None = None
    memory_mib: int | None = None
    cpu_cores: int | None = None


def encode(order: Order) -> bytes:
    return json.dumps(order._asdict(), default=str).encode() + b"\n"


def read(read_some: Callable[[int], bytes]) -> tuple[Order, bytes, bytes]:
    """Return an order, the program's document, and what was read beyond; raises ValueError when it
    is no order."""
    received = b""
    while b"\n" not in received:
        part = read_some(65_536)
        if not part or len(received) > _LONGEST_LINE:
            raise ValueError("no order came")
        received += part
    line, _, rest = received.partition(b"\n")
    order = _order(json.loads(line))
    parts, missing = [rest], order.document_bytes - len(rest)
    while missing > 0:
        part = read_some(min(missing, 1024 * 1024))
        if not part:
            raise ValueError("the order ended early")
        parts.append(part)
        missing -= len(part)
    whole = b"".join(parts)
    return order, whole[: order.document_bytes], whole[order.document_bytes :]


def _order(told: dict[str, object]) -> Order:
    order = Order(**told)  # type: ignore[arg-type]  # what encode has written
    return order._replace(
        argv=tuple(order.argv),
        work_dir=Path(order.work_dir),
        programs=tuple(map(Path, order.programs)),
        readable=tuple(map(Path, order.readable)),
    )
