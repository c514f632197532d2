"""Boots: each one run of an agent."""

from __future__ import annotations

from typing import Final, NamedTuple

from forge_collector.db import Tx

_LAST_BOOT: Final = "last_boot"


class Boot(NamedTuple):
    """One run of an agent. ``boot`` stands for (node_id, boot_id) in the store. ``was_live``:
    whether a snapshot of it was ever pushed live; one that was only replayed may yet go live.
    ``sealed_seq``: the greatest seq of it that was ever sealed."""

    boot: int
    clock_offset_ms: int | None
    was_live: bool
    sealed_seq: int = -1


def open_boot(tx: Tx, node_id: str, boot_id: str) -> Boot:
    """Return the boot, made now if it was not known."""
    row = tx.execute(
        """
        SELECT boot, clock_offset_ms, was_live, COALESCE(sealed_seq, -1) FROM boots
        WHERE node_id = :node_id AND boot_id = :boot_id
        """,
        {"node_id": node_id, "boot_id": boot_id},
    ).fetchone()
    if row is not None:
        return Boot(row[0], row[1], was_live=bool(row[2]), sealed_seq=row[3])
    boot = _next_boot(tx)
    tx.execute(
        """
        INSERT INTO boots (boot, node_id, boot_id, was_live) VALUES (:boot, :node_id, :boot_id, 0)
        """,
        {"boot": boot, "node_id": node_id, "boot_id": boot_id},
    )
    return Boot(boot, None, was_live=False)


def _next_boot(tx: Tx) -> int:
    """Return a number that no boot has or ever had: what is under way for one that was removed
    must not end up under another."""
    (boot,) = tx.execute(
        """
        INSERT INTO collector (key, value)
        SELECT :key, COALESCE(MAX(boot), 0) + 1 FROM boots WHERE 1 = 1
        ON CONFLICT (key) DO UPDATE SET value = collector.value + 1
        RETURNING value
        """,
        {"key": _LAST_BOOT},
    ).fetchone()
    return int(boot)


def set_live(tx: Tx, boot: int) -> None:
    tx.execute("UPDATE boots SET was_live = 1 WHERE boot = :boot", {"boot": boot})


def set_clock_offset(tx: Tx, boot: int, offset_ms: int) -> None:
    """Keep a boot's first measured clock offset; later ones change nothing."""
    tx.execute(
        """
        UPDATE boots SET clock_offset_ms = :offset_ms
        WHERE boot = :boot AND clock_offset_ms IS NULL
        """,
        {"boot": boot, "offset_ms": offset_ms},
    )


def forget(tx: Tx, node_id: str) -> None:
    """Cut a node's boots loose; pruning then removes their history bit by bit."""
    tx.execute("UPDATE boots SET node_id = NULL WHERE node_id = :node_id", {"node_id": node_id})
