"""A proxy in front that speaks TLS, and a collector behind it that knows its own public address."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
import trustme

from forge_shared import joining
from tests.integration.tls.reaching import TlsClient
from tests.process import ADMIN_SECRET, CollectorProcess, running_collector

HOST = "fleet.example.test"
JSON = {"Content-Type": "application/json"}
ADMIN = {"Authorization": f"Bearer {ADMIN_SECRET}", **JSON}


class Proxy:
    """Ends TLS and passes the bytes on, both ways."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.target = 0
        self.port = 0
        self._context = context
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self.target)
        with contextlib.suppress(OSError):
            await asyncio.gather(_carry(reader, there[1]), _carry(there[0], writer))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        self._loop.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(65_536):
        writer.write(part)
        await writer.drain()
    writer.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def proxy(authority: trustme.CA) -> Iterator[Proxy]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(context)
    started = Proxy(context)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def url(proxy: Proxy) -> str:
    return f"https://{HOST}:{proxy.port}"


@pytest.fixture(scope="module")
def collector(
    proxy: Proxy, url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CollectorProcess]:
    folder = tmp_path_factory.mktemp("proxied") / "data"
    with running_collector(folder, "--public-url", url) as running:
        proxy.target = running.port
        yield running


@pytest.fixture
def browser(
    proxy: Proxy, collector: CollectorProcess, authority: trustme.CA, tmp_path: Path
) -> Iterator[TlsClient]:
    ca_file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    client = TlsClient(HOST, proxy.port, ca_file)
    yield client
    client.close()


def test_what_is_told_to_others_is_the_public_address(
    browser: TlsClient, collector: CollectorProcess, url: str
) -> None:
    link = browser.send_request("POST", "/api/login-links", ADMIN, b"{}").json()
    assert link["url"].startswith(f"{url}/#/login/")
    # Also to who asks past the proxy.
    with collector.client() as admin:
        assert admin.send("POST", "/api/login-links", {}).json()["url"].startswith(url)
        join = joining.parse(admin.send("POST", "/api/invites", {}).json()["join_string"])
    assert join.url == url
    assert join.ca_fingerprint is None  # the proxy's certificate is the system's affair


def test_a_session_through_the_proxy_is_for_https_alone(browser: TlsClient, url: str) -> None:
    login = browser.send_request("POST", "/api/login-links", ADMIN, b"{}").json()
    body = b'{"code": "%s"}' % login["code"].encode()
    signed_in = browser.send_request("POST", "/api/login", {**JSON, "Origin": url}, body)
    assert signed_in.status == 204
    ((name, cookie),) = SimpleCookie(signed_in.headers["Set-Cookie"]).items()
    assert cookie["secure"]

    session = {"Cookie": f"{name}={cookie.value}"}
    without_tls = {**session, **JSON, "Origin": url.replace("https", "http")}
    refused = browser.send_request("POST", "/api/login-links", without_tls, b"{}")
    assert refused.json()["code"] == "cross_origin"
    from_the_page = {**session, **JSON, "Origin": url}
    assert browser.send_request("POST", "/api/login-links", from_the_page, b"{}").status == 201


def test_a_session_past_the_proxy_works_as_well(collector: CollectorProcess) -> None:
    with collector.client() as admin:
        code = admin.send("POST", "/api/login-links", {}).json()["code"]
        reply = admin.send("POST", "/api/login", {"code": code}, {"Origin": collector.url})
    (cookie,) = SimpleCookie(reply.headers["Set-Cookie"]).values()
    assert not cookie["secure"]
