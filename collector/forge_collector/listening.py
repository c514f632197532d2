"""What the collector listens on and is reached by: checked, and bound."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from forge_collector import interfaces
from forge_collector.config import CertificateFiles, ConfigError
from forge_collector.http.reach import is_loopback

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


def certificate_files(
    tls: str | None, certificate: Path | None, key: Path | None
) -> CertificateFiles | None:
    """Return the files of a given certificate, None when there is none; raises ConfigError."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise ConfigError("--tls-cert and --tls-key go together: name both files.")
    if tls is not None:
        raise ConfigError(
            f"--tls {tls} and --tls-cert contradict each other: with a certificate of yours, leave "
            "--tls out."
        )
    return CertificateFiles(certificate.absolute(), key.absolute())


def public_url(text: str, *, with_tls: bool) -> str:
    """Return a --public-url as browsers write an origin; raises ConfigError."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if (
        not _HOST.fullmatch(host)
        or port == 0
        or parts.scheme not in _DEFAULT_PORTS
        or parts.path.strip("/")
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
    ):
        raise ConfigError(
            f"--public-url {text!r} cannot be used: give it as https://fleet.example.org, with a "
            "port where it is not the usual one, and no path."
        )
    if with_tls and parts.scheme == "http":
        raise ConfigError(
            "--public-url begins with http://, but with these options the collector speaks TLS: "
            "begin it with https://."
        )
    host = f"[{host}]" if ":" in host else host
    if port is None or port == _DEFAULT_PORTS[parts.scheme]:
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"


def check_plaintext(host: str, url: str | None, *, with_tls: bool, allow_plaintext: bool) -> None:
    """Raise ConfigError when tokens would cross a network in the clear, and nobody allowed it."""
    if allow_plaintext:
        return
    if not with_tls and not is_loopback(host):
        raise ConfigError(
            f"--host {host} lets other machines in, and without TLS whoever is on the way can read "
            "the tokens they send. Add --tls auto; or put a TLS proxy in front and listen on "
            "127.0.0.1; or, if you trust this network, add --allow-plaintext."
        )
    if (
        url is not None
        and url.startswith("http://")
        and not is_loopback(urlsplit(url).hostname or "")
    ):
        raise ConfigError(
            f"--public-url {url} is without TLS: whoever is on the way can read the tokens that "
            "machines send. Let it be https; or, if you trust this network, add --allow-plaintext."
        )


def check_announcing(host: str, *, announce: bool | None) -> None:
    if announce and is_loopback(host):
        raise ConfigError(
            f"--announce tells other machines of a collector that they cannot reach: it listens on "
            f"{host} alone. Leave it out, or give --host 0.0.0.0."
        )


def bind(host: str, port: int) -> socket.socket:
    """Return a bound socket; raises ConfigError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--host {host} is no address of this machine ({error}).") from None
    if os.name == "posix":  # elsewhere it would let two collectors share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"Port {port} is taken, perhaps by another collector. Give another with --port N."
            ) from None
        raise ConfigError(f"Cannot listen on {host}:{port}: {error.strerror}.") from None
    return listener


class Place(NamedTuple):
    """Where the collector listens. ``host``: as it was told. ``address``: what that came to."""

    host: str
    address: str

    @property
    def is_everywhere(self) -> bool:
        return ipaddress.ip_address(self.address).is_unspecified

    @property
    def host_here(self) -> str:
        """What this machine itself calls it by."""
        if not self.is_everywhere:
            return self.host
        return "::1" if ":" in self.address else "127.0.0.1"

    def host_for_others(self) -> str:
        """Return what other machines call it by; the same, where it listens on loopback."""
        return interfaces.leading_out() if self.is_everywhere else self.host

    def addresses_for_others(self) -> frozenset[str]:
        """Return the addresses at which other machines find it."""
        found = interfaces.addresses() if self.is_everywhere else frozenset({self.address})
        return frozenset(
            address
            for address in found
            if not is_loopback(address) and (":" in self.address or ":" not in address)
        )


def place(host: str, listener: socket.socket) -> Place:
    return Place(host, str(listener.getsockname()[0]).partition("%")[0])
