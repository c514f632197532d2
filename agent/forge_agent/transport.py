"""One kept HTTP connection to the collector, each request bounded in time."""

from __future__ import annotations

import contextlib
import socket
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    import http.client

    from forge_agent.tls import BoundedTLSSocket, Trust

CONNECT_TIMEOUT_S: Final = 5.0
REQUEST_TIMEOUT_S: Final = 10.0
# What is sent and not acknowledged for so long, by the peer's system itself, will not arrive: the
# peer is gone, or a router between has forgotten us. It leaves time to connect anew.
DEAD_AFTER_S: Final = 4.0
# Routers forget connections on which nothing moves, some after a minute.
STALE_AFTER_S: Final = 60.0
MAX_REPLY_BYTES: Final = 1024 * 1024


class Reply(NamedTuple):
    """What came back, whatever its status. ``retry_after``, ``location`` and ``date`` as they were
    sent."""

    status: int
    body: bytes
    retry_after: str | None
    location: str
    date: str = ""


class TransportError(Exception):
    """No whole answer came. ``timed_out``: it took too long. ``untrusted``: TLS was not agreed on,
    so that nothing was sent."""

    def __init__(self, reason: str, *, timed_out: bool = False, untrusted: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out
        self.untrusted = untrusted


class BoundedSocket(socket.socket):
    """A socket whose reads and writes all end by ``deadline_s`` of the monotonic clock.

    A time-out alone begins anew with each read and each write: a peer that trickles would hold us
    for ever.
    """

    deadline_s: float = 0.0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._bound()
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self._bound()  # the time-out bounds it as a whole
        super().sendall(*args, **kwargs)

    def _bound(self) -> None:
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left_s)


class Connection:
    """A keep-alive connection to the collector at ``url``. ``get``, ``post`` and ``put`` are for
    one thread; ``abort`` may come from another. ``timeout_s``: of a request, from its beginning
    to the end of its answer; None: the usual one.

    ``ca_file``: the authority whose certificates alone are trusted, None: the system's.
    ``unverified``: whoever answers is believed to be the one; for what is checked otherwise and
    goes without a credential. ``max_reply_bytes``: an answer that is longer is taken for empty.
    """

    def __init__(
        self,
        url: str,
        *,
        ca_file: Path | None = None,
        unverified: bool = False,
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        self._max_reply_bytes = max_reply_bytes
        self._url: SplitResult = urlsplit(url)
        self._trust = _trust(ca_file, unverified) if self._url.scheme == "https" else None
        self._http = _http_client(with_tls=self._trust is not None)
        self._client: http.client.HTTPConnection | None = None
        self._socket: BoundedSocket | BoundedTLSSocket | None = None
        self._used_at_s = 0.0
        self._last_address: Any = None  # of those that the name has, the one that answered
        self._aborted = False

    def get(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> Reply:
        """Ask for a path below the collector's URL; raises TransportError."""
        return self._request("GET", path, None, headers or {}, timeout_s)

    def post(
        self,
        path: str,
        body: bytes,
        headers: dict[str, str],
        *,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send a body to a path below the collector's URL; raises TransportError.

        It may arrive twice, which does no harm to a snapshot or a claim.
        """
        return self._request("POST", path, body, headers, timeout_s)

    def put(
        self,
        path: str,
        body: bytes,
        headers: dict[str, str],
        *,
        timeout_s: float | None = None,
    ) -> Reply:
        """Put a body at a path below the collector's URL; raises TransportError."""
        return self._request("PUT", path, body, headers, timeout_s)

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        timeout_s: float | None = None,
    ) -> Reply:
        """Send a request once, and once more when the kept connection turns out to be dead."""
        deadline_s = time.monotonic() + (REQUEST_TIMEOUT_S if timeout_s is None else timeout_s)
        if time.monotonic() - self._used_at_s > STALE_AFTER_S:
            self.close()
        reused = self._client is not None
        try:
            try:
                return self._exchange(method, path, body, headers, deadline_s)
            except (OSError, self._http.BadStatusLine) as error:
                self.close()
                if not reused or self._aborted or _took_too_long(error):
                    raise
                return self._exchange(method, path, body, headers, deadline_s)
        except TimeoutError:
            self.close()
            raise TransportError("it does not answer in time", timed_out=True) from None
        except (OSError, ValueError, self._http.HTTPException) as error:
            self.close()
            untrusted = self._trust is not None and _is_handshake(error)
            raise TransportError(_reason(error), untrusted=untrusted) from None

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
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], deadline_s: float
    ) -> Reply:
        client = self._client or self._connect(deadline_s)
        if self._aborted:
            raise ConnectionAbortedError("told to stop")
        if self._socket is not None:
            self._socket.deadline_s = deadline_s
        client.request(method, self._url.path + path, body, {"Host": self._url.netloc, **headers})
        response = client.getresponse()
        with response:
            answer = response.read(self._max_reply_bytes + 1)
            reply = Reply(
                response.status,
                answer if len(answer) <= self._max_reply_bytes else b"",
                response.getheader("Retry-After"),
                response.getheader("Location") or "",
                response.getheader("Date") or "",
            )
            if response.will_close or not response.isclosed():
                self.close()
        self._used_at_s = time.monotonic()
        return reply

    def _connect(self, deadline_s: float) -> http.client.HTTPConnection:
        host = self._url.hostname or ""
        connected: BoundedSocket | BoundedTLSSocket = self._connected_socket(host, deadline_s)
        if self._trust is not None:
            try:
                connected.settimeout(max(0.001, deadline_s - time.monotonic()))
                connected = self._trust.wrap(connected, host, deadline_s)
            except OSError:
                connected.close()
                raise
        client: http.client.HTTPConnection = self._http.HTTPConnection(host)
        client.auto_open = 0
        client.sock = self._socket = connected
        self._client = client
        return client

    def _connected_socket(self, host: str, deadline_s: float) -> BoundedSocket:
        """Try the host's addresses in turn, the one that last answered first; raises OSError.

        They share one time-out: what a dead one leaves is for the others. The name is looked up
        each time, so that a collector that moved is found.
        """
        port = self._url.port or (80 if self._trust is None else 443)
        # As bytes: a str goes through encodings.idna, whose tables would stay in memory.
        found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
        found.sort(key=lambda entry: entry[4] != self._last_address)
        until_s = min(time.monotonic() + CONNECT_TIMEOUT_S, deadline_s)
        failure: OSError = OSError("no address")
        for tried, (family, kind, protocol, _, address) in enumerate(found):
            budget_s = (until_s - time.monotonic()) / (len(found) - tried)
            sock = BoundedSocket(family, kind, protocol)
            # Known before it is connected, so that abort() can end the attempt.
            self._socket = sock
            try:
                sock.settimeout(max(0.001, budget_s))
                sock.connect(address)
                _tune(sock)
            except OSError as error:
                sock.close()
                failure = error
            else:
                self._last_address = address
                return sock
        raise failure


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; elsewhere a request's own end must do
        dead_after_ms = int(DEAD_AFTER_S * 1000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, dead_after_ms)


def _took_too_long(error: Exception) -> bool:
    """Tell our own end of patience from the system's news that a connection is dead, which bears
    a number (ETIMEDOUT)."""
    return isinstance(error, TimeoutError) and error.errno is None


def _trust(ca_file: Path | None, unverified: bool) -> Trust:
    # Imported here, because a plain connection must not pay for ssl.
    from forge_agent.tls import Trust  # noqa: PLC0415

    return Trust(ca_file, anybody=unverified)


def _is_handshake(error: Exception) -> bool:
    from forge_agent.tls import HandshakeError  # noqa: PLC0415

    return isinstance(error, HandshakeError)


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
