"""Spools as an agent leaves them after an outage, made in no time: in the files' real format, and
by the agent's own code."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

from forge_agent import spool_owner
from forge_agent.core import spooling
from forge_agent.log import Log
from forge_agent.spool import Spool
from tests.unit.fleet.feeding import boot_id

HOUR_S = 3600
_LIMIT_BYTES = 256 * 1024 * 1024


def values(number: int) -> dict[str, float]:
    """Return 40 values, the first of which tells one snapshot from another."""
    return {
        "cpu.pct": number % 1000 / 10,
        **{f"cpu.core_pct/{core}": (number + core) % 200 / 2 for core in range(16)},
        **{f"disk.used_bytes//srv/{disk}": (disk + 1) * 10**9 for disk in range(11)},
        **{f"net.rx_bytes_per_s/eth{port}": (number * port) % 1000 for port in range(12)},
    }


def fill(state_dir: Path, node_id: str, *, hours: int, step_s: int, boots: int) -> int:
    """Spool so many hours up to now in so many runs of an agent; return how many snapshots."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = Log(io.StringIO(), human=False)
    spool_owner.settle(state_dir, node_id, log)
    count = hours * HOUR_S // step_s
    ends_ms = int(time.time() * 1000) - 60_000
    each = -(-count // boots)
    for boot in range(boots):
        spool = Spool(state_dir / "spool", _LIMIT_BYTES, log)
        for number in range(boot * each, min(count, (boot + 1) * each)):
            snapshot = {
                "seq": number - boot * each,
                "boot_id": boot_id(boot + 1),
                "ts": ends_ms - (count - 1 - number) * step_s * 1000,
                "values": values(number),
            }
            spool.append(json.dumps(snapshot, separators=(",", ":")).encode() + b"\n")
        spool.close()
    assert spooling.SEGMENT_BYTES < _LIMIT_BYTES
    return count
