"""forgectl invite: a join string that a real agent joins with, listed and revoked."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_shared import joining
from tests.integration.forgectl.conftest import Forgectl
from tests.integration.forgectl.jobs import Called
from tests.process import ADMIN_SECRET, CollectorProcess, environment

ENV = {"FORGE_TOKEN": ADMIN_SECRET}


def test_the_line_it_prints_makes_an_agent_a_member(
    forgectl: Forgectl, collector: CollectorProcess, tmp_path: Path
) -> None:
    printed = forgectl("invite", "--node", "attic", "--expires", "30m", **ENV).stdout
    join_string = printed.split()[0]
    assert f"forge-agent join --install {join_string}\n" in printed
    assert "one machine, which becomes attic, until 20" in printed
    assert "listens on this machine alone" in printed  # and "this" it does
    assert joining.parse(join_string).url == collector.url

    settings = tmp_path / "agent.toml"
    joined = subprocess.run(
        [sys.executable, "-m", "forge_agent", "join", "-", "--config", str(settings)],
        input=join_string,
        cwd=tmp_path,
        env=environment(HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert joined.returncode == 0, joined.stderr
    assert settings.stat().st_mode & 0o077 == 0
    assert "attic" in forgectl("tokens", "list", **ENV).stdout
    (row,) = [
        line for line in forgectl("invites", "list", **ENV).stdout.splitlines() if "attic" in line
    ]
    assert "used up" in row
    assert "1 of 1" in row
    assert row.split()[-1] == "attic"


def test_an_invite_is_revoked(forgectl: Forgectl) -> None:
    made = json.loads(forgectl("invite", "--uses", "3", "--expires", "7d", "--json", **ENV).stdout)
    assert made["invite"]["uses"] == 3
    assert made["invite"]["expires_at"] - made["invite"]["created_at"] == 7 * 86_400_000
    invite_id = made["invite"]["id"]
    assert invite_id in forgectl("invites", "list", COLUMNS="60", **ENV).stdout
    assert forgectl("invites", "revoke", invite_id[:-1], **ENV).returncode == 0
    listed = json.loads(forgectl("invites", "list", "--json", **ENV).stdout)["invites"]
    assert [one["status"] for one in listed if one["id"] == made["invite"]["id"]] == ["revoked"]
    assert joining.parse(made["join_string"]).code not in json.dumps(listed)


# Stands for the agent, and for sudo: tells what it was called with.
TELLS = '#!/bin/sh\necho "$(basename "$0") $*" >> "$TOLD"\n'


def publish(folder: Path, *platforms: str) -> None:
    """Have the collector hand out an agent that tells how it is called."""
    folder.mkdir()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        program = tarfile.TarInfo("forge-agent/forge-agent")
        program.mode, program.size = 0o755, len(TELLS)
        archive.addfile(program, io.BytesIO(TELLS.encode()))
    files = []
    for platform in platforms:
        name = f"forge-agent-1.2.0-{platform}.tar.gz"
        (folder / name).write_bytes(packed.getvalue())
        sha256 = hashlib.sha256(packed.getvalue()).hexdigest()
        files.append({"name": name, "platform": platform, "kind": "folder", "sha256": sha256})
    manifest = {
        "version": "1.2.0",
        "created_at": 0,
        "files": [{**file, "size": 9} for file in files],
    }
    (folder / "release.json").write_text(json.dumps(manifest))


@pytest.fixture
def released(collector: CollectorProcess) -> Iterator[Path]:
    folder = collector.data / "releases"
    publish(folder, "macos-arm64", "linux-aarch64", "linux-x86_64")
    yield folder
    shutil.rmtree(folder)


def test_the_line_for_linux_fetches_the_agent_and_joins(
    forgectl: Forgectl, released: Path, tmp_path: Path
) -> None:
    printed = forgectl("invite", **ENV).stdout
    join_string = printed.split()[0]
    lines = [line.strip() for line in printed.splitlines() if line.startswith("  ( ")]
    assert ["x86_64.tar.gz" in line for line in lines] == [True, False]
    assert printed.index("Intel or AMD") < printed.index("ARM (64 bit)")
    assert f"installed already:\n\n  forge-agent join --install {join_string}\n" in printed
    (tmp_path / "sudo").write_text(f'{TELLS}exec "$@"\n')
    (tmp_path / "sudo").chmod(0o755)
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def paste(line: str) -> int:
        path = f"{tmp_path}:{os.environ['PATH']}"
        env = environment(PATH=path, TMPDIR=str(temporary), TOLD=str(tmp_path / "told"))
        done = subprocess.run(["sh", "-c", line], env=env, capture_output=True, check=False)
        return done.returncode

    assert paste(lines[0]) == 0
    told = (tmp_path / "told").read_text().splitlines()
    assert told[-1] == f"forge-agent join --install {join_string}"
    assert (len(told) == 1) is (os.geteuid() == 0)  # who is root already may have no sudo
    assert list(temporary.iterdir()) == []
    # Another file in its place is not run.
    (released / "forge-agent-1.2.0-linux-x86_64.tar.gz").write_bytes(b"another")
    assert paste(lines[0]) != 0
    assert (tmp_path / "told").read_text().splitlines() == told


@pytest.mark.parametrize(
    "manifest", ["", "{}", "[", '{"version": "1", "created_at": 0, "files": []}']
)
def test_without_a_release_of_use_the_invite_is_good_all_the_same(
    called: Called, released: Path, manifest: str
) -> None:
    (released / "release.json").write_text(manifest)
    done = called("invite")
    assert done.exit_code == 0
    assert "There, with forge-agent:" in done.output
    assert "curl" not in done.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("invite", "--expires", "soon"), 2, "30m, 1h, 7d"),
        (("invite", "--expires", "31d"), 2, "between 1m and 30d"),
        (("invite", "--expires", "1s"), 2, "between 1m and 30d"),
        (("invite", "--uses", "0"), 2, "1<=x<=10000"),
        (("invite", "--uses", "many"), 2, "not a valid integer"),
        (("invite", "--node", "a b"), 1, "a node id begins with"),
        (("invite", "--node", "a", "--uses", "2"), 2, "for one machine"),
        (("invites", "revoke", "../x"), 1, "There is no"),
    ],
)
def test_wrong_input_gets_a_sentence_that_says_what_to_do(
    forgectl: Forgectl, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = forgectl(*arguments, **ENV)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stdout == ""
