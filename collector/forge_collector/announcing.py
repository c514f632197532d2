"""Telling the local network, over mDNS, that a collector is here (RFC 6762 and 6763).

What is told is an address and a fingerprint to compare. Anybody on the network can tell the same,
so nobody may be trusted for it.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from forge_shared import __version__

_log = structlog.get_logger()

SERVICE_TYPE: Final = "_forge-fleet._tcp.local."
_LOOK_EVERY_S: Final = 2.0
_RETRY_AFTER_S: Final = 60.0


class Announcer:
    """``addresses``: returns those at which other machines find the collector by now.
    ``ca_fingerprint``: of its own authority, None where it has none."""

    def __init__(
        self,
        port: int,
        addresses: Callable[[], frozenset[str]],
        *,
        with_tls: bool,
        ca_fingerprint: bytes | None,
    ) -> None:
        self._port = port
        self._addresses = addresses
        self._told = {"v": "1", "tls": "1" if with_tls else "0", "version": __version__}
        if ca_fingerprint is not None:
            self._told["fp"] = ca_fingerprint.hex()
        # A name of our own: the machine's may be announced by others, with other addresses.
        self._server = f"forge-fleet-{secrets.token_hex(6)}.local."

    async def run(self) -> None:
        """Announce until cancelled, and say goodbye then."""
        # Imported here: it holds several MB, and most collectors listen on loopback.
        from zeroconf import Error  # noqa: PLC0415

        said = ""
        while True:
            addresses = self._addresses()
            try:
                if addresses:
                    async with self._announced(addresses) as name:
                        said = ""
                        _log.info("announced", name=name, addresses=sorted(addresses))
                        await self._until_others(addresses)
                else:
                    await self._until_others(addresses)
            except (OSError, Error) as error:
                if (reason := repr(error)) != said:
                    _log.warning("could not announce the collector over mDNS", reason=reason)
                    said = reason
                await asyncio.sleep(_RETRY_AFTER_S)

    async def _until_others(self, addresses: frozenset[str]) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._addresses() != addresses:
                return

    @asynccontextmanager
    async def _announced(self, addresses: frozenset[str]) -> AsyncIterator[str]:
        """Announce these addresses, through the interfaces that have them."""
        from zeroconf import ServiceInfo  # noqa: PLC0415
        from zeroconf.asyncio import AsyncZeroconf  # noqa: PLC0415

        service = ServiceInfo(
            SERVICE_TYPE,
            f"{_instance(socket.gethostname())}.{SERVICE_TYPE}",
            port=self._port,
            properties=self._told,
            server=self._server,
            parsed_addresses=sorted(addresses),
        )
        network = AsyncZeroconf(interfaces=sorted(addresses))
        try:
            told = await network.async_register_service(service, allow_name_change=True)
            await told
            yield service.name
        finally:
            await network.async_close()  # says goodbye


def _instance(host: str) -> str:
    """Return a host's name as one label of at most 63 bytes."""
    return host.partition(".")[0].encode()[:63].decode(errors="ignore") or "collector"
