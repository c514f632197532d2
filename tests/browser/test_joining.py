"""Adding a machine: an invite, a real agent that joins with it, and a page that sees it come."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
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
    string = next(word for word in line.split() if word.startswith("forge_join_"))
    assert joining.parse(string)
    return string


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
    expect(dialog).to_contain_text("This line is used up. It was good for one machine")
    expect(dialog).not_to_contain_text("It is good for")
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


def test_of_many_invites_the_newest_are_listed_and_the_rest_when_asked_for(
    signed_in: Watched, collector: CollectorProcess
) -> None:
    page = signed_in.page
    with collector.client() as admin:
        for uses in range(2, 62):
            assert admin.send("POST", "/api/invites", {"uses": uses}).status == 201
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("link", name="Access").click()
    revoke = page.get_by_role("button", name="Revoke the invite")
    expect(revoke).to_have_count(50, timeout=QUICK_MS)
    # The last two may be of the same millisecond.
    expect(revoke.first).to_have_accessible_name(re.compile("^Revoke the invite for 6[01] "))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="Show all 60").click()
    expect(revoke).to_have_count(60)


def test_there_is_a_way_back_from_setting_up_by_hand(signed_in: Watched) -> None:
    page = signed_in.page
    page.get_by_role("button", name="Add a machine").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Set up by hand").click()
    expect(dialog.get_by_label("A short id for the machine")).to_be_focused()
    dialog.get_by_role("button", name="Back to the invite").click()
    expect(dialog.get_by_role("button", name="Make an invite")).to_be_focused()


# In place of the agent: joins where it may, and tells what it was asked.
STUB = '#!/bin/sh\necho "agent: $*"\n[ ! -e "$REFUSED" ]\n'


def archive_of(program: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("forge-agent/forge-agent")
        entry.mode, entry.size = 0o755, len(program)
        archive.addfile(entry, io.BytesIO(program.encode()))
    return packed.getvalue()


def paste(line: str, folder: Path) -> tuple[int, str, list[Path]]:
    """Run the line in a shell as somebody would; return its status, its words and what it left.

    Should it ask for other rights, it is told so and gets no more than it has.
    """
    temporary, programs = folder / "tmp", folder / "bin"
    for made in (temporary, programs):
        made.mkdir(parents=True, exist_ok=True)
    (programs / "sudo").write_text('#!/bin/sh\necho sudo\nexec "$@"\n')
    (programs / "sudo").chmod(0o755)
    said = subprocess.run(
        ["sh"],
        input=f"{line}\necho status: $?\npwd\n",
        cwd=folder,
        env=environment(
            HOME=str(folder),
            TMPDIR=str(temporary),
            REFUSED=str(folder / "refused"),
            PATH=f"{programs}:{os.environ['PATH']}",
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    ).stdout
    *before, status, where = said.splitlines()
    assert Path(where).samefile(folder)
    return int(status.removeprefix("status: ")), "\n".join(before), list(temporary.iterdir())


def test_the_line_fetches_the_release_that_the_collector_serves(
    context: BrowserContext, tmp_path: Path
) -> None:
    release, archive = tmp_path / "releases", archive_of(STUB)
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
        text, here = line.inner_text(), tmp_path / "here"
        status, said, left = paste(text, here)
        assert (status, left) == (0, [])
        assert f"agent: join --install {join_string(dialog)}" in said
        assert ("sudo" in said.splitlines()) == (os.geteuid() != 0)
        (here / "refused").touch()
        status, said, left = paste(text, here)
        assert status == 1
        assert [(folder / "forge-agent" / "forge-agent").exists() for folder in left] == [True]
        status, said, _ = paste(text.replace(files[1].sha256, "0" * 64), tmp_path / "wrong")
        assert status == 1
        assert "agent:" not in said
        dialog.get_by_role("tab", name="Linux").press("ArrowRight")
        expect(dialog.get_by_role("tab", name="macOS")).to_be_focused()
        expect(line).to_have_text(f"sudo forge-agent join --install {join_string(dialog)}")
        assert watched.complaints == []
        assert watched.strays == []
