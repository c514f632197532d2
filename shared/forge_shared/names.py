"""What a node may be called."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 64  # of an id, and of a name that people give
NODE_ID_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
NODE_ID_HELP: Final = (
    "a node id begins with a letter or digit and goes on with letters, digits, '.', '_' or '-', "
    "64 characters at most"
)

_NODE_ID = re.compile(NODE_ID_PATTERN)
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")


def is_node_id(text: str) -> bool:
    return _NODE_ID.fullmatch(text) is not None


def node_id_from(hostname: str) -> str:
    """Return the node id nearest to a host name; ``node`` when nothing of it can be kept."""
    kept = _FOREIGN.sub("-", hostname).strip("._-")[:LONGEST]
    return kept or "node"


def with_suffix(text: str, suffix: str) -> str:
    """Return an id or a name with something appended, of it as much as there is room for."""
    return text[: LONGEST - len(suffix)] + suffix
