"""Adding a machine: an invite, a real agent that joins with it, and a page that sees it come."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from playwright.sync_api import BrowserContext, Locator, Page, expect

from forge_shared import joining
from forge_shared.messages import Release, ReleaseFile
from tests.browser.conftest import Watched, login_url
from tests.browser.test_page import push
from tests.process import PATIENCE_S, CollectorProcess, environment, running_collector

QUICK_MS = 10_000


def invited(page: Page, *, uses: int = 1) -> Locator:
    """Make an invite with the keyboard alone; return the dialog that shows its line."""
    page.get_by_role("button", name="Add a machine").first.click()
    dialog = page.get_by_role("dialog")
    if uses != 1:
        dialog.get_by_label("For how many machines").fill(str(uses))
    page.keyboard.press("Enter")
    expect(dialog.get_by_test_id("join-line").first).to_be_visible(timeout=QUICK_MS)
    return dialog


def join_string(dialog: Locator) -> str:
    line = dialog.get_by_test_id("join-line").locator("code").first.inner_text()
    assert joining.parse(line.split()[-1])
    return line.split()[-1]


def agent(folder: Path, *arguments: str) -> list[str]:
    folder.mkdir(exist_ok=True)
    return [sys.executable, "-m", "forge_agent", *arguments, "--config", str(folder / "agent.toml")]


def join(folder: Path, string: str) -> str:
    """Let a real agent join; return what it said."""
    joined = subprocess.run(
        agent(folder, "join", "-"),
        input=string,
        cwd=folder,
        env=environment(HOME=str(folder)),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    return joined.stdout + joined.stderr


def node_id(folder: Path) -> str:
    found = tomllib.loads((folder / "agent.toml").read_text())["NODE_ID"]
    assert isinstance(found, str)
    return found


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """The agent that joined, pushing."""
    process = subprocess.Popen(
        [*agent(folder, "run"), "--state-dir", str(folder / "state")],
        cwd=folder,
        env=environment(HOME=str(folder)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def test_a_machine_joins_with_the_line_and_the_page_sees_it_come(
    signed_in: Watched, tmp_path: Path
) -> None:
    page = signed_in.page
    dialog = invited(page)
    expect(dialog).to_contain_text("Waiting for the machine")
    expect(dialog).to_contain_text("listens on its own machine alone")
    assert "Joined" in join(tmp_path / "pc", join_string(dialog))
    expect(dialog).to_contain_text("has joined", timeout=QUICK_MS)
    with running(tmp_path / "pc"):
        expect(dialog).to_contain_text("is here", timeout=QUICK_MS)
        dialog.get_by_role("link", name="Open").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.url.endswith(f"#/node/{node_id(tmp_path / 'pc')}")


def test_a_machine_that_is_set_up_again_is_the_node_it_was(
    signed_in: Watched, collector: CollectorProcess, tmp_path: Path
) -> None:
    push(collector, "attic")
    page = signed_in.page
    page.goto(f"{collector.url}/#/node/attic")
    page.get_by_role("button", name="Set up again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("then is attic")
    dialog.get_by_role("button", name="Make an invite").click()
    expect(dialog).to_contain_text("one machine, which becomes attic", timeout=QUICK_MS)
    assert "attic" in join(tmp_path / "new", join_string(dialog))
    assert node_id(tmp_path / "new") == "attic"
    expect(dialog).to_contain_text("attic has joined", timeout=QUICK_MS)
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Revoke the token of attic")).to_have_count(2)


def test_an_invite_is_listed_and_revoked_under_access(signed_in: Watched, tmp_path: Path) -> None:
    page = signed_in.page
    dialog = invited(page, uses=3)
    string = join_string(dialog)
    join(tmp_path / "one", string)
    page.get_by_role("button", name="Close").click()
    page.get_by_role("link", name="Access").click()
    row = page.get_by_role("row", name="3 machines")
    expect(row).to_contain_text("open", timeout=QUICK_MS)
    expect(row).to_contain_text("1 of 3")
    expect(row.get_by_role("link", name=node_id(tmp_path / "one"))).to_be_visible()
    row.get_by_role("button", name="Revoke").click()
    row.get_by_role("button", name="Really").click()
    expect(row).to_contain_text("revoked", timeout=QUICK_MS)
    expect(row.get_by_role("button")).to_have_count(0)
    assert "This invite was revoked" in join(tmp_path / "two", string)


def test_the_line_fetches_the_release_that_the_collector_serves(
    context: BrowserContext, tmp_path: Path
) -> None:
    release, archive = tmp_path / "releases", b"an archive"
    release.mkdir()
    files = [
        ReleaseFile(
            f"forge-agent-1.2.0-{platform}.tar.gz",
            platform,
            "folder",
            len(archive),
            hashlib.sha256(archive).hexdigest(),
        )
        for platform in ("linux-x86_64", "linux-aarch64")
    ]
    for file in files:
        (release / file.name).write_bytes(archive)
    (release / "release.json").write_bytes(msgspec.json.encode(Release("1.2.0", 0, files)))
    (release / "release.json.sig").write_bytes(bytes(64))
    with running_collector(tmp_path / "data", "--releases", str(release)) as collector:
        watched = Watched(context.new_page(), collector.url)
        page = watched.page
        page.goto(login_url(collector))
        dialog = invited(page)
        dialog.get_by_role("tab", name="Linux").click()
        line = dialog.get_by_test_id("join-line").locator("code").first
        for file, processor in zip(files, ("x86-64", "ARM"), strict=True):
            choice = dialog.get_by_label("Processor")
            option = choice.locator("option", has_text=processor)
            choice.select_option(option.get_attribute("value"))
            expect(line).to_contain_text(f"echo '{file.sha256}  {file.name}' | sha256sum -c -")
            expect(line).to_contain_text(f"'{collector.url}/api/releases/{file.name}'")
            with collector.client("nobody") as nobody:
                assert nobody.send("GET", f"/api/releases/{file.name}").body == archive
        dialog.get_by_role("tab", name="Linux").press("ArrowRight")
        expect(dialog.get_by_role("tab", name="macOS")).to_be_focused()
        expect(line).to_have_text(f"sudo forge-agent join --install {join_string(dialog)}")
        assert watched.complaints == []
        assert watched.strays == []
