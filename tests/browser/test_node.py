"""The page of one machine, with a past that came through the real ingest."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import Watched, login_url
from tests.browser.past import Machine, now_s, ordinary
from tests.process import CollectorProcess, running_collector

HOSTILE = '<img src=x onerror="document.title=1">'

# Whether anything but one colour was drawn, in the rows where the lines are.
_IS_DRAWN = """canvas => {
    const { width, height } = canvas;
    const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    return new Set(new Uint32Array(pixels.buffer)).size > 20;
}"""

# How many pixels there are of the colour in which reboots are marked.
_MARKED_PIXELS = """canvas => {
    const colour = getComputedStyle(canvas).getPropertyValue("--warn").trim();
    const wanted = [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16));
    const { width, height } = canvas;
    const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    let found = 0;
    for (let at = 0; at < pixels.length; at += 4) {
        if (wanted.every((value, index) => Math.abs(pixels[at + index] - value) < 8)) found += 1;
    }
    return found;
}"""


@pytest.fixture
def collector(emptied_collector: CollectorProcess) -> CollectorProcess:
    return emptied_collector


@pytest.fixture
def machine(collector: CollectorProcess) -> Iterator[Machine]:
    with Machine(collector, "nas-2") as machine:
        machine.replay(minutes=12)
        machine.push(os="Debian GNU/Linux 12", cpu_cores=4, mem_total_bytes=8 * 2**30)
        yield machine


def open_node(page: Page, collector: CollectorProcess, node_id: str, query: str = "") -> Locator:
    page.goto(f"{collector.url}/#/node/{node_id}{query}")
    node = page.locator(f'article[data-node-id="{node_id}"]')
    expect(node.locator("[data-drawn]")).to_be_visible(timeout=15_000)
    return node


def preset(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def plot(page: Page, chart: str) -> Locator:
    return page.locator(f'[data-chart="{chart}"] .u-over')


def drag(page: Page, over: Locator, start: float, end: float) -> None:
    """Mark from one share of a chart's width to another."""
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * start, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (start + end) / 2, y)
    page.mouse.move(box["x"] + box["width"] * end, y)
    page.mouse.up()


@contextmanager
def reporting(machine: Machine) -> Iterator[None]:
    """The machine reports as often as it is told to."""
    stop = threading.Event()

    def report() -> None:
        interval_s = 1
        while not stop.wait(interval_s):
            interval_s = machine.push()

    thread = threading.Thread(target=report)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_it_opens_and_draws_what_there_is(
    signed_in: Watched, collector: CollectorProcess, machine: Machine
) -> None:
    node = open_node(signed_in.page, collector, machine.id, "?range=15m")
    headings = node.locator(".section > h2").all_inner_texts()
    names = ["Processor", "Memory", "Network", "Disks", "Sensors", "Facts"]
    assert [text.capitalize() for text in headings] == names
    expect(node.locator('[data-vital="memory"]')).to_contain_text("50.0 %")
    expect(node.locator('[data-vital="memory"]')).to_contain_text("4.00 of 8.00 GiB")
    for chart in ("cpu", "load", "cores", "memory", "net-eth0", "file-systems", "disk-sda"):
        canvas = node.locator(f'[data-chart="{chart}"] canvas').first
        canvas.scroll_into_view_if_needed()
        expect(canvas).to_be_visible()
        assert canvas.evaluate(_IS_DRAWN), chart
    summary = node.locator('[data-chart="load"] [role=img]').get_attribute("aria-label")
    assert summary
    assert "1 min 1.50, on average 1.50" in summary


def test_the_range_is_in_the_address(
    signed_in: Watched, collector: CollectorProcess, machine: Machine
) -> None:
    page = signed_in.page
    open_node(page, collector, machine.id)
    expect(preset(page, "1 h")).to_have_attribute("aria-pressed", "true")
    preset(page, "6 h").click()
    page.wait_for_url("**/#/node/nas-2?range=6h")
    page.reload()
    expect(preset(page, "6 h")).to_have_attribute("aria-pressed", "true", timeout=15_000)
    page.keyboard.press("1")
    page.wait_for_url("**/#/node/nas-2?range=5m")
    preset(page, "1 h").click()
    page.wait_for_url("**/#/node/nas-2")


def test_a_marked_stretch_is_zoomed_to_and_a_double_click_leads_back(
    signed_in: Watched, collector: CollectorProcess, machine: Machine
) -> None:
    page = signed_in.page
    open_node(page, collector, machine.id, "?range=15m")
    drag(page, plot(page, "memory"), 0.4, 0.6)
    page.wait_for_url("**from=*")
    found = re.search(r"from=(\d+)&to=(\d+)", page.url)
    assert found
    length_s = (int(found[2]) - int(found[1])) / 1000
    assert 150 < length_s < 210  # a fifth of 15 minutes
    drag(page, plot(page, "memory"), 0.25, 0.75)
    page.wait_for_url(lambda url: "from=" in url and found[0] not in url)
    plot(page, "memory").dblclick()
    page.wait_for_url(f"**{found[0]}")
    plot(page, "memory").dblclick()
    page.wait_for_url("**range=15m")


def test_keys_zoom_move_and_open_the_grid(
    signed_in: Watched, collector: CollectorProcess, machine: Machine
) -> None:
    page = signed_in.page
    node = open_node(page, collector, machine.id)
    page.keyboard.press("+")
    page.wait_for_url("**range=15m")
    page.keyboard.press("Shift+ArrowLeft")
    page.wait_for_url("**from=*")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_url("**range=15m")
    page.keyboard.press("-")
    page.wait_for_url("**/#/node/nas-2")
    page.keyboard.press("c")
    grid = node.locator("#core-grid canvas")
    expect(grid).to_be_visible()
    expect(grid).to_have_attribute("aria-label", re.compile("4 cores, average .* hottest core 3"))
    page.keyboard.press("c")
    expect(grid).to_have_count(0)


def test_the_cursor_is_in_step_in_all_charts(
    signed_in: Watched, collector: CollectorProcess, machine: Machine
) -> None:
    page = signed_in.page
    open_node(page, collector, machine.id, "?range=15m")
    plot(page, "cpu").hover()
    expect(page.locator(".range-at")).to_be_visible()
    other = page.locator('[data-chart="load"] .u-cursor-x')
    expect(other).not_to_have_class(re.compile("u-off"))
    left, its_left = (
        page.locator(f'[data-chart="{chart}"] .u-cursor-x').evaluate(
            "line => new DOMMatrix(getComputedStyle(line).transform).e"
        )
        for chart in ("cpu", "load")
    )
    assert abs(left - its_left) <= 2
    page.mouse.move(5, 5)
    expect(page.locator(".range-at")).to_have_count(0)


def test_a_silence_and_a_reboot_are_marked(signed_in: Watched, collector: CollectorProcess) -> None:
    now = now_s()

    def measured(at_s: float) -> dict[str, float] | None:
        if 240 <= now - at_s < 420:
            return None
        started = now - 250 if now - at_s < 240 else now - 1_000_000
        return {**ordinary(at_s), "uptime.s": round(at_s - started)}

    with Machine(collector, "pc") as machine:
        machine.replay(12, measured)
        machine.push({**ordinary(now_s()), "uptime.s": round(now_s() - now + 250)})
    page = signed_in.page
    node = open_node(page, collector, "pc", "?range=15m")
    expect(node.locator('[data-happening="reboot"]')).to_have_count(1)
    silences = node.locator('[data-happening="silence"]')
    expect(silences.first).to_contain_text("No data")
    expect(node.get_by_text("(3 min)")).to_be_visible()
    canvas = node.locator('[data-chart="cpu"] canvas')
    assert canvas.evaluate(_MARKED_PIXELS) > 50


def test_the_right_edge_moves_with_what_comes(
    signed_in: Watched, collector: CollectorProcess, machine: Machine
) -> None:
    page = signed_in.page
    with reporting(machine):
        node = open_node(page, collector, machine.id, "?range=5m")
        expect(page.get_by_text("Live, 1 s")).to_be_visible(timeout=10_000)
        before = node.locator('[data-chart="cpu"]').get_attribute("data-to")
        page.wait_for_timeout(2500)
        after = node.locator('[data-chart="cpu"]').get_attribute("data-to")
    assert before
    assert after
    assert int(after) - int(before) >= 1000
    machine.push({**ordinary(now_s()), "mem.pct": 77.5})
    expect(node.locator('[data-vital="memory"]')).to_contain_text("77.5 %", timeout=5000)
    expect(node.locator('[data-chart="memory"] .legend')).to_contain_text("77.5 %", timeout=5000)


def test_arrows_lead_to_the_machines_before_and_after(
    signed_in: Watched, collector: CollectorProcess, machine: Machine
) -> None:
    for node_id in ("a-first", "z-last"):
        with Machine(collector, node_id) as other:
            other.push()
    page = signed_in.page
    page.goto(f"{collector.url}/#/fleet?sort=name")
    expect(page.locator("[data-node-id]")).to_have_count(3, timeout=10_000)
    open_node(page, collector, machine.id, "?range=6h")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/#/node/z-last?range=6h")
    expect(page.locator("h1")).to_have_text("z-last")
    expect(page).to_have_title("z-last · Forge Fleet")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("h1")).to_have_text("nas-2")
    expect(page).to_have_title("nas-2 · Forge Fleet")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**/#/node/a-first?range=6h")
    page.keyboard.press("Escape")
    expect(page).to_have_title("Forge Fleet")


def test_strings_from_a_node_are_text(signed_in: Watched, collector: CollectorProcess) -> None:
    strange = {
        **ordinary(now_s()),
        f"disk.pct//{HOSTILE}": 97.5,
        f"net.rx_bytes_per_s/{HOSTILE}": 5,
        f"temp.celsius/{HOSTILE}": 40,
        f"newer.thing/{HOSTILE}": 7,
    }
    with Machine(collector, "evil") as machine:
        machine.replay(3, lambda _: strange)
        machine.push(strange, os=HOSTILE, cpu_model=HOSTILE)
    page = signed_in.page
    node = open_node(page, collector, "evil", "?range=5m")
    expect(node.locator('[data-vital="disk"]')).to_contain_text("<img src=x")
    expect(node.locator('[data-chart="other-newer.thing"]')).to_contain_text("<img src=x")
    expect(node.locator(".facts")).to_contain_text("<img src=x")
    assert page.locator('img[src="x"]').count() == 0
    assert page.title() != "1"


def test_what_is_shown_is_saved_as_csv_and_a_chart_as_png(
    signed_in: Watched, collector: CollectorProcess, tmp_path: Path
) -> None:
    with Machine(collector, "nas-2") as machine:
        machine.replay(2, lambda at_s: {"cpu.pct": 12.5, "net.rx_bytes_per_s/a,b": at_s % 7 // 1})
        machine.push({"cpu.pct": 99.5})
    page = signed_in.page
    open_node(page, collector, "nas-2", "?range=5m")
    with page.expect_download() as csv:
        page.get_by_role("button", name="CSV").click()
    csv.value.save_as(tmp_path / "shown.csv")
    lines = (tmp_path / "shown.csv").read_text().splitlines()
    assert csv.value.suggested_filename.startswith("nas-2-")
    assert lines[0] == 'time,cpu.pct,"net.rx_bytes_per_s/a,b"'
    assert 24 <= len(lines) - 1 <= 26
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z,12\.5,[0-6]", lines[1])
    with page.expect_download() as png:
        page.get_by_role("button", name="Save CPU as PNG").click()
    png.value.save_as(tmp_path / "cpu.png")
    assert (tmp_path / "cpu.png").read_bytes().startswith(b"\x89PNG")


def test_a_range_without_figures_says_so_and_leads_on(
    signed_in: Watched, collector: CollectorProcess, machine: Machine
) -> None:
    page = signed_in.page
    page.goto(f"{collector.url}/#/node/{machine.id}?from=1700000000000&to=1700000600000")
    expect(page.get_by_text("No figures in this range")).to_be_visible(timeout=10_000)
    page.get_by_role("button", name="Go to its last figures").click()
    expect(page.locator('[data-chart="cpu"]')).to_be_visible(timeout=10_000)


def test_a_history_that_cannot_be_had_says_why_and_is_asked_for_again(
    signed_in: Watched, collector: CollectorProcess, machine: Machine
) -> None:
    page = signed_in.page
    page.route("**/history?*", lambda route: route.fulfill(status=500, body="no"))
    page.goto(f"{collector.url}/#/node/{machine.id}")
    expect(page.get_by_text("could not be loaded")).to_be_visible(timeout=10_000)
    page.unroute("**/history?*")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator('[data-chart="cpu"]')).to_be_visible(timeout=10_000)


def test_without_the_script_that_draws_the_rest_of_the_page_goes_on(
    context: BrowserContext, collector: CollectorProcess, machine: Machine
) -> None:
    page = context.new_page()
    page.route("**/dashboard-*.js", lambda route: route.abort())
    page.goto(login_url(collector))
    expect(page.locator("[data-node-id]").first).to_be_visible(timeout=10_000)
    page.goto(f"{collector.url}/#/node/{machine.id}")
    expect(page.get_by_text("The charts could not be loaded")).to_be_visible(timeout=10_000)
    expect(page.get_by_role("heading", name="Tokens of this machine")).to_be_visible()
    page.unroute("**/dashboard-*.js")
    page.get_by_role("button", name="Load the page anew").click()
    expect(page.locator('[data-chart="cpu"]')).to_be_visible(timeout=10_000)


def test_the_bare_address_is_the_collectors_own_machine(
    context: BrowserContext, tmp_path: Path
) -> None:
    with running_collector(tmp_path / "data", "--local-agent") as collector:
        page = context.new_page()
        watched = Watched(page, collector.url)
        page.goto(login_url(collector))
        expect(page.locator("[data-node-id]").first).to_be_visible(timeout=20_000)
        page.goto(f"{collector.url}/")
        node = page.locator("article[data-node-id]")
        expect(node).to_be_visible(timeout=10_000)
        expect(preset(page, "5 min")).to_have_attribute("aria-pressed", "true")
        assert page.url == f"{collector.url}/#/"
        expect(page.get_by_text("Live, 1 s")).to_be_visible(timeout=15_000)
        expect(node.locator('[data-chart="cpu"] canvas')).to_be_visible(timeout=15_000)
        assert watched.complaints == []
        assert watched.strays == []


def test_without_a_machine_of_its_own_the_bare_address_leads_to_the_fleet(
    signed_in: Watched, collector: CollectorProcess
) -> None:
    signed_in.page.goto(f"{collector.url}/#/")
    signed_in.page.wait_for_url("**/#/fleet")


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_is_wider_than_the_screen(
    chromium: Browser, collector: CollectorProcess, width: int
) -> None:
    node_id = "a-machine-with-a-name-that-is-as-long-as-names-may-ever-be-0123"
    cores = {f"cpu.core_pct/{core}": float(core % 100) for core in range(128)}
    sensors = {f"temp.celsius/a-sensor-with-a-long-name/{n}": 40.0 + n for n in range(20)}
    with Machine(collector, node_id) as machine:
        machine.replay(5, lambda at_s: {**ordinary(at_s), **cores, **sensors})
        machine.push({**ordinary(now_s()), **cores, **sensors}, os="Debian GNU/Linux 12 (bookworm)")
    context = chromium.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto(login_url(collector))
    expect(page.locator("[data-node-id]").first).to_be_visible(timeout=10_000)
    open_node(page, collector, node_id)
    page.keyboard.press("c")
    expect(page.locator("#core-grid canvas")).to_be_visible()
    scroll_width, client_width = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    context.close()
    assert scroll_width <= client_width
