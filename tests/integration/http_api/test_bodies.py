"""Bodies that are too large, too slow, or something else than they say."""

from __future__ import annotations

import asyncio
import gzip
import resource
import struct
import time
import zlib
from collections.abc import AsyncIterator
from functools import lru_cache, reduce

import pytest

from forge_collector.access.rules import SESSION_LIFETIME_MS
from forge_collector.http import connections, limits
from forge_shared.codec import MAX_BODY_BYTES
from forge_shared.messages import IngestReply, Node
from tests.integration.http_api.running import (
    ADMIN,
    JSON,
    NDJSON,
    Answer,
    Headers,
    Server,
    bearer,
)

PATH = "/api/ingest/n1"
MIB = 1024 * 1024


@lru_cache
def bomb(encoding: str, inflated_mib: int = 1000) -> bytes:
    """Zeros. Each MiB is packed by itself, and looks like the first: packing all takes seconds."""
    zeros, packer = bytes(MIB), zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    inflated = inflated_mib * MIB
    match encoding:
        case "gzip":
            checksum = reduce(lambda found, _: zlib.crc32(zeros, found), range(inflated_mib), 0)
            begin, end = gzip.compress(b"")[:10], struct.pack("<II", checksum, inflated)
        case _:
            checksum = reduce(lambda found, _: zlib.adler32(zeros, found), range(inflated_mib), 1)
            begin, end = zlib.compress(b"")[:2], struct.pack(">I", checksum)
    return begin + packed * inflated_mib + packer.flush() + end


def peak_memory_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def post(server: Server, body: object, headers: Headers, path: str = PATH) -> Answer:
    return await server.call("POST", path, {"Content-Type": JSON, **headers}, data=body)


async def test_8_mib_are_taken(server: Server) -> None:
    line = server.line()
    body = line + b" " * (MAX_BODY_BYTES - len(line))
    assert (await post(server, body, await server.node())).as_(IngestReply).accepted == 1


async def test_a_byte_more_is_too_large(server: Server) -> None:
    body = server.line() + b" " * MAX_BODY_BYTES
    problem = (await post(server, body, await server.node())).problem("too_large")
    assert "8,388,608" in problem.detail


async def test_a_body_that_does_not_say_how_long_it_is_is_cut_off_too(server: Server) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield bytes(MIB)

    (await post(server, endless(), await server.node())).problem("too_large")


@pytest.mark.parametrize("path", ["/api/tokens", "/api/login-links"])
async def test_other_bodies_are_small(server: Server, path: str) -> None:
    body = b'{"name": "%b"}' % (b"x" * 70_000)
    (await post(server, body, ADMIN, path)).problem("too_large")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("who", ["the node", "nobody", "an unread body"])
async def test_a_bomb_is_stopped_at_the_limit(server: Server, encoding: str, who: str) -> None:
    """1 MB that inflates to 1 GB: answered at once, unpacked by nobody, holding nobody up."""
    headers = {"Content-Encoding": encoding, **(await server.node() if who == "the node" else {})}
    assert zlib.decompress(bomb(encoding, 3), wbits=47) == bytes(3 * MIB)
    body = bomb(encoding)
    assert len(body) < 2 * MIB
    memory, cpu_s = peak_memory_mib(), time.process_time()
    if who == "an unread body":
        answer = await server.call("GET", "/healthz", headers, data=body)
        assert answer.status == 200
    else:
        answer = await post(server, body, headers)
        answer.problem("too_large" if who == "the node" else "unauthenticated")
    await asyncio.sleep(0.2)  # whatever goes on after the answer would show now
    assert (await server.get("/healthz")).status == 200
    assert peak_memory_mib() - memory < 64
    assert time.process_time() - cpu_s < 1.0


async def test_a_compressed_body_is_taken(server: Server) -> None:
    token = await server.node()
    body = gzip.compress(server.line())
    answer = await post(server, body, {**token, "Content-Encoding": "gzip"})
    assert answer.as_(IngestReply).accepted == 1
    # The connection goes on.
    assert (await server.push(token, 1)).as_(IngestReply).accepted == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize(
    "body", [b"this is not compressed", b"\x1f\x8b\x08\x00broken", b"x\x9c\xff"]
)
async def test_a_broken_encoding_is_malformed(server: Server, encoding: str, body: bytes) -> None:
    token = await server.node()
    answer = await post(server, body, {**token, "Content-Encoding": encoding})
    assert answer.status == 400
    assert (await server.push(token)).status == 200


async def test_of_a_torn_gzip_the_lines_before_the_tear_are_stored(server: Server) -> None:
    token = await server.node()
    lines = b"\n".join(server.line(seq) for seq in range(50))
    torn = gzip.compress(lines)[:-20]
    headers = {**token, "Content-Encoding": "gzip", "Content-Type": NDJSON}
    reply = (await post(server, torn, headers)).as_(IngestReply)
    assert [(each.line, each.code) for each in reply.rejected] == [
        (reply.accepted + 1, "malformed_json")
    ]
    assert 0 < reply.accepted < 50


async def test_a_slow_body_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_TIMEOUT_S", 0.2)
    token = await server.node()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.collector.port)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n"
        f"Authorization: {token['Authorization']}\r\nContent-Length: 1000\r\n\r\n"
    )
    writer.write(head.encode() + b'{"seq":')
    async with asyncio.timeout(5):
        status_line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert status_line.split()[1] == b"408"


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: loc"])
async def test_a_slow_head_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.collector.port)
    writer.write(sent)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_a_connection_that_asked_once_may_rest(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.collector.port)
    for _ in range(2):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(5):
            answer = await reader.readuntil(b'{"status":"ok"}')
        assert answer.startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.2)
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("by", ["token", "session", "expired session"])
async def test_who_is_revoked_while_the_body_arrives_changes_nothing(
    server: Server, by: str
) -> None:
    await server.push(await server.node())
    token = await server.mint(role="admin", name="an admin")
    headers: Headers = bearer(token.token)
    if by != "token":
        headers = server.with_session(await server.sign_in(secret=token.token))
    begun, arriving = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"name":'
        begun.set()
        await arriving.wait()
        yield b'"mine"}'

    edit = asyncio.ensure_future(
        server.call("PATCH", "/api/nodes/n1", {"Content-Type": JSON, **headers}, data=slowly())
    )
    await begun.wait()
    # The body is being waited for, so who called is known: another request was answered since.
    assert (await server.get("/api/whoami", headers)).status == 200
    if by == "expired session":
        server.clock.advance(SESSION_LIFETIME_MS)
    else:  # a session ends with the token it was had for
        assert (await server.call("DELETE", f"/api/tokens/{token.id}", ADMIN)).status == 204
    arriving.set()
    assert "revoked" in (await edit).problem("unauthenticated").detail
    assert (await server.get("/api/nodes/n1")).as_(Node).name == "n1"


async def test_a_client_that_leaves_in_mid_body_stores_nothing(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    token = await server.node()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.collector.port)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {NDJSON}\r\n"
        f"Authorization: {token['Authorization']}\r\nContent-Length: 100000\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    writer.write(head.encode() + server.line(0) + b"\n" + server.line(1))
    await writer.drain()
    assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")  # it has begun to read
    writer.close()
    await writer.wait_closed()
    assert await reader.read() == b""
    assert (await server.push(token, 0)).as_(IngestReply).accepted == 1
    assert not caplog.records  # it is no fault of ours
