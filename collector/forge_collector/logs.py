"""Structured logs: JSON lines for machines, readable lines on a terminal."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, Final

import orjson
import structlog
from structlog.types import EventDict, Processor, WrappedLogger

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def configure(*, on_terminal: bool) -> None:
    """Send logs to stderr. To be called once, by the command line."""
    logging.basicConfig(handlers=[_Relay()], level=logging.WARNING)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
    ]
    if on_terminal:
        structlog.configure(
            processors=[
                *shared,
                structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
                _without_control_characters,
                structlog.dev.ConsoleRenderer(),
            ],
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
            cache_logger_on_first_use=True,
        )
        return
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=orjson.dumps),
        ],
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )


class _Relay(logging.Handler):
    """Passes on what libraries log with the standard library, as lines of our own kind."""

    def emit(self, record: logging.LogRecord) -> None:
        # Late: it takes all of aiohttp along, and some commands only borrow `printable` from here.
        from aiohttp.http_exceptions import HttpProcessingError  # noqa: PLC0415

        log = structlog.get_logger(record.name)
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            # Anybody can send bytes that are no HTTP: one line each, and no traceback.
            log.info("malformed request", reason=str(error.message).splitlines()[0][:200])
        else:
            log.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def printable(text: str) -> str:
    """Return the text with what could steer a terminal replaced."""
    return _CONTROL.sub("\ufffd", text)


def _without_control_characters(
    _logger: WrappedLogger, _method: str, event: EventDict
) -> EventDict:
    # Node names and agents' messages are strangers' text; a stack trace keeps its lines.
    return {key: _safe(key, value) for key, value in event.items()}


def _safe(key: str, value: Any) -> Any:  # whatever somebody logs
    return printable(value) if isinstance(value, str) and key != "exception" else value
