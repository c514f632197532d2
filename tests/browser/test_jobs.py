"""The pages of jobs: live, for everybody as they may, with a worker played by HTTP calls."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.browser.conftest import Watched, login_url
from tests.process import CollectorProcess, Reply

HOSTILE = '<img src=x onerror="document.title=1">'
UNSEEN = "\u202egnp.\u0007"
PATIENCE_MS = 10_000


class PlayedWorker:
    """A worker of the node ``pc`` that does what it is told to."""

    def __init__(self, collector: CollectorProcess) -> None:
        self.id = f"pc.{uuid.uuid4().hex[:8]}"
        self._node = collector.client(collector.mint(node_id="pc"))
        plugins = [
            {"name": "echo", "version": "1.0", "title": "Echo", "resource_class": "io"},
            {
                "name": "prodplan",
                "version": "1.0",
                "title": "Production planning",
                "payload_schema": {
                    "type": "object",
                    "properties": {"text": {"type": "string"}},
                    "additionalProperties": False,
                },
            },
        ]
        self.beat(plugins=plugins)

    def beat(self, **said: object) -> Any:
        slots = {"cpu": 4, "io": 10, "llm": 1}
        reply = self._node.send(
            "POST", f"/api/workers/{self.id}/heartbeat", {"slots": slots, **said}
        )
        assert reply.status == 200, reply
        return reply.json()

    def claim(self, job_type: str = "echo") -> dict[str, Any]:
        wanted = {"worker_id": self.id, "types": [job_type], "wait_s": 10}
        reply = self._node.send("POST", "/api/jobs/claim", wanted)
        assert reply.status == 200, reply
        (job,) = reply.json()["jobs"]
        return dict(job)

    def progress(self, job: Mapping[str, Any], **progress: object) -> Any:
        held = {"id": job["id"], "lease": job["lease"], "progress": progress}
        return self.beat(leases=[held])

    def tell_incumbents(self, job: Mapping[str, Any], *found: tuple[int, int]) -> None:
        """Tell of solutions with these objectives and bounds, found just now."""
        now_ms = int(time.time() * 1000)
        incumbents = [
            {"at": now_ms + step, "objective": objective, "bound": bound}
            for step, (objective, bound) in enumerate(found)
        ]
        self.beat(leases=[{"id": job["id"], "lease": job["lease"], "incumbents": incumbents}])

    def end(self, job: Mapping[str, Any], status: str, **said: object) -> None:
        result = {"lease": job["lease"], "status": status, **said}
        reply = self._node.send("POST", f"/api/jobs/{job['id']}/result", result)
        assert reply.status == 200, reply

    def file(self, job: Mapping[str, Any]) -> bytes:
        reply = self._node.send(
            "GET", f"/api/jobs/{job['id']}/files/payload", headers={"Forge-Lease": job["lease"]}
        )
        assert reply.status == 200, reply
        return reply.body

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._node.close()


@pytest.fixture
def worker(collector: CollectorProcess) -> Iterator[PlayedWorker]:
    with PlayedWorker(collector) as played:
        yield played


def submit(collector: CollectorProcess, token: str | None = None, **job: object) -> str:
    with collector.client(token) if token else collector.client() as client:
        reply: Reply = client.send("POST", "/api/jobs", {"type": "echo", "payload": {}, **job})
    assert reply.status == 201, reply
    job_id: str = reply.json()["id"]
    return job_id


def row(page: Page, job_id: str) -> Any:
    return page.locator(f'[data-job="{job_id}"]')


def plan(jobs: int, machines: int) -> dict[str, object]:
    """A plan in which every job goes from machine to machine, and the last is late."""
    tasks = [
        {
            "id": f"{job}.{step}",
            "job": f"j{job}",
            "operation": f"op {step}",
            "machines": [f"m{step}"],
            "start": 10 * (job + step),
            "end": 10 * (job + step) + 8,
            "setup": 2 if job else 0,
        }
        for job in range(jobs)
        for step in range(machines)
    ]
    end = 10 * (jobs + machines - 2) + 8
    return {
        "status": "optimal",
        "objective": end,
        "bound": end,
        "objectives": {"makespan": end, "weighted_tardiness": 5},
        "horizon": end,
        "time_unit": "min",
        "machines": [
            {"id": f"m{number}", "name": HOSTILE, "unavailable": [[20, 30]]}
            for number in range(machines)
        ],
        "jobs": [
            {
                "id": f"j{number}",
                "name": f"Order {number}",
                "due": end - 5,
                "release": 0,
                "weight": 1,
                "end": 10 * (number + machines - 1) + 8,
                "tardiness": 5 if number == jobs - 1 else 0,
            }
            for number in range(jobs)
        ],
        "tasks": tasks,
    }


def test_a_job_is_followed_from_the_dialog_to_its_result_without_a_reload(
    signed_in: Watched, worker: PlayedWorker
) -> None:
    page = signed_in.page
    page.get_by_role("link", name="Jobs").click()
    expect(page.get_by_role("heading", name="No job yet")).to_be_visible(timeout=PATIENCE_MS)
    page.keyboard.press("n")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Type").select_option("echo")
    dialog.get_by_label("Name").fill("Say hello")
    dialog.get_by_role("textbox", name="Payload").fill('{"hello": 12345678901234567890}')
    dialog.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/#/job/*")
    expect(page.get_by_role("heading", name="Say hello")).to_be_visible(timeout=PATIENCE_MS)

    job = worker.claim()
    assert job["payload"] == {"hello": 12345678901234567890}
    worker.progress(job, fraction=0.25, message="reading", objective=55, gap=0.04)
    working = page.get_by_label("Progress")
    expect(working).to_contain_text("25 %", timeout=PATIENCE_MS)
    expect(working).to_contain_text("reading on pc")
    page.keyboard.press("Escape")
    page.wait_for_url("**/#/jobs")
    listed = row(page, job["id"])
    expect(listed).to_contain_text("objective 55 · gap 4.0 %", timeout=PATIENCE_MS)
    worker.progress(job, fraction=0.5, message="writing")
    expect(listed).to_contain_text("50 %", timeout=PATIENCE_MS)

    worker.end(job, "succeeded", result={"said": HOSTILE + UNSEEN}, log_tail=f"{HOSTILE}\nend\n")
    expect(listed).to_have_attribute("data-status", "succeeded", timeout=PATIENCE_MS)
    listed.get_by_role("link").first.click()
    result = page.get_by_label("Result", exact=True)
    expect(result).to_contain_text('{"said": "<img src=x', timeout=PATIENCE_MS)
    expect(result).to_contain_text("\\u202egnp.\\u0007")
    expect(page.locator(".job-head")).to_contain_text(re.compile(r", \d.* from submit to end"))
    expect(page.get_by_label("Facts")).to_contain_text("At work, of that")
    page.get_by_text("The end of its log").click()
    expect(page.locator(".log")).to_contain_text("<img src=x")
    assert page.locator('img[src="x"]').count() == 0
    assert page.title() == "Say hello · Forge Fleet"


def test_a_plan_is_drawn_moved_by_the_keys_and_told_in_a_table(
    signed_in: Watched, collector: CollectorProcess, worker: PlayedWorker
) -> None:
    job_id = submit(collector, type="prodplan", name="Week 47")
    first = worker.claim("prodplan")
    worker.tell_incumbents(first, (60, 40), (58, 50))
    worker.end(first, "yielded")
    job = worker.claim("prodplan")
    worker.tell_incumbents(job, (59, 0))
    worker.end(job, "succeeded", result=plan(30, 5))
    page = signed_in.page
    page.goto(f"{collector.url}/#/job/{job_id}")
    drawing = page.get_by_role("application")
    expect(drawing).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("application", name="150 tasks of 30 jobs, in 5 rows")).to_be_visible()
    # What one attempt has reached stays, while the next one starts anew.
    expect(page.locator('[data-chart="search"]').get_by_role("img")).to_have_accessible_name(
        "Search: 3 found in 2 attempts; objective 58, bound 50", timeout=PATIENCE_MS
    )
    expect(page.get_by_role("article", name="Attempt 1")).to_contain_text("not charged")
    expect(page.get_by_role("article", name="Attempt 2")).to_contain_text("succeeded")
    drawing.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator(".gantt [role=status]")).to_have_text(
        f"Order 1 · op 1 on {HOSTILE}, from 20 min to 28 min, set-up 2 min"
    )
    expect(page.locator(".gantt-tip")).to_contain_text("28 min")
    canvas = page.locator(".gantt canvas")
    whole_to = int(canvas.get_attribute("data-to") or "")
    page.keyboard.press("+")
    expect(canvas).not_to_have_attribute("data-to", str(whole_to))
    page.keyboard.press("0")
    expect(canvas).to_have_attribute("data-to", str(whole_to))

    page.get_by_role("button", name="Table").click()
    jobs = page.get_by_role("table", name="Jobs")
    expect(jobs.get_by_role("row", name="Order 29")).to_contain_text("+5 min")
    expect(page.get_by_role("table", name="Tasks").get_by_role("row")).to_have_count(151)
    assert page.locator('img[src="x"]').count() == 0


def test_a_tap_tells_of_a_task_and_a_narrow_table_only_of_what_is(
    chromium: Browser, collector: CollectorProcess, worker: PlayedWorker
) -> None:
    job_id = submit(collector, type="prodplan")
    worker.end(worker.claim("prodplan"), "succeeded", result=plan(3, 2))
    size: ViewportSize = {"width": 390, "height": 844}
    phone = chromium.new_context(viewport=size, has_touch=True, is_mobile=True)
    try:
        page = phone.new_page()
        page.goto(login_url(collector))
        expect(page.locator("[data-connection=live]").first).to_be_attached(timeout=20_000)
        page.goto(f"{collector.url}/#/job/{job_id}")
        canvas = page.locator(".gantt canvas")
        canvas.scroll_into_view_if_needed(timeout=PATIENCE_MS)
        place = canvas.bounding_box()
        assert place is not None
        # The first task begins where the names of the machines end.
        page.touchscreen.tap(place["x"] + 110, place["y"] + 50)
        tip = page.locator(".gantt-tip")
        expect(tip).to_contain_text("Order 0 · op 0")
        expect(page.get_by_role("button", name="Order 0")).to_have_attribute("aria-pressed", "true")
        page.touchscreen.tap(place["x"] + 350, place["y"] + 50)
        expect(tip).to_have_count(0)

        page.get_by_role("button", name="Table").click()
        late = page.get_by_role("table", name="Jobs").locator("td[data-said=late]")
        expect(late.nth(0)).to_be_hidden()
        expect(late.nth(2)).to_have_text("+5 min")
    finally:
        phone.close()


def test_jobs_are_cancelled_and_tried_again_by_button_and_by_key(
    signed_in: Watched, collector: CollectorProcess, worker: PlayedWorker
) -> None:
    running, waiting = submit(collector, name="running"), submit(collector, name="waiting")
    job = worker.claim()
    assert job["id"] == running
    page = signed_in.page
    page.goto(f"{collector.url}/#/jobs")
    cancel = row(page, waiting).get_by_role("button")
    cancel.click(timeout=PATIENCE_MS)
    expect(cancel).to_have_text("Really?")
    cancel.click()
    expect(row(page, waiting)).to_have_attribute("data-status", "cancelled", timeout=PATIENCE_MS)

    row(page, running).get_by_role("link").first.focus()
    page.keyboard.press("x")
    page.keyboard.press("x")
    expect(row(page, running)).to_contain_text("Cancelling", timeout=PATIENCE_MS)
    assert worker.progress(job)["cancel"] == [running]
    worker.end(job, "yielded")
    expect(row(page, running)).to_have_attribute("data-status", "cancelled", timeout=PATIENCE_MS)

    row(page, waiting).get_by_role("link").first.focus()
    page.keyboard.press("r")
    expect(row(page, waiting)).to_have_attribute("data-status", "pending", timeout=PATIENCE_MS)
    worker.end(
        worker.claim(),
        "failed",
        error={"code": "broken", "message": HOSTILE, "retryable": False},
        log_tail="still trying\n" * 100 + "why it failed\n",
    )
    failed = page.get_by_label("Failed, for review", exact=True).first
    expect(failed).to_contain_text("<img src=x", timeout=PATIENCE_MS)
    assert page.locator('img[src="x"]').count() == 0

    # What its log ends with is seen at once.
    page.goto(f"{collector.url}/#/job/{waiting}")
    log = page.get_by_label("The end of the log of attempt 1")
    expect(log).to_contain_text("why it failed", timeout=PATIENCE_MS)
    page.wait_for_function(
        "log => log.scrollTop > 0 && log.scrollTop + log.clientHeight >= log.scrollHeight - 1",
        arg=log.element_handle(),
    )


def test_filters_are_in_the_address_and_hold_for_what_comes_live(
    signed_in: Watched, collector: CollectorProcess, worker: PlayedWorker
) -> None:
    ids = [submit(collector, name=f"Line {number}") for number in range(3)]
    other = submit(collector, type="prodplan", name="Line 9")
    page = signed_in.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{collector.url}/#/jobs")
    expect(page.locator("[data-job]")).to_have_count(4, timeout=PATIENCE_MS)
    # So few come in one answer.
    assert not [url for url in asked if "/api/jobs?" in url and "status=" in url]
    page.get_by_label("Type").select_option("echo")
    page.get_by_label("Search jobs").fill("line")
    expect(page.locator("[data-job]")).to_have_count(3, timeout=PATIENCE_MS)
    assert page.url.endswith("#/jobs?type=echo&q=line")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-job]").first.get_by_role("link").first).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Search jobs")).to_be_focused()
    page.reload()
    expect(page.locator("[data-job]")).to_have_count(3, timeout=PATIENCE_MS)
    ids.append(submit(collector, name="line 4"))
    submit(collector, name="another")
    expect(row(page, ids[-1])).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Pending")).to_contain_text("6", timeout=PATIENCE_MS)
    expect(page.locator("[data-job]")).to_have_count(4)
    assert row(page, other).count() == 0

    urgent = submit(collector, name="Line 5", priority=9)
    for place, job_id in enumerate([urgent, *ids]):
        queued = page.get_by_role("list", name="Queue").locator("[data-job]").nth(place)
        expect(queued).to_have_attribute("data-job", job_id, timeout=PATIENCE_MS)

    claimed = worker.claim()
    assert claimed["id"] == urgent
    page.goto(f"{collector.url}/#/jobs?node=pc")
    expect(page.locator("[data-job]")).to_have_count(1, timeout=PATIENCE_MS)
    expect(row(page, claimed["id"])).to_contain_text("pc")
    page.keyboard.press("w")
    workers = page.get_by_label("Workers", exact=True)
    expect(workers).to_contain_text("echo 1.0, prodplan 1.0")
    expect(workers).to_contain_text("io 1/10")


def test_what_one_looks_at_stays_while_rows_come_and_go_above_it(
    signed_in: Watched, collector: CollectorProcess, worker: PlayedWorker
) -> None:
    for number in range(14):
        submit(collector, name=f"Line {number}")
    page = signed_in.page
    page.set_viewport_size({"width": 1280, "height": 420})
    page.goto(f"{collector.url}/#/jobs")
    queue = page.get_by_role("list", name="Queue").locator("[data-job]")
    queue.nth(6).get_by_role("link").first.focus(timeout=PATIENCE_MS)
    seen = row(page, queue.nth(6).get_attribute("data-job") or "")
    top = seen.bounding_box()["y"]
    held = []
    for running in range(1, 4):
        held.append(worker.claim())
        expect(page.get_by_role("button", name="Running")).to_contain_text(str(running))
        assert seen.bounding_box()["y"] == pytest.approx(top, abs=1.5)
    for ended, job in enumerate(held, 1):
        worker.end(job, "succeeded")
        expect(page.get_by_role("button", name="Succeeded")).to_contain_text(str(ended))
        assert seen.bounding_box()["y"] == pytest.approx(top, abs=1.5)
    expect(seen.get_by_role("link").first).to_be_focused()


def test_a_dropped_file_becomes_a_job_and_a_large_one_is_uploaded(
    signed_in: Watched, collector: CollectorProcess, worker: PlayedWorker, tmp_path: Path
) -> None:
    page = signed_in.page
    page.goto(f"{collector.url}/#/jobs")
    expect(page.get_by_role("button", name="New job").first).to_be_visible(timeout=PATIENCE_MS)
    dropped = page.evaluate_handle(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(["2 2\\n0 3 1 2\\n1 2 0 1\\n"], "tiny.jsp"));
            return transfer;
        }"""
    )
    page.dispatch_event("body", "drop", {"dataTransfer": dropped})
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("tiny.jsp")
    dialog.get_by_role("combobox", name="Type").select_option("echo")
    dialog.get_by_role("button", name="Submit").click()
    expect(dialog.get_by_role("alert")).to_contain_text("It is not JSON")
    dialog.get_by_role("combobox", name="Type").select_option("prodplan")
    dialog.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/#/job/*")
    assert worker.claim("prodplan")["payload"] == {"text": "2 2\n0 3 1 2\n1 2 0 1\n"}

    page.goto(f"{collector.url}/#/jobs")
    page.get_by_role("button", name="New job").first.click(timeout=PATIENCE_MS)
    dialog.get_by_role("combobox", name="Type").select_option("prodplan")
    dialog.get_by_role("textbox", name="Payload").fill('{"text": 5}')
    dialog.get_by_role("button", name="Submit").click()
    expect(dialog.get_by_role("alert")).to_contain_text("text", timeout=PATIENCE_MS)
    large = tmp_path / "large.json"
    large.write_text(json.dumps({"text": "x" * (5 * 1024 * 1024)}))
    dialog.get_by_test_id("payload-file").set_input_files(large)
    dialog.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/#/job/*", timeout=PATIENCE_MS)
    job = worker.claim("prodplan")
    assert "payload" not in job or job["payload"] is None
    assert worker.file(job) == large.read_bytes()


def test_a_machine_at_work_says_so(
    signed_in: Watched, collector: CollectorProcess, worker: PlayedWorker
) -> None:
    with collector.client(collector.mint(node_id="pc")) as node:
        snapshot = {"seq": 0, "boot_id": str(uuid.UUID(int=1)), "ts": 1_795_300_000_000}
        assert node.push("pc", {**snapshot, "values": {"cpu.pct": 90}}).status == 200
    submit(collector, name="Line 1")
    worker.claim()
    page = signed_in.page
    count = page.locator('[data-node-id="pc"]').get_by_role(
        "link", name="1 job running", exact=True
    )
    expect(count).to_have_text("1", timeout=PATIENCE_MS)
    page.goto(f"{collector.url}/#/node/pc")
    expect(page.get_by_label("Jobs", exact=True)).to_contain_text("Line 1", timeout=PATIENCE_MS)
    page.goto(f"{collector.url}/#/fleet")
    count.click()
    page.wait_for_url("**/#/jobs?node=pc")


def test_a_viewer_has_no_buttons_and_a_submitter_its_own_jobs_alone(
    context: BrowserContext, collector: CollectorProcess, worker: PlayedWorker
) -> None:
    token = collector.mint(role="submitter", name="planner")
    others, own = submit(collector, name="Of others"), submit(collector, token, name="Mine")
    page = context.new_page()
    page.goto(login_url(collector, role="viewer"))
    expect(page.locator("[data-connection=live]").first).to_be_attached(timeout=20_000)
    page.goto(f"{collector.url}/#/jobs")
    expect(row(page, others)).to_be_visible(timeout=PATIENCE_MS)
    assert page.get_by_role("button", name="Cancel").count() == 0
    assert page.get_by_role("button", name="New job").count() == 0
    page.get_by_role("button", name="Sign out").click()

    watched = Watched(page, collector.url)
    page.get_by_label("Or paste a token or the admin secret").fill(token)
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/jobs", timeout=PATIENCE_MS)
    expect(row(page, own)).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("[data-job]")).to_have_count(1)
    expect(page.locator("[data-connection=live]").first).to_be_attached(timeout=PATIENCE_MS)
    assert page.get_by_role("link", name="Fleet", exact=True).count() == 0
    # It is offered what there is to submit, and told of no machine.
    assert page.get_by_role("region", name="Workers").count() == 0
    page.get_by_role("button", name="New job").click()
    expect(page.get_by_role("dialog").get_by_label("Type")).to_have_text(
        re.compile("echo: Echo.*prodplan: Production planning"), timeout=PATIENCE_MS
    )
    page.keyboard.press("Escape")
    later = submit(collector, token, name="Mine too")
    expect(row(page, later)).to_be_visible(timeout=PATIENCE_MS)
    for elsewhere in ("node/pc", "access"):
        page.goto(f"{collector.url}/#/{elsewhere}")
        expect(page.get_by_role("heading")).to_have_text("This sign-in sees its own jobs alone")
    page.goto(f"{collector.url}/#/fleet")
    page.wait_for_url("**/#/jobs")
    page.goto(f"{collector.url}/#/job/{others}")
    expect(page.get_by_role("heading")).to_contain_text("There is no job", timeout=PATIENCE_MS)
    expect(page.get_by_role("main")).to_contain_text("somebody else")
    # Anew, so that no other stream has been open: to be told so is to be connected.
    page.reload()
    expect(page.locator("[data-connection=live]").first).to_be_attached(timeout=PATIENCE_MS)
    assert watched.complaints == []
    assert watched.strays == []


def test_nothing_is_wider_than_the_screen(
    signed_in: Watched, collector: CollectorProcess, worker: PlayedWorker
) -> None:
    done = submit(collector, type="prodplan", name="A-name-without-any-break-" * 2)
    worker.end(worker.claim("prodplan"), "succeeded", result=plan(12, 4), log_tail="x" * 300)
    submit(collector, name="W" * 64, requires={"cores": 999})
    submit(collector, name="running")
    worker.progress(worker.claim(), fraction=0.3, message="m" * 200)
    page = signed_in.page
    for address, there in (("jobs", "[data-job]"), (f"job/{done}", ".gantt canvas")):
        page.goto(f"{collector.url}/#/{address}")
        expect(page.locator(there).first).to_be_visible(timeout=PATIENCE_MS)
        if address == "jobs":
            for width in (390, 768):
                # What has little to say takes two lines, not the four of others.
                page.set_viewport_size({"width": width, "height": 2000})
                expect(row(page, done)).to_have_css("height", "54px")
                expect(page.get_by_role("list", name="History")).to_have_css("height", "54px")
            page.keyboard.press("w")
            page.keyboard.press("n")
        for width in (360, 768, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            expect(page.locator(there).first).to_be_attached()
            scroll_width, client_width = page.evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            assert scroll_width <= client_width, (address, width)
        page.keyboard.press("Escape")
