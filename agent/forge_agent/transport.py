"""One kept HTTP connection to the collector, each request bounded in time."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    import http.client

    from forge_agent.tls import BoundedTLSSocket

CONNECT_TIMEOUT_S: Final = 5.0
REQUEST_TIMEOUT_S: Final = 10.0
_MAX_REPLY_BYTES: Final = 1024 * 1024


class Reply(NamedTuple):
    """What came back, whatever its status. ``retry_after`` and ``location`` as they were sent."""

    status: int
    body: bytes
    retry_after: str | None
    location: str


class TransportError(Exception):
    """No whole answer came. ``timed_out``: it took too long."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class BoundedSocket(socket.socket):
    """A socket whose reads all end by ``deadline_s`` of the monotonic clock.

    A time-out alone begins anew with each byte: a peer that trickles would hold us for ever.
    (A sendall is bounded as a whole by the time-out.)
    """

    deadline_s: float = 0.0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left_s)
        return super().recv_into(*args, **kwargs)


class Connection:
    """A keep-alive connection to the collector at ``url``. ``post`` is for one thread; ``abort``
    may come from another."""

    def __init__(self, url: str) -> None:
        self._url: SplitResult = urlsplit(url)
        self._tls = self._url.scheme == "https"
        self._http = _http_client(with_tls=self._tls)
        self._client: http.client.HTTPConnection | None = None
        self._socket: BoundedSocket | BoundedTLSSocket | None = None
        self._aborted = False

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        """Send a body to a path below the collector's URL; raises TransportError.

        A kept connection that the other side has closed meanwhile is opened again, once: sending
        a snapshot twice does no harm.
        """
        deadline_s = time.monotonic() + REQUEST_TIMEOUT_S
        reused = self._client is not None
        try:
            try:
                return self._exchange(path, body, headers, deadline_s)
            except (OSError, self._http.BadStatusLine) as error:
                self.close()
                if not reused or self._aborted or isinstance(error, TimeoutError):
                    raise
                return self._exchange(path, body, headers, deadline_s)
        except TimeoutError:
            self.close()
            raise TransportError("it does not answer in time", timed_out=True) from None
        except (OSError, ValueError, self._http.HTTPException) as error:
            self.close()
            raise TransportError(_reason(error)) from None

    def close(self) -> None:
        client, self._client, self._socket = self._client, None, None
        if client is not None:
            client.close()

    def abort(self) -> None:
        """End a request that another thread waits for, and every later one."""
        self._aborted = True
        waiting = self._socket
        if waiting is not None:
            # Shutting the socket down wakes its reader; the plain method, because that of a TLS
            # socket would take the TLS state away from under the reader.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(waiting, socket.SHUT_RDWR)

    def _exchange(
        self, path: str, body: bytes, headers: dict[str, str], deadline_s: float
    ) -> Reply:
        client = self._client or self._connect(deadline_s)
        if self._socket is not None:
            self._socket.deadline_s = deadline_s
            self._socket.settimeout(max(0.001, deadline_s - time.monotonic()))
        client.request("POST", self._url.path + path, body, {"Host": self._url.netloc, **headers})
        response = client.getresponse()
        with response:
            answer = response.read(_MAX_REPLY_BYTES + 1)
            reply = Reply(
                response.status,
                answer if len(answer) <= _MAX_REPLY_BYTES else b"",
                response.getheader("Retry-After"),
                response.getheader("Location") or "",
            )
            if response.will_close or not response.isclosed():
                self.close()
        return reply

    def _connect(self, deadline_s: float) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        connected: BoundedSocket | BoundedTLSSocket = self._connected_socket(host, deadline_s)
        if self._tls:
            # Imported here, because a plain connection must not pay for ssl.
            from forge_agent import tls  # noqa: PLC0415

            try:
                connected = tls.wrap(connected, host, deadline_s)
            except OSError:
                connected.close()
                raise
        client: http.client.HTTPConnection = self._http.HTTPConnection(host)
        client.auto_open = 0
        client.sock = self._socket = connected
        self._client = client
        return client

    def _connected_socket(self, host: str, deadline_s: float) -> BoundedSocket:
        """Try the host's addresses in turn, sharing one time-out among them; raises OSError."""
        port = self._url.port or (443 if self._tls else 80)
        # As bytes: a str goes through encodings.idna, whose tables would stay in memory.
        addresses = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
        budget_s = min(CONNECT_TIMEOUT_S, deadline_s - time.monotonic()) / len(addresses)
        failure: OSError = OSError("no address")
        for family, kind, protocol, _, address in addresses:
            sock = BoundedSocket(family, kind, protocol)
            # Known before it is connected, so that abort() can end the attempt.
            self._socket = sock
            try:
                sock.settimeout(max(0.001, budget_s))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise failure


def _http_client(*, with_tls: bool) -> ModuleType:
    """Import http.client; for plain http without the ssl that it would bring along.

    http.client imports ssl where there is one, and does without where there is none. ssl loads
    OpenSSL: with it the agent holds 18.6 MB, without it 14.3 (Python 3.11, Linux x86-64). So
    the import finds None in ssl's place, which means "there is none", only while it runs.
    """
    placeholder = not with_tls and "ssl" not in sys.modules
    if placeholder:
        sys.modules["ssl"] = None  # type: ignore[assignment]
    try:
        import http.client as client  # noqa: PLC0415, PLR0402
    finally:
        if placeholder:
            del sys.modules["ssl"]
    return client


def _reason(error: Exception) -> str:
    """Put a failure into a few words."""
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there (connection refused)"
    if isinstance(error, socket.gaierror):
        return f"the host name cannot be resolved ({error.strerror})"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    # What is left are answers that are not HTTP; their text may be the peer's.
    return f"the answer is not HTTP ({type(error).__name__})"
