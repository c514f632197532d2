"""HTTP to a collector: typed messages in and out, problems as exceptions."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar
from urllib.parse import urlsplit

from forge_shared import __version__, codec
from forge_shared.messages import Problem

_TIMEOUT_S: Final = 30.0
NO_AUTHORITY: Final = (
    "What was given as the authority's certificate is none: it is the collector's ca.pem."
)
_OTHER_NAME: Final = frozenset({62, 64})  # of a host, of an address (X509_V_ERR_… of OpenSSL)
_SILENCE_S: Final = 40.0  # of a stream, on which a comment comes every 15 s

T = TypeVar("T")


class ClientError(Exception):
    """The collector refused, or could not be reached; the message says what to do."""

    def __init__(self, message: str, *, is_final: bool = True) -> None:
        super().__init__(message)
        self.is_final = is_final  # False: trying again later may help


class Client:
    """Calls one collector with one token. ``url`` has no trailing slash. ``authority``: whose
    certificates are taken, PEM; None: those of the system's authorities. ``change_address``: how
    to name another collector."""

    def __init__(
        self,
        url: str,
        token: str,
        authority: str | None = None,
        change_address: str = "Set FORGE_URL to its address.",
    ) -> None:
        if not _is_address(url):
            raise ClientError(f"{url!r} is no address; it begins with http:// or https://.")
        if not token.isascii() or not token.isprintable():
            raise ClientError("The token holds characters that no token has; paste it again.")
        self.url = url
        self._token = token
        self._change_address = change_address
        # A proxy of the environment must not be handed the token; a redirect even less.
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(
                context=_trusting(authority) if url.startswith("https") else None
            ),
            _NoRedirects(),
        )

    def get(self, path: str, reply: type[T]) -> T:
        return decoded(self._call("GET", path, None), reply)

    def post(self, path: str, message: object, reply: type[T]) -> T:
        return decoded(self._call("POST", path, codec.encode(message)), reply)

    def patch(self, path: str, message: object, reply: type[T]) -> T:
        return decoded(self._call("PATCH", path, codec.encode(message)), reply)

    def delete(self, path: str) -> None:
        self._call("DELETE", path, None)

    def events(self, path: str) -> Generator[bytes, None, None]:
        """Yield the data of each server-sent event as it comes.

        Ends with a ClientError alone: a stream that works does not end.
        """
        with self._open("GET", path, None, _SILENCE_S) as response:
            for line in response:
                # An event of this API has one line of data.
                if line.startswith(b"data: "):
                    yield line.removeprefix(b"data: ").rstrip(b"\r\n")
        raise ClientError(f"The collector at {self.url} ended the stream.", is_final=False)

    def _call(self, method: str, path: str, body: bytes | None) -> bytes:
        with self._open(method, path, body, _TIMEOUT_S) as response:
            return bytes(response.read())

    @contextmanager
    def _open(
        self, method: str, path: str, body: bytes | None, timeout_s: float
    ) -> Iterator[http.client.HTTPResponse]:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "User-Agent": f"forgectl/{__version__}",
            "Content-Type": "application/json",
        }
        request = urllib.request.Request(  # noqa: S310  the scheme was checked above
            self.url + path, body, headers, method=method
        )
        has_answered = False
        try:
            with self._opener.open(request, timeout=timeout_s) as response:
                has_answered = True
                yield response
        except urllib.error.HTTPError as error:
            with error:
                raise ClientError(
                    _explained(error.code, error.read()), is_final=error.code < 500
                ) from None
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise ClientError(_untrusted(self.url, error.reason)) from None
            raise ClientError(
                f"No collector answers at {self.url} ({error.reason}). Is it running? "
                f"{self._change_address}",
                is_final=False,
            ) from None
        except (OSError, http.client.HTTPException) as error:
            broke_off = f"The collector at {self.url} broke off: {error!r}."
            if not has_answered and self.url.startswith("http://"):
                broke_off = (
                    "If the collector speaks TLS, its address begins with https://. "
                    f"{self._change_address} {broke_off}"
                )
            raise ClientError(broke_off, is_final=False) from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object) -> None:
        return None


def _trusting(authority: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=authority)
    except ValueError:  # ssl.SSLError is an OSError and a ValueError
        raise ClientError(NO_AUTHORITY) from None


def _untrusted(url: str, error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _OTHER_NAME:
        return (
            f"The certificate at {url} is not for this address; use one that it is for, or start "
            "the collector with --public-url or --allowed-host."
        )
    return (
        f"The certificate at {url} cannot be verified ({error.verify_message}): if the collector "
        f"has an authority of its own, fetch {url}/ca.pem or copy tls/ca.pem from its data folder, "
        f"then run `forgectl login --url {url} --ca ca.pem` and compare the fingerprint it shows "
        "with the one the collector shows at its start."
    )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def decoded(body: bytes, reply: type[T]) -> T:
    try:
        return codec.decode(body, reply)
    except (codec.MalformedError, codec.InvalidError):
        raise ClientError(
            "The answer is not a Forge Fleet collector's; check the address."
        ) from None


def _explained(status: int, body: bytes) -> str:
    try:
        return codec.decode(body, Problem).detail
    except (codec.MalformedError, codec.InvalidError):
        return f"The answer is HTTP {status}, and not from a Forge Fleet collector."
