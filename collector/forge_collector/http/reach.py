"""The address by which other machines reach this collector, and how they know it is the one."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from aiohttp import web


@dataclass(frozen=True, slots=True)
class Reach:
    """``public_url``: what the owner said, without a slash at its end; None when nothing.
    ``lan_host``: returns this machine's address or name on its network, which may change.
    ``ca_fingerprint``: SHA-256 of the collector's own authority's certificate (DER), None where it
    has none."""

    public_url: str | None
    scheme: str
    lan_host: Callable[[], str]
    port: int
    ca_fingerprint: bytes | None

    def url_for(self, host_header: str) -> str:
        """Return the address to tell to others, for a caller that used this Host.

        What the caller used has been seen to work, unless it works on this machine alone.
        """
        if self.public_url is not None:
            return self.public_url
        host = urlsplit(f"//{host_header}").hostname or ""
        if not (is_loopback(host) or _is_of_no_network(host)):
            return f"{self.scheme}://{host_header}"
        return url_of(self.scheme, self.lan_host(), self.port)

    def is_over_tls(self, request: web.Request) -> bool:
        """Tell whether whoever calls has come by https, if only as far as the owner's proxy."""
        if request.secure:
            return True
        if self.public_url is None or not self.public_url.startswith("https://"):
            return False
        origin = request.headers.get("Origin", "").lower()
        return origin == self.public_url or f"https://{request.host.lower()}" == self.public_url


def url_of(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _is_of_no_network(host: str) -> bool:
    """Tell whether this address means something else on each machine: 0.0.0.0, or one of a link."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_unspecified or (address.version == 6 and address.is_link_local)


def is_loopback(host: str) -> bool:
    """Tell whether this is an address or a name of loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
