"""Two machines on one token, and one that catches up, as the page shows them."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Watched
from tests.process import CollectorProcess, running_collector

ORIGIN, SIBLING = '[data-node-id="pc"]', '[data-node-id="pc.2"]'
BOOTS = {"pc": str(uuid.UUID(int=1)), "pc.2": str(uuid.UUID(int=2))}


def push(collector: CollectorProcess, node_id: str, seq: int, token: str, **values: float) -> None:
    snapshot = {
        "seq": seq,
        "boot_id": BOOTS[node_id],
        "ts": time.time_ns() // 1_000_000,
        "values": {"cpu.pct": 10, "mem.pct": 50, **values},
        "host": {"hostname": node_id, "os": "Debian GNU/Linux 12"},
    }
    with collector.client(token) as client:
        assert client.push("pc", snapshot).status == 200


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    """It found out before it was started anew: to find out takes 15 s."""
    data = tmp_path / "data"
    with running_collector(data) as before:
        token = before.mint(node_id="pc")
        push(before, "pc", 0, token)
        push(before, "pc.2", 0, token)
    with closing(sqlite3.connect(data / "fleet.db")) as store, store:
        store.execute(
            """
            INSERT INTO nodes (id, name, tags, ephemeral, host, first_seen, last_seen, heard_ms,
                               live_boot_id, sibling_of)
            SELECT 'pc.2', 'pc.2', tags, ephemeral, host, first_seen, last_seen, heard_ms, ?, id
            FROM nodes
            """,
            (BOOTS["pc.2"],),
        )
        store.execute(
            "UPDATE boots SET node_id = 'pc.2', pushed_as = 'pc' WHERE boot_id = ?",
            (BOOTS["pc.2"],),
        )
        store.execute("UPDATE nodes SET live_boot_id = ? WHERE id = 'pc'", (BOOTS["pc"],))
    with running_collector(data) as running:
        for node_id in BOOTS:
            push(running, node_id, 1, token)
        (tmp_path / "token").write_text(token)
        yield running


def test_clones_are_flagged_and_a_catch_up_is_told(
    signed_in: Watched, collector: CollectorProcess, tmp_path: Path
) -> None:
    page, token = signed_in.page, (tmp_path / "token").read_text()
    for selector in (ORIGIN, SIBLING):
        expect(page.locator(selector).locator(".flag")).to_have_attribute(
            "title", "shares its token: several machines use that of pc", timeout=10_000
        )

    push(collector, "pc.2", 2, token, **{"agent.spool_bytes": 13_800_000})
    expect(page.locator(SIBLING)).to_contain_text("catching up: 13.8 MB left")
    push(collector, "pc.2", 3, token, **{"agent.spool_bytes": 12_300_000})
    expect(page.locator(SIBLING)).to_contain_text("catching up: 12.3 MB left, about")
    expect(page.locator(ORIGIN)).not_to_contain_text("catching up")

    page.locator(SIBLING).locator("a").first.click()
    notice = page.locator(".shared-token")
    expect(notice).to_contain_text("2 machines push with one token")
    expect(notice).to_contain_text("forgectl invite --node pc.2")
    expect(page.locator(".node-presence")).to_contain_text("catching up: 12.3 MB left")
    notice.get_by_role("link", name="pc").click()
    page.wait_for_url("**/#/node/pc")
    expect(notice).to_contain_text("forgectl invite --node pc.2")

    # The chart that is open asks again once the replay is over: what was missing is then there.
    expect(page.locator("article.node")).to_have_attribute("aria-busy", "false")
    push(collector, "pc", 2, token, **{"agent.spool_bytes": 9_000})
    with page.expect_request("**/api/nodes/pc/history*", timeout=10_000):
        push(collector, "pc", 3, token, **{"agent.spool_bytes": 0})
