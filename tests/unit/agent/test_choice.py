from __future__ import annotations

import sys

import pytest

from forge_agent.core.choice import Choice


def test_the_first_pattern_that_matches_decides_and_none_leaves_it_as_usual() -> None:
    choice = Choice(["!eth1", "eth*", "docker0"])
    assert [choice.of(name) for name in ("eth0", "eth1", "docker0", "lo")] == [
        True,
        False,
        True,
        None,
    ]
    assert choice.adds


def test_only_one() -> None:
    choice = Choice(["eth0", "!*"])
    assert [choice.of(name) for name in ("eth0", "eth00", "wlan0")] == [True, False, False]


def test_nothing_said_is_as_usual() -> None:
    assert Choice().of("eth0") is None
    assert not Choice(["!/backup*"]).adds


def test_a_pattern_is_the_whole_name() -> None:
    assert Choice(["lo"]).of("wlo1") is None
    assert Choice(["/mnt/*"]).of("/srv/mnt/nas") is None


def test_letters_case_counts_but_not_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Choice(["wi-fi*"]).of("Wi-Fi 5") is None
    monkeypatch.setattr(sys, "platform", "win32")
    assert Choice(["wi-fi*", "!c:*"]).of("Wi-Fi 5") is True
    assert Choice(["wi-fi*", "!c:*"]).of("C:\\") is False
