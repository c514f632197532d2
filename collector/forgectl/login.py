"""Which collector to call and with what token: the environment's, or those of the login file."""

from __future__ import annotations

import hashlib
import os
import ssl
from pathlib import Path
from typing import Final

import platformdirs
from msgspec import Struct

from forge_shared import codec, joining
from forgectl.client import NO_AUTHORITY, Client, ClientError

_END: Final = "-----END CERTIFICATE-----"
DEFAULT_URL: Final = "http://127.0.0.1:8750"


class Login(Struct):
    """``authority``: whose certificates the collector's must be of, PEM; None: the system's."""

    url: str
    token: str
    authority: str | None = None


def path() -> Path:
    return platformdirs.user_config_path("forgectl") / "login.json"


def client() -> Client:
    """Return a client for FORGE_URL, FORGE_TOKEN and FORGE_CA_FILE, or for the login file."""
    saved = _saved()
    url = _normal(os.environ.get("FORGE_URL") or (saved.url if saved else DEFAULT_URL))
    token = os.environ.get("FORGE_TOKEN")
    ca_file = os.environ.get("FORGE_CA_FILE")
    authority = authority_in(Path(ca_file)) if ca_file else None
    # What was saved is for the collector it was saved for, and for no other.
    if saved is not None and saved.url == url:
        token = saved.token if token is None else token
        authority = authority or saved.authority
    if token is None:
        raise ClientError(f"There is no token for {url}. Run `forgectl login`, or set FORGE_TOKEN.")
    return Client(url, token, authority)


def authority_in(path: Path) -> str:
    """Return the certificate in a file; raises ClientError."""
    try:
        text = path.read_text()
        return text[: text.index(_END) + len(_END)]
    except (OSError, ValueError):
        raise ClientError(
            f"{path} cannot be read as a certificate: name the collector's ca.pem with --ca, or in "
            "FORGE_CA_FILE."
        ) from None


def fingerprint(authority: str) -> str:
    """Return the fingerprint of a certificate, for people to compare; raises ClientError."""
    try:
        der = ssl.PEM_cert_to_DER_cert(authority)
    except ValueError:
        raise ClientError(NO_AUTHORITY) from None
    return joining.grouped(hashlib.sha256(der).digest())


def save(url: str, token: str, authority: str | None) -> Path:
    """Keep a login in a file that only its owner can read."""
    target = path()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123  it owns the descriptor
        file.write(codec.encode(Login(_normal(url), token, authority)))
    draft.replace(target)
    return target


def forget() -> None:
    path().unlink(missing_ok=True)


def _saved() -> Login | None:
    try:
        return codec.decode(path().read_bytes(), Login)
    except FileNotFoundError:
        return None
    except (OSError, codec.MalformedError, codec.InvalidError) as error:
        raise ClientError(f"{path()} cannot be read ({error}); run `forgectl login`.") from None


def _normal(url: str) -> str:
    return url.rstrip("/")
