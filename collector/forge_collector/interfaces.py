"""The addresses of this machine."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

import psutil

# Kept for documentation (RFC 5737): it leads out like any other, and nobody is there.
_ELSEWHERE: Final = ("192.0.2.1", 9)


def addresses() -> frozenset[str]:
    """Return the IP addresses of all interfaces, loopback too, without those that only count
    together with an interface (fe80::…)."""
    found = set()
    for cards in psutil.net_if_addrs().values():
        for card in cards:
            if card.family in {socket.AF_INET, socket.AF_INET6} and "%" not in card.address:
                found.add(card.address)
    return frozenset(
        address
        for address in found
        if not (":" in address and ipaddress.ip_address(address).is_link_local)
    )


def leading_out() -> str:
    """Return the address of the interface that leads out, or else the machine's name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)  # sends nothing: it asks the routing table
            return str(probe.getsockname()[0])
        except OSError:
            pass
    reachable = [text for text in addresses() if not ipaddress.ip_address(text).is_loopback]
    # A network without a way out; IPv4 first, as people know it.
    return min(reachable, key=lambda text: (":" in text, text), default=socket.gethostname())
