"""A real collector in this process, and what calls it over a real socket."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import aiohttp
import msgspec
from yarl import URL

from forge_collector.app import Collector
from forge_collector.config import DATABASE_FILE, Settings
from forge_collector.http.auth import cookie_name
from forge_collector.http.problems import CONTENT_TYPE, KINDS
from forge_shared.messages import MintedToken, Problem, Snapshot
from tests.empty_store import put_empty_store
from tests.unit.fleet.manual_clock import ManualClock

ADMIN_SECRET: Final = "correct horse battery staple"
BOOT: Final = "0190b8a4-7a5f-4c3e-9d21-5e0b6a7c8d90"
BOOT_2: Final = "0190b8a4-7a5f-4c3e-9d21-5e0b6a7c8d91"
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
PATIENCE_S: Final = 10.0
_LARGE: Final = 512 * 1024

T = TypeVar("T")
Headers = Mapping[str, str]


class Answer(NamedTuple):
    """A response, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def as_(self, message: type[T]) -> T:
        """Decode the body, strictly as what the API promises."""
        assert self.headers["Content-Type"] == JSON, (self.status, self.body)
        return msgspec.json.decode(self.body, type=message)

    def problem(self, code: str) -> Problem:
        """Decode the body as a problem, and hold it to its own rules."""
        found = read_problem(self)
        assert found.code == code, (found.code, found.detail)
        return found


def read_problem(answer: Answer) -> Problem:
    assert answer.headers["Content-Type"] == CONTENT_TYPE, (answer.status, answer.body[:200])
    problem = msgspec.json.decode(answer.body, type=Problem)
    assert problem.code in KINDS
    assert problem.status == KINDS[problem.code].status == answer.status
    assert problem.title == KINDS[problem.code].title
    assert problem.type == f"urn:forge-fleet:problem:{problem.code}"
    assert problem.detail.endswith((".", "?", "most")) or problem.errors, problem.detail
    return problem


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


ADMIN: Final = bearer(ADMIN_SECRET)


class Server:
    """A collector that runs, the clock it goes by, and a client without a memory of cookies."""

    def __init__(
        self, collector: Collector, clock: ManualClock, session: aiohttp.ClientSession
    ) -> None:
        self.collector = collector
        self.clock = clock
        self.session = session
        self._is_running = True

    async def stop(self) -> None:
        """Stop the collector, unless that was done."""
        if self._is_running:
            self._is_running = False
            await self.collector.stop()

    @property
    def url(self) -> str:
        return self.collector.url

    @property
    def cookie(self) -> str:
        return cookie_name(self.collector.port)

    @property
    def database(self) -> Path:
        return self.collector.settings.data / DATABASE_FILE

    async def call(
        self,
        method: str,
        path: str,
        headers: Headers | None = None,
        *,
        json: object = None,
        data: Any = None,
    ) -> Answer:
        """Call the API; ``path`` goes out as it stands, escapes and all."""
        headers = dict(headers or {})
        if json is not None:
            data = msgspec.json.encode(json)
            headers.setdefault("Content-Type", JSON)
        if isinstance(data, bytes) and len(data) > _LARGE:
            data = io.BytesIO(data)  # aiohttp warns of large bodies as bytes
        url = URL(self.url + path, encoded=True)
        async with self.session.request(
            method, url, headers=headers, data=data, allow_redirects=False
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, headers: Headers = ADMIN) -> Answer:
        return await self.call("GET", path, headers)

    async def mint(self, **wanted: str) -> MintedToken:
        """Mint a token, as ``node_id=…`` or ``role=…, name=…``."""
        answer = await self.call("POST", "/api/tokens", ADMIN, json=wanted)
        assert answer.status == 201, answer.body
        return answer.as_(MintedToken)

    async def node(self, node_id: str = "n1") -> Headers:
        return bearer((await self.mint(node_id=node_id)).token)

    async def submitter(self, name: str = "a submitter") -> Headers:
        return bearer((await self.mint(role="submitter", name=name)).token)

    async def viewer(self) -> Headers:
        return bearer((await self.mint(role="viewer", name="a viewer")).token)

    async def sign_in(self, **login: str) -> str:
        """Sign in and return the session's text."""
        answer = await self.call("POST", "/api/login", json=login)
        assert answer.status == 204, answer.body
        return session_of(answer, self.cookie)

    def with_session(self, session: str, *, origin: str | None = None) -> Headers:
        """Return the headers a browser with this session sends from the page."""
        return {"Cookie": f"{self.cookie}={session}", "Origin": origin or self.url}

    async def push(
        self,
        token: Headers,
        seq: int = 0,
        *,
        node_id: str = "n1",
        headers: Headers | None = None,
        **changes: Any,
    ) -> Answer:
        snapshot = self.snapshot(seq, **changes)
        return await self.call(
            "POST", f"/api/ingest/{node_id}", {**token, **(headers or {})}, json=snapshot
        )

    async def replay(
        self,
        token: Headers,
        lines: list[bytes],
        *,
        node_id: str = "n1",
        headers: Headers | None = None,
    ) -> Answer:
        return await self.call(
            "POST",
            f"/api/ingest/{node_id}",
            {**token, "Content-Type": NDJSON, **(headers or {})},
            data=b"\n".join(lines),
        )

    def snapshot(self, seq: int = 0, **changes: Any) -> dict[str, Any]:
        """Return a good snapshot, but for the changes."""
        values = {"cpu.pct": 3.2, "mem.pct": 42.0, "net.rx_bytes_per_s/eth0": 1024}
        plain = {"seq": seq, "boot_id": BOOT, "ts": self.clock.now_ms(), "values": values}
        return {**plain, **changes}

    def line(self, seq: int = 0, **changes: Any) -> bytes:
        line = msgspec.json.encode(self.snapshot(seq, **changes))
        assert changes or msgspec.json.decode(line, type=Snapshot)
        return line


def session_of(answer: Answer, cookie: str) -> str:
    set_cookie = answer.headers["Set-Cookie"]
    assert set_cookie.startswith(f"{cookie}=")
    return set_cookie.partition("=")[2].partition(";")[0]


@asynccontextmanager
async def running(
    data: Path, clock: ManualClock, *, allowed_hosts: tuple[str, ...] = ()
) -> AsyncIterator[Server]:
    """Run a collector on a port of its own for as long as the block lasts."""
    settings = Settings(
        host="127.0.0.1",
        port=0,
        data=data,
        admin_secret=ADMIN_SECRET,
        allowed_hosts=allowed_hosts,
        local_agent=False,
    )
    if not (data / DATABASE_FILE).exists():
        put_empty_store(data / DATABASE_FILE)
    collector = Collector(settings, clock)
    await collector.start()
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=60)
    ) as session:
        server = Server(collector, clock, session)
        try:
            yield server
        finally:
            await server.stop()


async def until(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]], patience_s: float = PATIENCE_S
) -> None:
    """Wait until the condition holds; fail when it takes too long."""
    async with asyncio.timeout(patience_s):
        while True:
            holds = condition()
            if await holds if isinstance(holds, Awaitable) else holds:
                return
            await asyncio.sleep(0.02)
