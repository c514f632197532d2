"""What collectors announce over mDNS, and which of them is meant.

Anybody on the network may announce anything. An advert is an address to try and a fingerprint to
compare, never an identity: that is proved by TLS alone.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from forge_agent.core.untrusted import printable
from forge_shared import joining

SERVICE_TYPE: Final = "_forge-fleet._tcp.local."
LEAST_PREFIX_DIGITS: Final = 16

_VERSION: Final = b"1"
_FINGERPRINT_DIGITS: Final = 2 * joining.FINGERPRINT_BYTES
_MOST_URLS: Final = 8  # each that does not answer costs seconds


class Advert(NamedTuple):
    """One announcement. ``fingerprint``: None where the collector has no authority of its own."""

    name: str
    urls: tuple[str, ...]
    tls: bool
    fingerprint: bytes | None
    version: str


class Chosen(NamedTuple):
    """A collector by its authority's fingerprint, and where it may be."""

    name: str
    fingerprint: bytes
    urls: tuple[str, ...]


class ChoiceError(Exception):
    """It is not clear which collector is meant; the message says what to do."""


def read(
    instance: str, addresses: Iterable[str], port: int, properties: Mapping[bytes, bytes | None]
) -> Advert | None:
    """Read an announcement; None when it is none that we understand, or leads nowhere."""
    if properties.get(b"v") != _VERSION or not 0 < port < 65536:
        return None
    tls = properties.get(b"tls") == b"1"
    usable = sorted(filter(_usable, dict.fromkeys(addresses)), key=lambda text: ":" in text)
    if not usable:
        return None
    scheme = "https" if tls else "http"
    hosts = [f"[{address}]" if ":" in address else address for address in usable]
    return Advert(
        name=printable(instance.removesuffix(f".{SERVICE_TYPE}"), 64),
        urls=tuple(f"{scheme}://{host}:{port}" for host in hosts[:_MOST_URLS]),
        tls=tls,
        fingerprint=_fingerprint(properties.get(b"fp")) if tls else None,
        version=printable((properties.get(b"version") or b"").decode(errors="replace"), 32),
    )


def collectors(adverts: Iterable[Advert]) -> list[Chosen]:
    """Return the collectors with an authority of their own, each once."""
    found: dict[bytes, Chosen] = {}
    for advert in adverts:
        if advert.fingerprint is None:
            continue
        known = found.get(advert.fingerprint)
        urls = advert.urls if known is None else tuple(dict.fromkeys(known.urls + advert.urls))
        name = advert.name if known is None else known.name
        found[advert.fingerprint] = Chosen(name, advert.fingerprint, urls[:_MOST_URLS])
    return list(found.values())


def choose(adverts: Sequence[Advert], prefix: str | None) -> Chosen:
    """Return the one collector that is meant; raises ChoiceError. ``prefix``: hex digits that its
    fingerprint begins with."""
    found = collectors(adverts)
    if prefix is not None:
        found = [one for one in found if one.fingerprint.hex().startswith(prefix)]
    if len(found) == 1:
        return found[0]
    if found and prefix is not None:
        raise ChoiceError("Several collectors' fingerprints begin so: give all 64 digits.")
    if found:
        raise ChoiceError(
            "Several collectors announce themselves. Compare the fingerprints with the one on your"
            " collector's page, and add it: --fingerprint HEX (16 digits or more)."
        )
    if prefix is not None:
        raise ChoiceError(
            "No collector with this fingerprint announces itself here: compare it with the page,"
            " or use the whole join string, which holds the address."
        )
    if adverts:
        raise ChoiceError(
            "What announces itself here has no authority of its own, so that a code alone cannot"
            " tell whom to trust: use the whole join string."
        )
    raise ChoiceError(NONE_FOUND)


NONE_FOUND: Final = (
    "No collector announces itself on this network. Announcements do not cross routers, some"
    " wireless networks drop them, and a collector on loopback makes none: use the whole join"
    " string, which holds the address."
)


def prefix_of(text: str) -> str:
    """Read the fingerprint that somebody typed, or its beginning; raises ChoiceError."""
    digits = re.sub(r"[\s:-]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]*", digits) or len(digits) > _FINGERPRINT_DIGITS:
        raise ChoiceError("--fingerprint takes hex digits, as the collector's page shows them.")
    if len(digits) < LEAST_PREFIX_DIGITS:
        raise ChoiceError(
            f"--fingerprint needs {LEAST_PREFIX_DIGITS} digits or more: fewer could be imitated."
        )
    return digits


def told(adverts: Sequence[Advert]) -> str:
    """Return a list for people, to compare with what the collector's page shows."""
    lines = []
    for advert in adverts:
        version = f"  (version {advert.version})" if advert.version else ""
        lines.append(f"{advert.name or '?'}  {'  '.join(advert.urls)}{version}")
        if advert.fingerprint is not None:
            lines.append(f"    fingerprint {joining.grouped(advert.fingerprint)}")
        else:
            lines.append(
                "    TLS with a public certificate" if advert.tls else "    no TLS: not protected"
            )
    return "\n".join(lines)


def _usable(text: str) -> bool:
    """Tell whether this is an address that another machine can be reached by, as it stands."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # An IPv6 address of one link means nothing without the name of our interface to it.
    one_link = address.version == 6 and address.is_link_local
    return not (address.is_unspecified or address.is_multicast or address.is_loopback or one_link)


def _fingerprint(text: bytes | None) -> bytes | None:
    if text is None or re.fullmatch(rb"[0-9a-fA-F]{64}", text) is None:
        return None
    return bytes.fromhex(text.decode())
