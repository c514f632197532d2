"""Sizes as people type them."""

from __future__ import annotations

import pytest

from forgectl import sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1024", 1024),
        ("512MiB", 512 * 2**20),
        (" 8 gib ", 2**33),
        ("8GB", 8 * 10**9),
        ("1.5GiB", 3 * 2**29),
        ("2TiB", 2**41),
        ("7b", 7),
    ],
)
def test_what_is_understood(text: str, size: int) -> None:
    assert sizes.read_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1", "8 apples", "8g", "8i", "1e9", "²", "8 G B"])
def test_what_is_not(text: str) -> None:
    with pytest.raises(ValueError, match="8GiB"):
        sizes.read_bytes(text)


def test_told_exactly() -> None:
    told = [sizes.told(size) for size in (1, 1000, 1024, 2**33, 3 * 2**29, 2**43)]
    assert told == ["1 B", "1000 B", "1 KiB", "8 GiB", "1536 MiB", "8 TiB"]
    assert all(sizes.read_bytes(text) for text in told)
