"""How the spool is cut: segments on disk, batches on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

SEGMENT_BYTES: Final = 4 * 1024 * 1024
BATCH_LINES: Final = 500
# The collector takes 8 MiB; a slow line must carry a batch within one request's time.
BATCH_BYTES: Final = 512 * 1024


class Cut(NamedTuple):
    """The lines to send, how many they are, and how many bytes of the file they stand for."""

    body: bytes
    lines: int
    consumed: int


def segment_bytes(limit: int) -> int:
    """Return how large a segment may grow: dropping one must not empty a small spool."""
    return min(SEGMENT_BYTES, limit // 8)


def segments_to_drop(sizes: Sequence[int], incoming: int, limit: int) -> int:
    """Return how many of the oldest segments must go before ``incoming`` more bytes fit."""
    total = sum(sizes) + incoming
    dropped = 0
    while total > limit and dropped < len(sizes):
        total -= sizes[dropped]
        dropped += 1
    return dropped


def cut(chunk: bytes, max_lines: int) -> Cut:
    """Return the first whole lines of a chunk.

    Blank lines are passed over, as the collector passes over them: its answer counts the others.
    Damaged lines are sent as they are, for the collector to name.
    """
    kept: list[bytes] = []
    start = 0
    while len(kept) < max_lines:
        end = chunk.find(b"\n", start) + 1
        if end == 0:
            break
        line = chunk[start:end]
        if line.strip():
            kept.append(line)
        start = end
    return Cut(b"".join(kept), len(kept), start)
