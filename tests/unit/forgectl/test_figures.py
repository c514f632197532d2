"""Figures as people read them."""

from __future__ import annotations

import pytest

from forgectl import figures


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "-"),
        (0, "0.0 %"),
        (3.25, "3.2 %"),
        (99.94, "99.9 %"),
        (99.96, "100 %"),
        (100, "100 %"),
    ],
)
def test_percent(value: float | None, words: str) -> None:
    assert figures.percent(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "-"),
        (0, "0 B/s"),
        (999, "999 B/s"),
        (999.6, "1.00 kB/s"),
        (1234, "1.23 kB/s"),
        (12_345, "12.3 kB/s"),
        (99_960, "100 kB/s"),
        (999_600, "1.00 MB/s"),
        (12_300_000_000, "12.3 GB/s"),
        (2.0**73, "9445 EB/s"),
    ],
)
def test_bytes_per_s(value: float | None, words: str) -> None:
    assert figures.bytes_per_s(value) == words


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (-5, "0 s"),
        (59_999, "59 s"),
        (90_000, "1 min"),
        (3 * 3_600_000, "3 h"),
        (47 * 3_600_000, "47 h"),
        (72 * 3_600_000, "3 d"),
    ],
)
def test_span(ms: int, words: str) -> None:
    assert figures.span(ms) == words


@pytest.mark.parametrize(
    ("name", "brief"),
    [("Debian GNU/Linux 12 (bookworm)", "Debian 12"), ("Windows 11", "Windows 11"), ("", "")],
)
def test_brief_os(name: str, brief: str) -> None:
    assert figures.brief_os(name) == brief
