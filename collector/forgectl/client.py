"""HTTP to a collector: typed messages in and out, problems as exceptions."""

from __future__ import annotations

import http.client
import random
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Final, TypeVar
from urllib.parse import urlsplit

from forge_shared import __version__, backoff, codec
from forge_shared.messages import Problem

_TIMEOUT_S: Final = 30.0
NO_AUTHORITY: Final = (
    "What was given as the authority's certificate is none: it is the collector's ca.pem."
)
_BREAKS: Final = (BrokenPipeError, ConnectionAbortedError, ConnectionResetError)
_OTHER_NAME: Final = frozenset({62, 64})  # of a host, of an address (X509_V_ERR_… of OpenSSL)
_CHUNK_BYTES: Final = 256 * 1024
_NO_HEADERS: Final[Mapping[str, str]] = {}
_SILENCE_S: Final = 40.0  # of a stream, on which a comment comes every 15 s

T = TypeVar("T")


class ClientError(Exception):
    """The collector refused, or could not be reached; the message says what to do. ``is_final``
    False: trying again later may help. ``was_sent``: it may have done what it was asked all the
    same. ``code``: the problem's, where it told one."""

    def __init__(
        self, message: str, *, is_final: bool = True, was_sent: bool = False, code: str = ""
    ) -> None:
        super().__init__(message)
        self.is_final = is_final
        self.was_sent = was_sent
        self.code = code


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
        self._has_answered = False
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

    def post_lines(self, path: str, lines: Iterable[bytes], reply: type[T]) -> T:
        """Send many messages, one a line."""
        headers = {"Content-Type": codec.NDJSON}
        return decoded(self._call("POST", path, b"\n".join(lines), headers), reply)

    def patch(self, path: str, message: object, reply: type[T]) -> T:
        return decoded(self._call("PATCH", path, codec.encode(message)), reply)

    def put_part(self, path: str, part: bytes, content_range: str, reply: type[T]) -> T:
        """Send a part of a file, or with none of it ask how much is there."""
        headers = {"Content-Type": "application/octet-stream", "Content-Range": content_range}
        return decoded(self._call("PUT", path, part, headers), reply)

    def delete(self, path: str) -> None:
        self._call("DELETE", path, None)

    def bytes_from(self, path: str, first: int) -> Generator[bytes, None, None]:
        """Yield a file's bytes from ``first`` on as they come; what ends too soon ends silently."""
        headers = {"Range": f"bytes={first}-"}
        with self._open("GET", path, None, _TIMEOUT_S, headers) as response:
            if response.status != 206:
                raise ClientError("The answer is not a Forge Fleet collector's: no part of a file.")
            while chunk := response.read1(_CHUNK_BYTES):
                yield chunk

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

    def lasting_events(
        self, path: str, lost: Callable[[str], None]
    ) -> Generator[bytes, None, None]:
        """As ``events``, of a collector that may go away and come back. ``lost``: told why nothing
        comes for the moment.

        Ends with a ClientError alone: the collector never was there, or it refuses.
        """
        failures, was_there = 0, False
        while True:
            try:
                with closing(self.events(path)) as events:
                    for data in events:
                        failures, was_there = 0, True
                        yield data
            except ClientError as error:
                if error.is_final or not was_there:
                    raise
                lost(str(error))
            failures += 1
            time.sleep(backoff.full_jitter_s(failures, random.random()))  # noqa: S311  no secret

    def _call(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] = _NO_HEADERS
    ) -> bytes:
        with self._open(method, path, body, _TIMEOUT_S, headers) as response:
            answer = bytes(response.read())
            if not answer and response.status != 204:
                raise http.client.IncompleteRead(answer)  # cut off within the headers
            return answer

    @contextmanager
    def _open(
        self,
        method: str,
        path: str,
        body: bytes | None,
        timeout_s: float,
        more_headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Iterator[http.client.HTTPResponse]:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "User-Agent": f"forgectl/{__version__}",
            "Content-Type": "application/json",
            **more_headers,
        }
        request = urllib.request.Request(  # noqa: S310  the scheme was checked above
            self.url + path, body, headers, method=method
        )
        try:
            with self._opener.open(request, timeout=timeout_s) as response:
                self._has_answered = True
                yield response
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(error.code, error.read()) from None
        except urllib.error.URLError as error:
            raise self._unreached(error) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._broken_off(error) from None

    def _unreached(self, error: urllib.error.URLError) -> ClientError:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            return ClientError(_untrusted(self.url, error.reason))
        if isinstance(error.reason, _BREAKS):  # while the request was on its way
            return self._broken_off(error.reason)
        return ClientError(
            f"No collector answers at {self.url} ({error.reason}). Is it running? "
            f"{self._change_address}",
            is_final=False,
        )

    def _broken_off(self, error: Exception) -> ClientError:
        broke_off = f"The collector at {self.url} broke off: {error!r}."
        if not self._has_answered and self.url.startswith("http://"):
            broke_off = (
                "If the collector speaks TLS, its address begins with https://. "
                f"{self._change_address} {broke_off}"
            )
        return ClientError(broke_off, is_final=False, was_sent=True)


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


def _refusal(status: int, body: bytes) -> ClientError:
    is_final = status < 500
    try:
        problem = codec.decode(body, Problem)
    except (codec.MalformedError, codec.InvalidError):
        told = f"The answer is HTTP {status}, and not from a Forge Fleet collector."
        return ClientError(told, is_final=is_final)
    # The first of several errors is in the detail.
    others = "; ".join(f"{error.field}: {error.detail}" for error in problem.errors[1:])
    told = f"{problem.detail} Also: {others}." if others else problem.detail
    return ClientError(told, is_final=is_final, was_sent=not is_final, code=problem.code)
