"""The Database: one writer that commits in groups, many short readers.

SQLite is the engine now; what a second engine must do is `engine.Engine`, and the conformance
suite in tests/integration says whether it does.
"""

from forge_collector.db.database import Database
from forge_collector.db.engine import Rows, Tx, Value
from forge_collector.db.errors import (
    ConflictError,
    DatabaseError,
    OverloadedError,
    StorageFullError,
)
from forge_collector.db.sqlite import SqliteEngine

__all__ = [
    "ConflictError",
    "Database",
    "DatabaseError",
    "OverloadedError",
    "Rows",
    "SqliteEngine",
    "StorageFullError",
    "Tx",
    "Value",
]
