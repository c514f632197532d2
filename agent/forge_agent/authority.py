"""The collector's own authority: fetched, compared with its fingerprint, kept, put to the proof.

Until all of that went well nothing is sent but the request for the certificate itself, which is
public: no code and no token.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import ssl
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from forge_agent import private_files
from forge_agent.transport import Connection, TransportError
from forge_shared import joining

_CA_PATH: Final = "/ca.pem"
_PROOF_PATH: Final = "/healthz"
_KEPT = re.compile(r"ca(-[0-9a-f]{16})?\.pem")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class UnreachableError(Exception):
    """No answer came from there; the message says why."""


class UntrustedError(Exception):
    """Whoever answers there is not the collector that is meant; the message says what to do."""


def settle(url: str, fingerprint: bytes, folder: Path) -> Path:
    """Return the file with the authority of this fingerprint, once the collector at ``url`` has
    proved that its certificate is of that authority and for that address.

    Raises UnreachableError or UntrustedError, or OSError when the file cannot be written.
    """
    if urlsplit(url).scheme != "https":
        raise UntrustedError(f"{url} is without TLS: nobody can prove there who they are.")
    certificate = _fetched(url)
    shown = None if certificate is None else hashlib.sha256(certificate).digest()
    if certificate is None or shown is None or not hmac.compare_digest(shown, fingerprint):
        raise UntrustedError(_impostor(url, fingerprint, shown))
    ca_file = _keep(certificate, folder)
    try:
        with closing(Connection(url, ca_file=ca_file)) as connection:
            connection.get(_PROOF_PATH)
    except TransportError as error:
        if not error.untrusted:
            raise UnreachableError(str(error)) from None
        raise UntrustedError(unproved(url, error)) from None
    return ca_file


def fingerprint_of(ca_file: Path) -> bytes | None:
    """Return the fingerprint of the authority in a file; None when there is none to be read."""
    try:
        certificate = _der(ca_file.read_bytes())
    except OSError:
        return None
    return None if certificate is None else hashlib.sha256(certificate).digest()


def is_kept(ca_file: Path, folder: Path) -> bool:
    """Tell whether this is a file that ``settle`` makes in the folder."""
    return ca_file.parent == folder and _KEPT.fullmatch(ca_file.name) is not None


def unproved(url: str, error: TransportError) -> str:
    """Say that TLS was not agreed on with whoever answers there."""
    return f"{url} does not prove that it is the collector: {error}. Nothing was sent to it."


def _fetched(url: str) -> bytes | None:
    """Ask for the authority's certificate (DER), of whoever answers."""
    try:
        with closing(Connection(url, unverified=True)) as connection:
            reply = connection.get(_CA_PATH)
    except TransportError as error:
        raise UnreachableError(str(error)) from None
    return _der(reply.body) if reply.status == 200 else None


def _der(pem: bytes) -> bytes | None:
    """Return the first certificate; what stands beside it in the file is nobody's business."""
    found = _CERTIFICATE.search(pem)
    try:
        return ssl.PEM_cert_to_DER_cert(found.group().decode("ascii")) if found else None
    except ValueError:
        return None


def _keep(certificate: bytes, folder: Path) -> Path:
    """Keep the certificate that was compared, and it alone; never in the place of another, which
    may be in use until this join has come to its end."""
    content = ssl.DER_cert_to_PEM_cert(certificate).encode()
    digits = hashlib.sha256(certificate).hexdigest()[:16]
    for name in ("ca.pem", f"ca-{digits}.pem"):
        path = folder / name
        kept = path.read_bytes() if path.exists() else None
        if kept == content:
            return path
        if kept is None:
            break
    private_files.write(path, content, mode=0o644)
    return path


def _impostor(url: str, expected: bytes, shown: bytes | None) -> str:
    has = "shows no authority" if shown is None else f"has {joining.grouped(shown)}"
    return (
        f"{url} is not the collector that you were invited to.\n"
        f"  expected {joining.grouped(expected)}\n"
        f"  it {has}\n"
        "Either somebody is in between, or the collector was set up anew since. Nothing was sent"
        " to it. Ask for a new join string in a way that you trust."
    )
