"""Boots and their history in the store: fresh rows, sealed chunks, and rollups.

Whoever reads history asks here and need not know where it lies.
"""

from forge_collector.history.store.boots import (
    Boot,
    Standing,
    disown,
    forget,
    hand_over,
    open_boot,
    owner,
    set_clock_offset,
    set_host,
    set_late_since,
    set_live,
    set_returned,
    standing,
)
from forge_collector.history.store.chunks import RaceError, parts_of
from forge_collector.history.store.pruning import prune, prune_boots, prune_chunks, prune_rollups
from forge_collector.history.store.reading import (
    LastOfBoot,
    Recorded,
    last_of_boot,
    parts,
    recent,
    rollups,
    samples,
)
from forge_collector.history.store.sealing import (
    Due,
    ToMerge,
    boots_due,
    due,
    put,
    seal,
    spans_to_merge,
    to_merge,
    unsealed,
)
from forge_collector.history.store.snapshots import Row, append, as_columns

__all__ = [
    "Boot",
    "Due",
    "LastOfBoot",
    "RaceError",
    "Recorded",
    "Row",
    "Standing",
    "ToMerge",
    "append",
    "as_columns",
    "boots_due",
    "disown",
    "due",
    "forget",
    "hand_over",
    "last_of_boot",
    "open_boot",
    "owner",
    "parts",
    "parts_of",
    "prune",
    "prune_boots",
    "prune_chunks",
    "prune_rollups",
    "put",
    "recent",
    "rollups",
    "samples",
    "seal",
    "set_clock_offset",
    "set_host",
    "set_late_since",
    "set_live",
    "set_returned",
    "spans_to_merge",
    "standing",
    "to_merge",
    "unsealed",
]
