"""Snapshots to push."""

from __future__ import annotations

import time
import uuid
from typing import Any


def new_boot() -> str:
    return str(uuid.uuid4())


def snapshot(boot_id: str, seq: int, *, ts: int | None = None, cpu: float = 1.0) -> dict[str, Any]:
    return {
        "seq": seq,
        "boot_id": boot_id,
        "ts": int(time.time() * 1000) if ts is None else ts,
        "values": {"cpu.pct": cpu, "mem.pct": 42.0},
    }
