"""Errors as RFC 9457 problem documents: a stable code, and a detail that says what to do.

Domain errors are translated here, once: a feature declares which exception means which problem by
raising ProblemError in its routes; everything else is the collector's own fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

import structlog
from aiohttp import web

from forge_collector.db import DatabaseError, OverloadedError, StorageFullError
from forge_shared import codec
from forge_shared.messages import FieldError, Problem

_log = structlog.get_logger()

CONTENT_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 2
RETRY_AFTER_FULL_S: Final = 30


class Kind(NamedTuple):
    status: int
    title: str


# Every problem code there is. docs/protocol.md tells users what each means.
KINDS: Final[Mapping[str, Kind]] = {
    "malformed_json": Kind(400, "The body is not JSON"),
    "malformed_request": Kind(400, "The request cannot be read"),
    "unauthenticated": Kind(401, "Who are you?"),
    "login_failed": Kind(401, "That did not sign you in"),
    "forbidden": Kind(403, "Not for you"),
    "foreign_node": Kind(403, "A node's token speaks for that node alone"),
    "invite_unknown": Kind(403, "No such invite"),
    "cross_origin": Kind(403, "Writes come from the page itself"),
    "not_found": Kind(404, "There is no such thing"),
    "method_not_allowed": Kind(405, "Not with this method"),
    "foreign_worker": Kind(403, "Another machine has this worker"),
    "node_id_taken": Kind(409, "Another machine has this id"),
    "stale_lease": Kind(409, "This lease has ended"),
    "id_taken": Kind(409, "Somebody else has this id or key"),
    "job_finished": Kind(409, "The job has ended"),
    "job_unfinished": Kind(409, "The job has not ended"),
    "file_conflict": Kind(409, "The job has no room for this file"),
    "file_incomplete": Kind(409, "The file is not whole"),
    "range_mismatch": Kind(409, "The part does not fit the file"),
    "range_not_satisfiable": Kind(416, "The file has no such part"),
    "deadline_passed": Kind(422, "The deadline has passed"),
    "payload_invalid": Kind(422, "The payload is not what the job's type takes"),
    "invite_expired": Kind(410, "The invite has expired"),
    "invite_used_up": Kind(410, "The invite is used up"),
    "invite_revoked": Kind(410, "The invite was revoked"),
    "request_timeout": Kind(408, "The body took too long"),
    "too_large": Kind(413, "The body is too large"),
    "unsupported_media_type": Kind(415, "Not this content type"),
    "unknown_host": Kind(421, "This collector does not go by that name"),
    "invalid": Kind(422, "The request is not what it should be"),
    "too_many_values": Kind(422, "Too many values in one snapshot"),
    "too_many_lines": Kind(413, "Too many lines in one batch"),
    "bad_metric_key": Kind(422, "A metric key is malformed"),
    "out_of_bounds": Kind(422, "A number is out of bounds"),
    "too_many_attempts": Kind(429, "Too many failed attempts"),
    "internal": Kind(500, "The collector failed"),
    "overloaded": Kind(503, "The collector is busy"),
    "storage_full": Kind(503, "The collector's disk is full"),
    "storage_failed": Kind(503, "The collector's store failed"),
    "not_ready": Kind(503, "Not ready"),
}


class ProblemError(Exception):
    """Ends a request with a problem document."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: list[FieldError] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors or []
        self.headers = headers or {}

    def response(self) -> web.Response:
        kind = KINDS[self.code]
        problem = Problem(
            type=f"urn:forge-fleet:problem:{self.code}",
            title=kind.title,
            status=kind.status,
            code=self.code,
            detail=self.detail,
            errors=self.errors,
        )
        return web.Response(
            body=codec.encode(problem),
            status=kind.status,
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


def not_found(what: str) -> ProblemError:
    return ProblemError("not_found", f"There is no {what}.")


def invalid(field: str, reason: str, code: str = "invalid") -> ProblemError:
    return ProblemError(code, f"{field}: {reason}", errors=[FieldError(field, reason)])


def of_codec(
    error: codec.MalformedError | codec.InvalidError | codec.TooManyLinesError,
) -> ProblemError:
    """Translate what the codec refused."""
    if isinstance(error, codec.TooManyLinesError):
        return ProblemError(error.code, str(error))
    if isinstance(error, codec.MalformedError):
        return ProblemError(error.code, f"{error} Send one JSON document, UTF-8.")
    return invalid(error.field or "body", error.reason, error.code)


@web.middleware
async def middleware(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer whatever goes wrong with a problem document."""
    try:
        return await handler(request)
    except ProblemError as problem:
        return problem.response()
    except web.HTTPException as error:
        return _of_http(error, request).response()
    except DatabaseError as error:
        return _of_database(error).response()
    except asyncio.CancelledError:
        raise
    except ConnectionResetError:
        # Whoever asked has left. Let through, it would be logged with a traceback as a fault.
        return web.Response(status=400)
    except Exception:  # noqa: BLE001  the outermost edge: a fault of ours must not show its insides
        _log.exception("request failed", method=request.method, path=request.path)
        return ProblemError(
            "internal", "This is a fault of the collector; its log says more."
        ).response()


def _of_http(error: web.HTTPException, request: web.Request) -> ProblemError:
    if error.status == 404:
        return not_found("such address; docs/protocol.md lists them all")
    if error.status == 405:
        allow = error.headers.get("Allow", "")
        return ProblemError(
            "method_not_allowed",
            f"{request.method} is not one of {allow}.",
            headers={"Allow": allow},
        )
    if error.status == 413:
        return too_large(codec.MAX_BODY_BYTES)
    return ProblemError("malformed_request", f"{error.reason}.")


def too_large(limit_bytes: int) -> ProblemError:
    return ProblemError(
        "too_large",
        f"A body holds {limit_bytes:,} bytes at most, decompressed; send it in smaller parts.",
    )


def too_many_attempts() -> ProblemError:
    """One wording for all that is guessed at: whoever guesses need not know what was wrong."""
    return ProblemError(
        "too_many_attempts",
        "Too many failed attempts from this address; wait a minute, then try again.",
        headers={"Retry-After": "60"},
    )


def _of_database(error: DatabaseError) -> ProblemError:
    if isinstance(error, OverloadedError):
        return ProblemError(
            "overloaded",
            "More arrives than can be stored; nothing of this was kept, send it again later.",
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )
    if isinstance(error, StorageFullError):
        _log.error("storage full", error=str(error))
        return ProblemError(
            "storage_full",
            "The collector's disk is full; nothing of this was kept. Make room, then send again.",
            headers={"Retry-After": str(RETRY_AFTER_FULL_S)},
        )
    _log.error("storage failed", error=str(error))
    return ProblemError(
        "storage_failed",
        "The collector could not store this; nothing of it was kept, send it again later.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )
