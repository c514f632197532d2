"""What the collector listens with: a TLS context whose certificate can be exchanged as it runs."""

from __future__ import annotations

import ssl
from pathlib import Path

from forge_collector.config import ConfigError


class Serving:
    """``context`` is for the listener. Each connection is served with the certificate of the
    moment: a new one becomes a context of its own first, so that one which is broken, or only half
    replaced, never takes the place of one that works."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.context = _context(certificate, key)
        self._current = self.context
        # Called for every handshake, whether the client names a host or not.
        self.context.sni_callback = self._hand_over

    def exchange(self, certificate: Path, key: Path) -> None:
        """Serve another certificate from now on; raises ConfigError, and then keeps the one."""
        self._current = _context(certificate, key)

    def _hand_over(
        self, connection: ssl.SSLSocket | ssl.SSLObject, _host: str | None, _: ssl.SSLContext
    ) -> None:
        connection.context = self._current


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=lambda: _no_password(key))
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(_explained(error, certificate, key)) from None
    return context


def _no_password(key: Path) -> str:
    raise ConfigError(
        f"The key {key} is encrypted, and nobody is there to type its password. Store it without "
        f"one: openssl pkey -in {key} -out NEW_FILE."
    )


def _explained(error: OSError, certificate: Path, key: Path) -> str:
    if not isinstance(error, ssl.SSLError):
        return f"The certificate {certificate} or its key {key} cannot be read: {error.strerror}."
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"The key {key} is not that of the certificate {certificate}. Name two that match."
    return (
        f"The certificate {certificate} and its key {key} cannot be used "
        f"({error.reason or error}). "
        "Both must be PEM files, the certificate followed by those it was issued by."
    )
