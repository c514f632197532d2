"""The authorities that this system trusts, found where its distribution keeps them.

OpenSSL knows one place, compiled in. A program that was built on one distribution carries its
OpenSSL to others, which keep theirs elsewhere.
"""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

# Each a PEM file with all of them.
BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo, NixOS
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL and what follows it
    "/etc/pki/tls/certs/ca-bundle.crt",  # the same, as older releases call it
    "/etc/ssl/ca-bundle.pem",  # openSUSE, SLES
    "/var/lib/ca-certificates/ca-bundle.pem",  # the same, newer
    "/etc/ssl/cert.pem",  # Alpine, macOS, the BSDs
)


def complete(context: ssl.SSLContext, bundles: Sequence[str] = BUNDLES) -> None:
    """Load the system's authorities into a context that found none by itself.

    Windows has its own store, which Python reads. What the owner names in SSL_CERT_FILE or
    SSL_CERT_DIR stands alone, even if it is not there.
    """
    if sys.platform == "win32" or context.cert_store_stats()["x509_ca"] or _says_itself():
        return
    for bundle in bundles:
        try:
            context.load_verify_locations(cafile=bundle)
        except (OSError, ssl.SSLError):
            continue  # of another distribution, or empty
        return


def _says_itself() -> bool:
    """Tell whether OpenSSL looks where the owner said, or in a folder that is there: its
    certificates are read when one is asked for, and not counted before."""
    paths = ssl.get_default_verify_paths()
    named = {paths.openssl_cafile_env, paths.openssl_capath_env} & os.environ.keys()
    return bool(named) or _holds_certificates(paths.openssl_capath)


def _holds_certificates(folder: str) -> bool:
    """Tell whether OpenSSL would find any there: it goes by names such as 5ad8a5d6.0."""
    try:
        return any(path.suffix[1:].isdigit() for path in Path(folder).iterdir())
    except OSError:
        return False
