from __future__ import annotations

import pytest

from forgectl import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("1h", 3600), (" 7D ", 604_800), ("2w", 1_209_600), ("0s", 0)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert durations.read_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "1", "h", "-1h", "1.5h", "1h30m", "1 h", "1y", "٣h", "9" * 99]
)
def test_anything_else_is_refused_with_what_it_should_be(text: str) -> None:
    with pytest.raises(ValueError, match="30m, 1h, 7d"):
        durations.read_s(text)


@pytest.mark.parametrize("text", ["1s", "90s", "5m", "36h", "2d", "1w"])
def test_told_as_it_would_be_typed(text: str) -> None:
    assert durations.told(durations.read_s(text)) == text
