"""Where the certificate that the collector serves comes from."""

from __future__ import annotations

import ssl
from typing import Protocol

from forge_collector import interfaces
from forge_collector.clock import Clock
from forge_collector.config import TLS_FOLDER, ConfigError, Settings
from forge_collector.tls import rules
from forge_collector.tls.rules import Certificate


class Source(Protocol):
    """``current``: what the certificate says that is served now. ``host``: a name in it that others
    can reach, where the certificate alone knows it. ``ca_pem`` and ``ca_fingerprint``: of the
    collector's own authority, None where it has none."""

    current: Certificate
    ca_pem: str | None
    ca_fingerprint: bytes | None

    @property
    def context(self) -> ssl.SSLContext: ...

    @property
    def host(self) -> str | None: ...

    def refresh(self) -> None:
        """Serve a newer one if there is or should be; raises ConfigError and OSError, and then
        goes on as before."""


def of(settings: Settings, clock: Clock) -> Source | None:
    """Return what these settings ask for, None without TLS; raises ConfigError."""
    # Imported late, because cryptography holds 10 MB.
    if settings.tls_files is not None:
        from forge_collector.tls.given import GivenCertificate  # noqa: PLC0415

        return GivenCertificate(*settings.tls_files, clock)
    if not settings.tls_auto:
        return None
    from forge_collector.tls.own import OwnCertificate  # noqa: PLC0415

    def wanted() -> frozenset[str]:
        return rules.names(settings.host_names, interfaces.addresses())

    try:
        return OwnCertificate(settings.data / TLS_FOLDER, wanted, clock)
    except OSError as error:
        raise ConfigError(
            f"The collector's certificate cannot be kept: {error.filename}: {error.strerror}."
        ) from None
