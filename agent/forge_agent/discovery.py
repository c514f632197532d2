"""Looks for collectors on this network, over mDNS. Loads zeroconf, which holds 12 MB."""

from __future__ import annotations

import threading
import time
from typing import Final

from zeroconf import Error, IPVersion, ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

from forge_agent.core import adverts
from forge_agent.core.adverts import SERVICE_TYPE, Advert

BROWSE_S: Final = 3.0
_ASK_S: Final = 1.0
_MOST: Final = 64  # of whatever announces itself, so that nobody can keep us busy


class DiscoveryError(Exception):
    """This machine cannot look for collectors; the message says why."""


def browse() -> list[Advert]:
    """Listen for some seconds; return what announced itself, by name. Raises DiscoveryError."""
    try:
        zeroconf = Zeroconf()
    except (OSError, RuntimeError) as error:  # the latter where there is no interface at all
        reason = getattr(error, "strerror", None) or error
        raise DiscoveryError(
            f"This machine cannot look for collectors ({reason}): is it connected"
            " to a network? The whole join string needs no looking."
        ) from None
    names = _Names()
    try:
        browser = ServiceBrowser(zeroconf, SERVICE_TYPE, names)
        time.sleep(BROWSE_S)
        browser.cancel()
        until_s = time.monotonic() + _ASK_S
        found = [_read(zeroconf, name, until_s) for name in names.seen()]
    finally:
        zeroconf.close()
    known = [advert for advert in found if advert is not None]
    return sorted(known, key=lambda advert: (advert.name, advert.urls))


def _read(zeroconf: Zeroconf, name: str, until_s: float) -> Advert | None:
    try:
        info = ServiceInfo(SERVICE_TYPE, name)
    except Error:
        return None  # a name that nobody can have by right
    if not info.load_from_cache(zeroconf):
        # An announcement brings all with it: to ask is for what got lost on the way.
        left_ms = (until_s - time.monotonic()) * 1000
        if left_ms <= 0 or not info.request(zeroconf, left_ms):
            return None
    addresses = info.parsed_addresses(IPVersion.All)
    return adverts.read(name, addresses, info.port or 0, info.properties)


class _Names(ServiceListener):
    """Collects names; zeroconf calls it from its own thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[str, None] = {}

    def seen(self) -> list[str]:
        with self._lock:
            return list(self._names)

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:  # noqa: ARG002
        with self._lock:
            if len(self._names) < _MOST:
                self._names[name] = None

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        self.add_service(zc, type_, name)

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:  # noqa: ARG002
        with self._lock:
            self._names.pop(name, None)
