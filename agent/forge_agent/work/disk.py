"""Whether a job fills the disk that its folder lies on, and with it what others write."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_LEAST_FREE_BYTES: Final = 512 * 1024 * 1024
_LEAST_PART: Final = 20  # of a small disk
_BLOCK_BYTES: Final = 512  # as stat counts them, whatever the file system's are


def is_filled_by(folder: Path) -> bool:
    """Tell whether next to nothing is free, and the folder holds more than that itself. Raises
    OSError."""
    disk = os.statvfs(folder)
    least = min(_LEAST_FREE_BYTES, disk.f_blocks * disk.f_frsize // _LEAST_PART)
    return disk.f_bavail * disk.f_frsize < least and _holds(folder, least)


def _holds(folder: Path, most: int) -> bool:
    """Tell whether files take more than so many bytes; what cannot be looked at is left out."""
    taken = 0
    for inner, _, names in os.walk(folder):
        for name in names:
            try:
                taken += os.lstat(os.path.join(inner, name)).st_blocks * _BLOCK_BYTES  # noqa: PTH118
            except OSError:
                continue
        if taken > most:
            return True
    return False
