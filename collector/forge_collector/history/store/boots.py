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


class Standing(NamedTuple):
    """How a boot stands to the others of its node. ``late_since_ms``: when it pushed live although
    another had followed it, by the listening clock. ``has_returned``: it became the live one again
    after that. ``host``: the facts it told, JSON."""

    boot: int
    boot_id: str
    was_live: bool
    late_since_ms: int | None
    has_returned: bool
    host: str | None


def open_boot(tx: Tx, node_id: str, boot_id: str, pushed_as: str | None = None) -> Boot:
    """Return the boot, made now if it was not known. ``pushed_as``: the node it is pushed to, where
    that is another."""
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
        INSERT INTO boots (boot, node_id, boot_id, was_live, pushed_as)
        VALUES (:boot, :node_id, :boot_id, 0, :pushed_as)
        """,
        {"boot": boot, "node_id": node_id, "boot_id": boot_id, "pushed_as": pushed_as},
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


def owner(tx: Tx, pushed_as: str, boot_id: str) -> str | None:
    """Return the node that a boot belongs to which is pushed to another."""
    row = tx.execute(
        """
        SELECT node_id FROM boots
        WHERE pushed_as = :pushed_as AND boot_id = :boot_id AND node_id IS NOT NULL
        """,
        {"pushed_as": pushed_as, "boot_id": boot_id},
    ).fetchone()
    return None if row is None else str(row[0])


def standing(tx: Tx, node_id: str, boot_id: str) -> Standing | None:
    row = tx.execute(
        """
        SELECT boot, was_live, late_since_ms, COALESCE(has_returned, 0), host FROM boots
        WHERE node_id = :node_id AND boot_id = :boot_id
        """,
        {"node_id": node_id, "boot_id": boot_id},
    ).fetchone()
    if row is None:
        return None
    boot, was_live, late_since_ms, has_returned, host = row
    return Standing(boot, boot_id, bool(was_live), late_since_ms, bool(has_returned), host)


def set_late_since(tx: Tx, boot: int, late_since_ms: int | None) -> None:
    tx.execute(
        "UPDATE boots SET late_since_ms = :late_since_ms WHERE boot = :boot",
        {"boot": boot, "late_since_ms": late_since_ms},
    )


def set_returned(tx: Tx, boot: int) -> None:
    """Keep that a boot became the live one again after another had followed it."""
    tx.execute(
        "UPDATE boots SET late_since_ms = NULL, has_returned = 1 WHERE boot = :boot",
        {"boot": boot},
    )


def set_host(tx: Tx, boot: int, host: str) -> None:
    """Keep the facts a boot told, JSON."""
    tx.execute("UPDATE boots SET host = :host WHERE boot = :boot", {"boot": boot, "host": host})


def hand_over(tx: Tx, boot: int, node_id: str, pushed_as: str | None) -> None:
    """Make a boot, and with it its history, another node's."""
    tx.execute(
        "UPDATE boots SET node_id = :node_id, pushed_as = :pushed_as WHERE boot = :boot",
        {"boot": boot, "node_id": node_id, "pushed_as": pushed_as},
    )


def disown(tx: Tx, node_id: str) -> None:
    """From now on nothing that is pushed to another node belongs to this one."""
    tx.execute("UPDATE boots SET pushed_as = NULL WHERE node_id = :node_id", {"node_id": node_id})


def forget(tx: Tx, node_id: str) -> None:
    """Cut a node's boots loose; pruning then removes their history bit by bit."""
    tx.execute(
        "UPDATE boots SET node_id = NULL, pushed_as = NULL WHERE node_id = :node_id",
        {"node_id": node_id},
    )
