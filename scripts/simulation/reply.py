"""Reads the collector's HTTP replies: status line, Content-Length, body. No more is needed."""

from __future__ import annotations

from typing import Final, NamedTuple

_MAX_REPLY_BYTES: Final = 1024 * 1024
_STATUS: Final = slice(9, 12)


class Reply(NamedTuple):
    status: int
    body: bytes
    keeps_open: bool


class GarbledReplyError(Exception):
    """What came back is not a reply this client can read."""


def parse(data: bytes) -> Reply | None:
    """Return the one reply these bytes are, or None while it is not all there."""
    if len(data) > _MAX_REPLY_BYTES:
        raise GarbledReplyError("a reply of more than 1 MiB")
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    if not data.startswith(b"HTTP/1.1 ") or not data[_STATUS].isdigit():
        raise GarbledReplyError("not an HTTP/1.1 reply")
    head = data[:end].lower()
    body_at, length = end + 4, _content_length(head)
    if len(data) < body_at + length:
        return None
    if len(data) > body_at + length:
        raise GarbledReplyError("more bytes than Content-Length says")
    return Reply(int(data[_STATUS]), data[body_at:], b"\r\nconnection: close" not in head)


def _content_length(head: bytes) -> int:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    digits = rest.partition(b"\r\n")[0].strip()
    if not found or not digits.isdigit():
        raise GarbledReplyError("a reply without Content-Length")
    return int(digits)
