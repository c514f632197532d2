"""Asking the collector that runs on this machine for a copy of its store."""

from __future__ import annotations

import http.client
import ssl
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from forge_collector.backup import drafts
from forge_collector.config import ConfigError
from forge_shared import __version__, codec
from forge_shared.messages import Problem

# Nothing comes until the copy is made: 10 minutes are enough for tens of gigabytes.
_TIMEOUT_S: Final = 600.0
_CHUNK_BYTES: Final = 1024 * 1024


def fetch(url: str, ca_file: Path, secret: str, target: Path) -> None:
    """Write the collector's copy to a file; raises ConfigError, and OSError of the file.

    ``ca_file``: the authority by which an https collector is known.
    """
    # Straight there: neither a proxy nor a redirect must be handed the secret.
    with closing(_connection(url, ca_file)) as connection:
        try:
            connection.request(
                "GET",
                "/api/backup",
                headers={
                    "Authorization": f"Bearer {secret}",
                    "User-Agent": f"forge-collector/{__version__}",
                },
            )
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise ConfigError(f"The collector at {url} does not answer ({error!r}).") from None
        if response.status != 200:
            raise ConfigError(_explained(response.status, response.read()))
        _receive(response, target)


def _connection(url: str, ca_file: Path) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_S)
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(
            f"The collector's authority cannot be read: {ca_file}: {error.strerror}."
        ) from None
    return http.client.HTTPSConnection(host, parts.port, timeout=_TIMEOUT_S, context=context)


def _receive(response: http.client.HTTPResponse, target: Path) -> None:
    missing = response.length
    if missing is None:
        raise ConfigError("What answers there is no Forge Fleet collector.")
    with target.open("wb") as file:
        while missing:
            try:
                chunk = response.read(min(missing, _CHUNK_BYTES))
            except (OSError, http.client.HTTPException) as error:
                raise ConfigError(f"The collector broke off ({error!r}). Try again.") from None
            if not chunk:
                raise ConfigError("The collector broke off: it was stopped, perhaps. Try again.")
            missing -= len(chunk)
            drafts.write(file, chunk)


def _explained(status: int, body: bytes) -> str:
    try:
        problem = codec.decode(body, Problem)
    except (codec.MalformedError, codec.InvalidError):
        return f"The answer is HTTP {status}, and not from a Forge Fleet collector."
    if problem.code == "unauthenticated":
        return (
            "The collector does not know this admin secret. If it was given ADMIN_SECRET, set the "
            "same here."
        )
    return problem.detail
