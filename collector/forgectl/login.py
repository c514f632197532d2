"""Which collector to call and with what token: the environment's, or those of the login file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import platformdirs
from msgspec import Struct

from forge_shared import codec
from forgectl.client import Client, ClientError

DEFAULT_URL: Final = "http://127.0.0.1:8750"


class Login(Struct):
    url: str
    token: str


def path() -> Path:
    return platformdirs.user_config_path("forgectl") / "login.json"


def client() -> Client:
    """Return a client for FORGE_URL and FORGE_TOKEN, or for the login file."""
    saved = _saved()
    url = os.environ.get("FORGE_URL") or (saved.url if saved else DEFAULT_URL)
    token = os.environ.get("FORGE_TOKEN")
    # A saved token goes to the collector it was saved for, and to no other.
    if token is None and saved is not None and saved.url == _normal(url):
        token = saved.token
    if token is None:
        raise ClientError(f"There is no token for {url}. Run `forgectl login`, or set FORGE_TOKEN.")
    return Client(_normal(url), token)


def save(url: str, token: str) -> Path:
    """Keep a login in a file that only its owner can read."""
    target = path()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123  it owns the descriptor
        file.write(codec.encode(Login(_normal(url), token)))
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
