"""A certificate that the owner gave, served anew whenever its files are replaced."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path

import structlog

from forge_collector.clock import Clock
from forge_collector.config import ConfigError
from forge_collector.http.reach import is_loopback
from forge_collector.tls import files, x509
from forge_collector.tls.rules import Certificate
from forge_collector.tls.serving import Serving

_log = structlog.get_logger()


class GivenCertificate:
    """Raises ConfigError when the files cannot be served."""

    ca_pem: str | None = None
    ca_fingerprint: bytes | None = None

    def __init__(self, certificate: Path, key: Path, clock: Clock) -> None:
        self._certificate = certificate
        self._key = key
        self._clock = clock
        self._version = files.versions(certificate, key)
        self.current = self._read()
        self._serving = Serving(certificate, key)
        self._warn_if_expired()

    @property
    def context(self) -> ssl.SSLContext:
        return self._serving.context

    @property
    def host(self) -> str | None:
        """What the certificate names and others can reach, a name before an address."""
        usable = (name for name in self.current.names if "*" not in name and not is_loopback(name))
        return min(usable, key=lambda name: (_is_address(name), name), default=None)

    def refresh(self) -> None:
        """Serve what is in the files by now; raises ConfigError, and then goes on as before."""
        version = files.versions(self._certificate, self._key)
        if version == self._version:
            return
        # What cannot be used is not tried again before it is replaced again.
        self._version = version
        try:
            found = self._read()
            self._serving.exchange(self._certificate, self._key)
        except ConfigError as error:
            raise ConfigError(f"The certificate before is served on. {error}") from None
        self.current = found
        _log.info("certificate replaced", expires_at=found.not_after_ms)
        self._warn_if_expired()

    def _read(self) -> Certificate:
        try:
            return x509.read(self._certificate.read_text())
        except OSError as error:
            raise ConfigError(
                f"The certificate {self._certificate} cannot be read: {error.strerror}."
            ) from None
        except ValueError:
            raise ConfigError(
                f"{self._certificate} holds no certificate. Name a PEM file with --tls-cert."
            ) from None

    def _warn_if_expired(self) -> None:
        if self.current.not_after_ms <= self._clock.now_ms():
            _log.warning(
                "the certificate has expired: nobody will trust it before it is replaced",
                file=str(self._certificate),
            )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
