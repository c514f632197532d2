"""What a certificate names, and when it is time for another."""

from __future__ import annotations

import pytest

from forge_collector.tls import rules
from forge_collector.tls.rules import Certificate

DAY_MS = 24 * 3_600_000
NOW_MS = 1_800_000_000_000
AUTHORITY = Certificate(frozenset(), NOW_MS - 365 * DAY_MS, NOW_MS + 3652 * DAY_MS)
WANTED = frozenset({"localhost", "nas", "192.168.1.10"})


def issued(now_ms: int, authority: Certificate = AUTHORITY) -> Certificate:
    return Certificate(WANTED, *rules.lifetime_ms(now_ms, authority))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        *(("localhost", "localhost"), ("NAS.Local.", "nas.local"), ("my_nas", "my_nas")),
        *(("192.168.1.10", "192.168.1.10"), ("[2001:DB8::1]", "2001:db8::1")),
        *(("2001:db8:0:0::1", "2001:db8::1"), ("fd00::2%eth0", "fd00::2")),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_a_name_is_written_as_certificates_do(text: str, named: str) -> None:
    assert rules.names([text], []) == {named, "127.0.0.1", "::1"}
    assert rules.names([], [text]) == {named, "127.0.0.1", "::1"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a b",
        "nas:8750",
        "*.example.org",
        "-nas",
        "a" * 64,
        "a." * 140,
        "0.0.0.0",  # noqa: S104  nothing is bound
        "::",
        "ß" * 99,
    ],
)
def test_what_cannot_stand_in_a_certificate_is_left_out(text: str) -> None:
    assert rules.names([text], []) == {"127.0.0.1", "::1"}


def test_a_new_certificate_will_do_until_a_third_of_its_life_is_left() -> None:
    current = issued(NOW_MS)
    for days, due in [(0, False), (59, False), (61, True), (89, True), (400, True)]:
        reason = rules.why_renew(current, AUTHORITY, WANTED, NOW_MS + days * DAY_MS)
        assert (reason is not None) is due, days


def test_another_name_is_a_reason_and_one_less_is_none() -> None:
    current = issued(NOW_MS)
    reason = rules.why_renew(current, AUTHORITY, WANTED | {"10.0.0.5"}, NOW_MS)
    assert reason is not None
    assert "10.0.0.5" in reason
    assert rules.why_renew(current, AUTHORITY, WANTED - {"192.168.1.10"}, NOW_MS) is None


def test_a_clock_that_was_set_back_is_a_reason() -> None:
    # It was issued while the clock was two days ahead: nobody takes it yet.
    assert rules.why_renew(issued(NOW_MS + 2 * DAY_MS), AUTHORITY, WANTED, NOW_MS) is not None
    assert rules.why_renew(issued(NOW_MS + DAY_MS // 2), AUTHORITY, WANTED, NOW_MS) is None


def test_no_certificate_outlives_the_authority_nor_is_renewed_in_vain() -> None:
    ending = AUTHORITY._replace(not_after_ms=NOW_MS + 10 * DAY_MS)
    last = issued(NOW_MS, ending)
    assert last.not_after_ms == ending.not_after_ms
    assert rules.why_renew(last, ending, WANTED, NOW_MS + 9 * DAY_MS) is None
