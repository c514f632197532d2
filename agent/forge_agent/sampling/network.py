"""net.*: traffic of the interfaces that lead out of this machine."""

from __future__ import annotations

import re
from typing import Final

import psutil

from forge_agent.core import values
from forge_agent.core.choice import Choice
from forge_agent.core.rates import Reading

# Matched as a whole: a search for "lo" would hide wlo1. What is left out either never leaves the
# machine, or is counted once more on the interface that it leaves by.
_INSIDE: Final = re.compile(
    r"lo\d*|docker\d+|docker_gwbridge|br-.+|veth.*|cali.*|virbr\d+.*|vmbr\d+.*|vnet\d+|tap.*"
    r"|fw(br|pr|ln)\d+.*|lxc.*|lxdbr\d+|cni.*|flannel.*|kube-.*|podman\d+|ifb\d+|dummy\d+"
    r"|sit\d+|tunl\d+|ip6tnl\d+|gre(tap)?\d+|erspan\d+|ip_?vti\d+|ip6_?(vti|gre)\d+"
    # macOS and the BSDs; of tunnels macOS has some of its own, at all times
    r"|(gif|stf|anpi|llw|awdl|ap|bridge|pflog|enc|p2p|utun|vmenet)\d+"
    # Windows: names with an asterisk are hidden devices, whatever its language calls them
    r"|Loopback Pseudo-Interface.*|vEthernet .*|.*\* \d+|isatap.*|Teredo.*"
    r"|VMware Network Adapter .*|VirtualBox Host-Only .*"
)


class Interfaces:
    """Reads the counters of the interfaces that are shown."""

    def __init__(self, choice: Choice | None = None) -> None:
        self._choice = choice or Choice()

    def read(self) -> Reading:
        totals: dict[str, float] = {}
        # nowrap=False: counters that go backwards are ours to judge; psutil would add them up.
        counters = psutil.net_io_counters(pernic=True, nowrap=False) or {}
        for interface, io in counters.items():
            named = self._choice.of(interface)
            if leads_out(interface) if named is None else named:
                totals[values.key("net.rx_bytes_per_s", interface)] = io.bytes_recv
                totals[values.key("net.tx_bytes_per_s", interface)] = io.bytes_sent
        return Reading(totals=totals)


def leads_out(interface: str) -> bool:
    return _INSIDE.fullmatch(interface) is None
