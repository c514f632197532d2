"""Listens for collectors on the network and prints what it hears, a JSON object a line:
python browse.py ADDRESS SECONDS. ADDRESS: of the interface to listen on.
"""

from __future__ import annotations

import json
import sys
import time

from zeroconf import ServiceBrowser, ServiceStateChange, Zeroconf

_TYPE = "_forge-fleet._tcp.local."


def main(address: str, seconds: float) -> None:
    network = Zeroconf(interfaces=[address])

    def heard(
        zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        found = None
        if state_change is not ServiceStateChange.Removed:
            found = zeroconf.get_service_info(service_type, name)
        said = {
            "change": state_change.name,
            "name": name.removesuffix(f".{_TYPE}"),
            "addresses": found.parsed_addresses() if found else [],
            "port": found.port if found else None,
            "told": found.decoded_properties if found else {},
        }
        tell(json.dumps(said))

    ServiceBrowser(network, _TYPE, handlers=[heard])
    tell("listening")
    time.sleep(seconds)
    network.close()


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
