"""What the page does with strangers' strings, keys, small screens and a new machine."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import Watched, login_url
from tests.process import CollectorProcess

# How many lines each link has, but for words that are there to be heard alone.
_LINES = """links => links.map(link => {
    const texts = document.createTreeWalker(link, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    const lines = new Set();
    while (texts.nextNode()) {
        if (getComputedStyle(texts.currentNode.parentElement).position === "absolute") continue;
        range.selectNodeContents(texts.currentNode);
        for (const { top } of range.getClientRects()) lines.add(top);
    }
    return lines.size;
})"""
HOSTILE = '<img src=x onerror="document.title=1">\u202egnp.\u0007 & <b>bold</b>'


@pytest.fixture
def collector(emptied_collector: CollectorProcess) -> CollectorProcess:
    return emptied_collector


def push(collector: CollectorProcess, node_id: str, cpu_pct: float = 10, **host: object) -> None:
    token = collector.mint(node_id=node_id)
    with collector.client(token) as node:
        snapshot = {
            "seq": 0,
            "boot_id": "00000000-0000-4000-8000-000000000000",
            "ts": time.time_ns() // 1_000_000,
            "values": {"cpu.pct": cpu_pct, "mem.pct": 50, "disk.pct//": 20},
            "host": host,
        }
        assert node.push(node_id, snapshot).status == 200


def with_a_machine_of_its_own(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, json={**answer.json(), "local_node_id": "pc"})


def card_ids(page: Page) -> list[str]:
    ids: list[str] = page.locator("[data-node-id]").evaluate_all(
        "cards => cards.map(card => card.dataset.nodeId)"
    )
    return ids


def test_strings_from_a_node_are_text(signed_in: Watched, collector: CollectorProcess) -> None:
    push(collector, "evil", os=HOSTILE, hostname=HOSTILE)
    page = signed_in.page
    expect(page.locator('[data-node-id="evil"]')).to_contain_text("<img src=x", timeout=10_000)
    assert page.locator('img[src="x"]').count() == 0
    assert page.title() != "1"


def test_search_narrows_the_fleet_and_is_kept_in_the_address(
    signed_in: Watched, collector: CollectorProcess
) -> None:
    for node_id in ("web-1", "web-2", "nas"):
        push(collector, node_id)
    page = signed_in.page
    expect(page.locator("[data-node-id]")).to_have_count(3, timeout=10_000)
    page.keyboard.press("/")
    page.keyboard.type("web")
    expect(page.locator("[data-node-id]")).to_have_count(2)
    page.reload()
    expect(page.locator("[data-node-id]")).to_have_count(2, timeout=10_000)


def test_arrows_move_and_enter_opens(signed_in: Watched, collector: CollectorProcess) -> None:
    for node_id in ("a", "b", "c"):
        push(collector, node_id)
    page = signed_in.page
    expect(page.locator("[data-node-id]")).to_have_count(3, timeout=10_000)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    focused = page.evaluate("document.activeElement.closest('[data-node-id]').dataset.nodeId")
    assert focused in card_ids(page)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/#/node/{focused}")


def test_a_question_mark_shows_the_keys(signed_in: Watched) -> None:
    signed_in.page.keyboard.press("?")
    expect(signed_in.page.get_by_role("dialog")).to_be_visible()
    signed_in.page.keyboard.press("Escape")
    expect(signed_in.page.get_by_role("dialog")).to_have_count(0)


def test_setting_a_machine_up_by_hand_shows_its_token_once_and_waits_for_it(
    signed_in: Watched, collector: CollectorProcess
) -> None:
    page = signed_in.page
    page.get_by_role("button", name="Add a machine").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Set up by hand").click()
    dialog.get_by_role("textbox").first.fill("new-pc")
    page.keyboard.press("Enter")
    token = dialog.get_by_test_id("minted-token").first
    expect(token).to_contain_text("forge_", timeout=10_000)
    expect(dialog).to_contain_text("NODE_ID=new-pc")
    push(collector, "new-pc")
    expect(dialog).to_contain_text("is here", timeout=10_000)


def test_nothing_is_wider_than_the_screen_and_the_header_is_one_line(
    context: BrowserContext, collector: CollectorProcess
) -> None:
    for number in range(6):
        push(collector, f"machine-with-a-rather-long-name-{number}", os="Debian GNU/Linux 12")
    # As where the collector's own machine has an agent, too: then there are most pages to go to.
    context.route("**/api/whoami", with_a_machine_of_its_own)
    page = context.new_page()
    page.goto(login_url(collector))
    page.goto(f"{collector.url}/#/fleet")
    expect(page.locator("[data-node-id]").first).to_be_visible(timeout=10_000)
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    expect(links).to_have_count(4)
    for width in (320, 360, 390, 768, 941, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        scroll_width, client_width = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert scroll_width <= client_width, width
        assert links.evaluate_all(_LINES) == [1, 1, 1, 1], width
        last = page.get_by_role("button", name="Sign out").bounding_box()
        assert last is not None
        assert last["width"] >= 32, width  # nothing was squeezed for it
