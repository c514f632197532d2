"""Moments as people type them."""

from __future__ import annotations

from datetime import datetime

import pytest

from forgectl import moments

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("text", "unix_ms"),
    [
        ("0s", NOW),
        ("90s", NOW - 90_000),
        ("30m", NOW - 1_800_000),
        (" 6h ", NOW - 6 * 3_600_000),
        ("2d", NOW - 2 * 86_400_000),
        ("1w", NOW - 7 * 86_400_000),
        ("999999999w", 0),
        ("1795258874901", 1_795_258_874_901),
        ("2027-01-15T08:00:00Z", NOW),
        ("2027-01-15T09:00:00+01:00", NOW),
        ("2027-01-15T08:00:00.123Z", NOW + 123),
    ],
)
def test_what_is_understood(text: str, unix_ms: int) -> None:
    assert moments.read(text, NOW) == unix_ms


def test_without_a_zone_it_is_this_machines() -> None:
    local = datetime(2027, 1, 15, 8, 30).astimezone()
    assert moments.read("2027-01-15T08:30", NOW) == local.timestamp() * 1000
    assert moments.read("2027-01-15", NOW) == (local.timestamp() - 8.5 * 3600) * 1000


@pytest.mark.parametrize("text", ["", "6", "h", "6 h", "-6h", "6x", "yesterday", "12:00", "²h"])
def test_what_is_not(text: str) -> None:
    with pytest.raises(ValueError, match="none of these: how long ago"):
        moments.read(text, NOW)


def test_iso_is_utc_to_the_millisecond() -> None:
    assert moments.iso(NOW) == "2027-01-15T08:00:00.000Z"
    assert moments.iso(NOW + 7) == "2027-01-15T08:00:00.007Z"
    assert moments.read(moments.iso(NOW + 7), 0) == NOW + 7


def test_what_is_to_come_is_counted_forwards() -> None:
    assert moments.read_ahead("6h", NOW) == NOW + 6 * 3_600_000
    assert moments.read_ahead("1795258874901", NOW) == 1_795_258_874_901
    assert moments.read_ahead("2027-01-15T08:00:00Z", 0) == NOW
    with pytest.raises(ValueError, match="none of these: in how long"):
        moments.read_ahead("soon", NOW)
