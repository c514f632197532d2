"""TLS for the uplink. Imported only when the collector's URL is https: ssl holds 5 MB."""

from __future__ import annotations

import os
import socket
import ssl
import time
from pathlib import Path
from typing import Any, Final

from forge_agent import system_trust

# What OpenSSL finds wrong with a certificate (X509_V_ERR_… in x509_vfy.h).
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_OTHER_HOST: Final = frozenset({62, 64})
_UNKNOWN_AUTHORITY: Final = frozenset({2, 7, 18, 19, 20, 21, 30})


class HandshakeError(OSError):
    """TLS was not agreed on, and nothing was sent; the message says why, and what to do."""


class BoundedTLSSocket(ssl.SSLSocket):
    """A TLS socket whose reads and writes all end by ``deadline_s`` of the monotonic clock."""

    deadline_s: float = 0.0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._bound()
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._bound()
        return super().send(*args, **kwargs)

    def _bound(self) -> None:
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left_s)


class Trust:
    """Whose certificates are taken: those of the authority in ``ca_file`` alone, or, without one,
    of the system's (OpenSSL's SSL_CERT_FILE adds one's own). The name is checked as well.

    ``anybody``: any certificate is; for what needs no secrecy and is checked otherwise.
    """

    def __init__(self, ca_file: Path | None, *, anybody: bool = False) -> None:
        self._ca_file = ca_file
        self._anybody = anybody
        self._context: ssl.SSLContext | None = None
        self._version: tuple[int, int, int] | None = None

    def wrap(self, raw: socket.socket, host: str, deadline_s: float) -> BoundedTLSSocket:
        """Shake hands over a connected socket, whose time-out bounds it; raises HandshakeError, or
        TimeoutError."""
        try:
            wrapped = self._current().wrap_socket(raw, server_hostname=host)
        except TimeoutError:
            raise
        except ssl.SSLError as error:
            # A store that was renewed meanwhile, the system's or ours, counts at the next attempt.
            self._context = None
            raise HandshakeError(in_words(error, host)) from None
        if not isinstance(wrapped, BoundedTLSSocket):
            raise TypeError(type(wrapped))
        wrapped.deadline_s = deadline_s
        return wrapped

    def _current(self) -> ssl.SSLContext:
        version = None if self._ca_file is None else _version(self._ca_file)
        if self._context is None or version != self._version:
            self._context = self._new_context()
            self._context.sslsocket_class = BoundedTLSSocket
            self._version = version
        return self._context

    def _new_context(self) -> ssl.SSLContext:
        if self._anybody:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
        except ssl.SSLError:
            raise HandshakeError(_no_authority(self._ca_file, "it holds no certificate")) from None
        except OSError as error:
            why = error.strerror or "it cannot be read"
            raise HandshakeError(_no_authority(self._ca_file, why)) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._ca_file is None:
            system_trust.complete(context)
        return context


def in_words(error: ssl.SSLError, host: str) -> str:
    """Say why the hands were not shaken, and what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _refused(error, host)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "it hung up in the middle of the TLS handshake"
    if error.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}:
        return "it does not speak TLS there: is the address http instead of https?"
    return f"no TLS with it ({error.reason or 'unknown'})"


def _refused(error: ssl.SSLCertVerificationError, host: str) -> str:
    # The date alone: a reason that changed with each second would be logged each time.
    today = time.strftime("%Y-%m-%d", time.gmtime())
    code = error.verify_code
    if code == _NOT_YET_VALID:
        return (
            f"its certificate is not valid yet: this machine's clock says {today}, set it if that"
            " is wrong"
        )
    if code == _EXPIRED:
        return (
            f"its certificate has expired (this machine's clock says {today}, set it if that is"
            " wrong; otherwise renew the collector's certificate)"
        )
    if code in _OTHER_HOST:
        return (
            f"its certificate is not for {host}: start the collector with a --public-url that"
            " holds this address, or join again by the address that it is for"
        )
    if code in _UNKNOWN_AUTHORITY:
        return (
            "its certificate is of an authority that this machine does not trust: name that"
            " authority's file in FORGE_CA_FILE, or join again with the collector's join string"
        )
    return f"its certificate is refused ({error.verify_message})"


def _version(ca_file: Path) -> tuple[int, int, int]:
    """Return what differs once the file was replaced; raises HandshakeError without a file."""
    try:
        status = os.stat(ca_file)  # noqa: PTH116
    except OSError as error:
        raise HandshakeError(_no_authority(ca_file, error.strerror or "it is gone")) from None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _no_authority(ca_file: Path | None, why: str) -> str:
    return (
        f"the authority's file {ca_file} cannot be used ({why}): join again, or set FORGE_CA_FILE"
    )
