"""A newcomer's first minutes, with real parts: collector, agent, browser."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.agent_process import running_agent
from tests.browser.conftest import Watched, login_url
from tests.process import CollectorProcess, start_collector


@pytest.fixture
def collector(emptied_collector: CollectorProcess) -> CollectorProcess:
    return emptied_collector


def test_an_agent_starts_and_its_card_appears_within_ten_seconds(
    signed_in: Watched, collector: CollectorProcess, tmp_path: Path
) -> None:
    with running_agent(collector, "nas-2", tmp_path / "agent"):
        card = signed_in.page.locator('[data-node-id="nas-2"]')
        expect(card).to_be_visible(timeout=10_000)
        expect(card).to_have_attribute("data-status", "online")
        expect(card).to_contain_text("%")


def test_a_killed_agent_is_seen_degraded_and_then_offline_in_time(
    signed_in: Watched, collector: CollectorProcess, tmp_path: Path
) -> None:
    card = signed_in.page.locator('[data-node-id="pc"]')
    with running_agent(collector, "pc", tmp_path / "agent", "--interval", "1") as agent:
        expect(card).to_have_attribute("data-status", "online", timeout=10_000)
        agent.kill()
        killed = time.monotonic()
        # Silent for 15 s: degraded; for more than 60 s: offline. The rest is the way to the page.
        expect(card).to_have_attribute("data-status", "degraded", timeout=22_000)
        assert time.monotonic() - killed > 9
        expect(card).to_have_attribute("data-status", "offline", timeout=52_000)
        assert time.monotonic() - killed > 54
        expect(card).to_contain_text("%")  # its last figures stay


def test_a_lost_connection_is_said_and_comes_back_by_itself(
    context: BrowserContext, tmp_path: Path
) -> None:
    collector = start_collector(tmp_path / "data")
    page = context.new_page()
    page.goto(login_url(collector))
    root = page.locator("[data-connection]").first
    expect(root).to_have_attribute("data-connection", "live", timeout=10_000)
    collector.kill()
    expect(root).to_have_attribute("data-connection", "lost", timeout=10_000)
    again = start_collector(tmp_path / "data", "--port", str(collector.port))
    try:
        expect(root).to_have_attribute("data-connection", "live", timeout=40_000)
    finally:
        again.stop()


def test_it_comes_back_too_where_the_certificate_is_trusted_for_pages_alone(
    chromium: Browser, tmp_path: Path
) -> None:
    # What is accepted so holds for no new connection of the shared worker.
    context = chromium.new_context(ignore_https_errors=True)
    collector = start_collector(tmp_path / "data", "--tls", "auto")
    page = context.new_page()
    page.goto(login_url(collector))
    root = page.locator("[data-connection]").first
    expect(root).to_have_attribute("data-connection", "live", timeout=10_000)
    collector.kill()
    expect(root).to_have_attribute("data-connection", "lost", timeout=10_000)
    again = start_collector(tmp_path / "data", "--tls", "auto", "--port", str(collector.port))
    try:
        expect(root).to_have_attribute("data-connection", "live", timeout=40_000)
    finally:
        context.close()
        again.stop()


def test_twenty_tabs_of_one_browser_see_a_push_within_a_second(
    context: BrowserContext, collector: CollectorProcess
) -> None:
    first = context.new_page()
    first.goto(login_url(collector))
    first.wait_for_url("**/#/fleet*")
    pages = [first, *(context.new_page() for _ in range(19))]
    for page in pages[1:]:
        page.goto(f"{collector.url}/#/fleet")
    for page in pages:
        expect(page.locator("[data-connection=live]").first).to_be_attached(timeout=20_000)
    push_once(collector, "twenty")
    started = time.monotonic()
    for page in reversed(pages):
        expect(page.locator('[data-node-id="twenty"]')).to_be_attached(timeout=10_000)
    # Looking at twenty pages in turn takes time of its own.
    assert time.monotonic() - started < 2.5


def test_a_login_link_works_once(context: BrowserContext, collector: CollectorProcess) -> None:
    url = login_url(collector)
    page = context.new_page()
    page.goto(url)
    page.wait_for_url("**/#/fleet*")
    assert "login" not in page.url
    context.clear_cookies()
    page.goto("about:blank")
    page.goto(url)
    expect(page.get_by_text("forgectl login-link").first).to_be_visible(timeout=10_000)


def test_a_viewer_sees_no_admin_controls(
    context: BrowserContext, collector: CollectorProcess
) -> None:
    push_once(collector, "seen")
    page = context.new_page()
    page.goto(login_url(collector, role="viewer"))
    expect(page.locator('[data-node-id="seen"]')).to_be_visible(timeout=10_000)
    expect(page.get_by_role("button", name="Add a machine")).to_have_count(0)


def push_once(collector: CollectorProcess, node_id: str) -> None:
    token = collector.mint(node_id=node_id)
    with collector.client(token) as node:
        now_ms = time.time_ns() // 1_000_000
        boot_id = "00000000-0000-4000-8000-000000000000"
        snapshot = {"seq": 0, "boot_id": boot_id, "ts": now_ms, "values": {"cpu.pct": 12.5}}
        assert node.push(node_id, snapshot).status == 200
