"""What a worker asks of the collector: JSON over a kept connection, and what its answers mean."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import Any, Final, NamedTuple

from forge_agent.transport import REQUEST_TIMEOUT_S, Connection, Reply, TransportError
from forge_shared import __version__

# What one request carries, either way. An answer to a claim may hold several jobs.
MAX_INLINE_BYTES: Final = 1024 * 1024
MAX_CLAIMED_BYTES: Final = 64 * 1024 * 1024
_DETAIL_LENGTH: Final = 300
_LONGEST_RETRY_AFTER_S: Final = 300
# Statuses that say nothing about what was asked.
_LATER: Final = frozenset({401, 403, 404, 405, 407, 408, 421, 425, 429})


class UnansweredError(Exception):
    """There was no answer, or one that says nothing of the matter: ask again later. ``reason``: for
    people, perhaps in the other side's words."""

    def __init__(self, reason: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class RefusedError(Exception):
    """The collector will never take this. ``code``: of its problem document."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {detail}".rstrip())
        self.status = status
        self.code = code


class Peer(NamedTuple):
    """The collector, and who we are to it."""

    url: str
    token: str
    ca_file: Path | None

    def __repr__(self) -> str:
        return f"Peer({self.url!r}, <token>)"


class Line:
    """One connection to the collector: a request at a time, from whichever thread."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._lock = threading.Lock()
        self._connection = self._connect()

    @property
    def connection(self) -> Connection:
        """The connection of now. Who decides by something that may be otherwise when the request
        goes out, asks for it as he decides: ``interrupt`` ends it from then on."""
        return self._connection

    def post(
        self,
        path: str,
        message: dict[str, Any],
        *,
        timeout_s: float = REQUEST_TIMEOUT_S,
        by: Connection | None = None,
    ) -> Any:
        """Return the answer's JSON, None without any; raises UnansweredError, RefusedError."""
        body = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
        headers = {"Content-Type": "application/json"}
        return _parsed(self.request("POST", path, body, headers, timeout_s=timeout_s, by=by))

    def request(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: dict[str, str],
        *,
        timeout_s: float = REQUEST_TIMEOUT_S,
        by: Connection | None = None,
    ) -> Reply:
        """Return an answer that is a success; raises UnansweredError, RefusedError. ``by``: the
        connection of an earlier moment."""
        headers = {
            "Authorization": f"Bearer {self._peer.token}",
            "User-Agent": f"forge-agent/{__version__}",
            **headers,
        }
        with self._lock:
            connection = by or self._connection
            try:
                if method == "GET":
                    reply = connection.get(path, headers, timeout_s=timeout_s)
                elif method == "PUT":
                    reply = connection.put(path, body, headers, timeout_s=timeout_s)
                else:
                    reply = connection.post(path, body, headers, timeout_s=timeout_s)
            except TransportError as error:
                raise UnansweredError(str(error)) from None
        return _judged(reply)

    def interrupt(self) -> None:
        """End the request that is under way, or about to be; those after it go by another
        connection."""
        broken, self._connection = self._connection, self._connect()
        broken.abort()

    def _connect(self) -> Connection:
        return Connection(
            self._peer.url, ca_file=self._peer.ca_file, max_reply_bytes=MAX_CLAIMED_BYTES
        )


def fault_of(error: Exception) -> str:
    """Put a fault of our own into words, without its text: that may quote anything."""
    why = f", {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    return f"a fault in the worker ({type(error).__name__}{why})"


def _judged(reply: Reply) -> Reply:
    if 200 <= reply.status < 300:
        return reply
    problem = _object(reply.body)
    detail = problem.get("detail")
    detail = detail[:_DETAIL_LENGTH].rstrip(". ") if isinstance(detail, str) else ""
    code = problem.get("code")
    # Without a code it is a proxy's word and not the collector's.
    if 400 <= reply.status < 500 and reply.status not in _LATER and isinstance(code, str):
        raise RefusedError(reply.status, code, detail)
    reason = f"{reply.status} {detail}".rstrip()
    if 300 <= reply.status < 400:
        reason = f"{reply.status}, it redirects to {reply.location!r}"
    raise UnansweredError(reason, retry_after_s=_seconds(reply.retry_after))


def _parsed(reply: Reply) -> Any:
    if not reply.body:
        return None
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError):
        raise UnansweredError("the answer is not a collector's") from None


def _object(body: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(body)
        if isinstance(found, dict):
            return found
    return {}


def _seconds(retry_after: str | None) -> float:
    text = (retry_after or "").strip()
    if not (text.isascii() and text.isdigit()):
        return 0.0
    return float(min(_LONGEST_RETRY_AFTER_S, int(text[:9])))
