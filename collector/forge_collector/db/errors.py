"""What can go wrong with the store, whatever the engine."""


class DatabaseError(Exception):
    """The store could not do what it was asked; nothing of it was kept."""


class ConflictError(DatabaseError):
    """A row broke a uniqueness or other constraint. The unit rolled back alone."""


class StorageFullError(DatabaseError):
    """The disk, or the size the database may have, is full. Make room and try again."""


class OverloadedError(DatabaseError):
    """More units wait for the writer than it can take in reasonable time. Try again later."""


class TooSlowError(DatabaseError):
    """A read took longer than a reader may take, and was interrupted."""
