"""Nodes in the store, the pushes that come for them, and those that share a token."""

from forge_collector.fleet.store.nodes import (
    NodeRow,
    NoSuchNodeError,
    count,
    edit,
    exists,
    find,
    forget,
    keep_last,
    listened,
    load,
    set_listened,
)
from forge_collector.fleet.store.pushes import Stored, ingest
from forge_collector.fleet.store.siblings import Receipt, RevokedError

__all__ = [
    "NoSuchNodeError",
    "NodeRow",
    "Receipt",
    "RevokedError",
    "Stored",
    "count",
    "edit",
    "exists",
    "find",
    "forget",
    "ingest",
    "keep_last",
    "listened",
    "load",
    "set_listened",
]
