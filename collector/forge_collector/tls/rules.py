"""What a certificate must name, how long it lives, and when it is time for another."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

_DAY_MS: Final = 24 * 3_600_000

AUTHORITY_LIFETIME_MS: Final = 3_652 * _DAY_MS
CERTIFICATE_LIFETIME_MS: Final = 90 * _DAY_MS
# Machines whose clock is behind must be able to join all the same.
AUTHORITY_BACKDATED_MS: Final = 365 * _DAY_MS
CERTIFICATE_BACKDATED_MS: Final = _DAY_MS

_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


class Certificate(NamedTuple):
    """What a certificate says. ``names``: host names in lower case, and addresses as text."""

    names: frozenset[str]
    not_before_ms: int
    not_after_ms: int


def names(hosts: Iterable[str], addresses: Iterable[str]) -> frozenset[str]:
    """Return what a certificate has to name; what cannot stand in one is left out."""
    named = (_in_certificate(text) for text in (*hosts, *addresses))
    return frozenset({"127.0.0.1", "::1", *filter(None, named)})


def lifetime_ms(now_ms: int, authority: Certificate) -> tuple[int, int]:
    """Return when a certificate that is issued now begins and ends to be valid."""
    ends_ms = min(now_ms + CERTIFICATE_LIFETIME_MS, authority.not_after_ms)
    return now_ms - CERTIFICATE_BACKDATED_MS, ends_ms


def why_renew(
    current: Certificate, authority: Certificate, wanted: frozenset[str], now_ms: int
) -> str | None:
    """Return why the certificate should be renewed; None while it will do.

    A name that is no longer wanted does no harm: networks that come and go, of containers say,
    must not renew it each time.
    """
    if missing := wanted - current.names:
        return f"it does not name {', '.join(sorted(missing))}"
    if now_ms < current.not_before_ms:
        return "it is not valid yet"
    is_last = current.not_after_ms >= authority.not_after_ms  # no other could live longer
    if not is_last and current.not_after_ms - now_ms < CERTIFICATE_LIFETIME_MS // 3:
        return "less than a third of its life is left"
    return None


def _in_certificate(text: str) -> str | None:
    bare = text.strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(bare)
        return None if address.is_unspecified else str(address)
    except ValueError:
        pass
    try:
        name = bare.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    return name if _HOST_NAME.fullmatch(name) and len(name) <= 253 else None
