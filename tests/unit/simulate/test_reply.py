from __future__ import annotations

import pytest

from scripts.simulation.reply import GarbledReplyError, Reply, parse

WHOLE = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"accepted":1}'
)


def test_a_reply_is_read_when_it_is_all_there() -> None:
    for length in range(len(WHOLE)):
        assert parse(WHOLE[:length]) is None
    assert parse(WHOLE) == Reply(200, b'{"accepted":1}', keeps_open=True)


def test_header_names_may_be_written_in_any_case_and_close_is_seen() -> None:
    data = b"HTTP/1.1 503 Busy\r\nCONNECTION: close\r\ncontent-LENGTH:2\r\n\r\n{}"
    assert parse(data) == Reply(503, b"{}", keeps_open=False)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        WHOLE + b"more",
        b"x" * 2_000_000,
    ],
    ids=["no HTTP", "no status", "no length", "negative", "too much", "endless"],
)
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(GarbledReplyError):
        parse(data)
