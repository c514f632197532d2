"""Whose snapshots the spool holds: what one node measured must not be sent as another's.

The state folder remembers the node in ``spool/node-id``. When NODE_ID has become another, the spool
is set aside whole, as ``spool-of-OLD``; it is taken up again when the id comes back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from forge_agent.log import Log
from forge_shared import names

_NODE_ID: Final = "node-id"


def settle(state_dir: Path, node_id: str, log: Log) -> None:
    """See to it that ``state_dir/spool`` is this node's; raises OSError."""
    spool = state_dir / "spool"
    before = owner(spool)
    if before is not None and before != node_id:
        aside = _free(state_dir / f"spool-of-{before}")
        spool.rename(aside)
        log.event("spool_set_aside", owner=before, folder=aside.name)
    own = state_dir / f"spool-of-{node_id}"
    if own.is_dir() and not spool.exists():
        own.rename(spool)
    if owner(spool) is None:
        _claim(spool, node_id)


def owner(spool: Path) -> str | None:
    """Return the node a spool says it is of; None where it does not, or there is none."""
    try:
        text = (spool / _NODE_ID).read_text("ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return text if names.is_node_id(text) else None


def _claim(spool: Path, node_id: str) -> None:
    """Whole or not at all: half an id is another node's."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = spool / f"{_NODE_ID}.tmp"
    draft.write_text(node_id, "ascii")
    draft.replace(spool / _NODE_ID)


def _free(wanted: Path) -> Path:
    """Return this path, or with a number where there is one already."""
    number, path = 1, wanted
    while path.exists():
        number += 1
        path = wanted.with_name(f"{wanted.name}~{number}")
    return path
