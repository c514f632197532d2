from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from scripts.benches.queues.wire import Connection, RefusedError, Request, connected, drive

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REFUSED = b"HTTP/1.1 409 Conflict\r\nContent-Length: 5\r\n\r\nstale"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def answering(listener: socket.socket, pieces: list[bytes]) -> tuple[str, Thread]:
    """Answer what comes on each connection with these, a piece for each thing that is read."""

    def answer() -> None:
        peer, _ = listener.accept()
        with peer:
            for piece in pieces:
                peer.recv(65_536)
                peer.sendall(piece)

    thread = Thread(target=answer)
    thread.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", thread


def test_a_reply_is_read_to_its_end_whatever_pieces_it_comes_in(listener: socket.socket) -> None:
    url, thread = answering(listener, [WHOLE[:20], WHOLE[20:-1], WHOLE[-1:]])
    with connected(url, "token", 1) as (connection,):
        connection.send(Request("/", b"{}"))
        assert connection.receive() is None
        connection.send(Request("/", b"{}"))  # has the server go on
        assert connection.receive() is None
        assert connection.ask(Request("/", b"{}")) == b"ok"
    thread.join()


def test_a_problem_is_raised_and_no_content_is_an_empty_reply(listener: socket.socket) -> None:
    url, thread = answering(listener, [EMPTY, REFUSED])
    connection = Connection(url, "token")
    assert connection.ask(Request("/", b"{}")) == b""
    with pytest.raises(RefusedError, match=r"409.*stale"):
        connection.ask(Request("/", b"{}"))
    connection.close()
    thread.join()


def test_a_connection_asks_until_it_is_told_to_stop(listener: socket.socket) -> None:
    url, thread = answering(listener, [WHOLE] * 3)
    replies: list[bytes] = []

    def follow(_number: int, reply: bytes) -> Request | None:
        replies.append(reply)
        return Request("/", b"{}") if len(replies) <= 3 else None

    with connected(url, "token", 1) as connections:
        drive(connections, follow)
    thread.join()
    assert replies == [b"", b"ok", b"ok", b"ok"]
