"""A real collector and Debian's Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.process import CollectorProcess, running_collector

# Chromium asks the network for updates and the like; the tests' traffic stays on loopback.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Watched:
    """A page, with what it should never do written down: complaints, and requests elsewhere."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.strays: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: self._heard(line.type, line.text))
        page.on("request", lambda request: self._asked(request.url, origin))

    def _heard(self, kind: str, text: str) -> None:
        # Chromium itself notes every answer over 399; the page shows them in its own words.
        if kind in {"error", "warning"} and "Failed to load resource" not in text:
            self.complaints.append(text)

    def _asked(self, url: str, origin: str) -> None:
        if not url.startswith((origin, "data:", "blob:")):
            self.strays.append(url)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for a module's tests. Not for the session's: while Playwright runs, so does its
    event loop in this thread, and the tests after these need theirs."""
    program = shutil.which("chromium")
    assert program, "Chromium is missing; install it with: sudo apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    """A collector for each test. Where machines are all that tests leave behind, a module takes
    ``emptied_collector`` in its place: to start one takes as long as to open a page."""
    with running_collector(tmp_path / "data") as running:
        yield running


@pytest.fixture(scope="module")
def lasting_collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    with running_collector(tmp_path_factory.mktemp("collector") / "data") as running:
        yield running


@pytest.fixture
def emptied_collector(lasting_collector: CollectorProcess) -> CollectorProcess:
    """The module's collector, without the machines of the test before."""
    with lasting_collector.client() as admin:
        for node in admin.get("/api/fleet")["nodes"]:
            forgotten = admin.send("DELETE", f"/api/nodes/{node['id']}")
            assert forgotten.status == 204, forgotten
        assert admin.get("/api/fleet") == {"nodes": []}
    return lasting_collector


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    yield context
    context.close()


@pytest.fixture
def signed_in(context: BrowserContext, collector: CollectorProcess) -> Iterator[Watched]:
    """A page that came in by a login link, and is checked at the end for what it never may do."""
    watched = Watched(context.new_page(), collector.url)
    watched.page.goto(login_url(collector))
    expect(watched.page.locator("[data-connection=live]").first).to_be_attached(timeout=20_000)
    yield watched
    assert watched.complaints == []
    assert watched.strays == []


def login_url(collector: CollectorProcess, role: str = "admin") -> str:
    with collector.client() as admin:
        reply = admin.send("POST", "/api/login-links", {"role": role})
    assert reply.status == 201, reply
    url: str = reply.json()["url"]
    return url
