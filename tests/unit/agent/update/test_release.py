from __future__ import annotations

import json
from typing import Any

import pytest

from forge_agent.update import release
from forge_agent.update.installed import Installed, Trial
from forge_agent.update.release import Archive, Choice, ManifestError
from forge_shared import codec
from forge_shared.messages import Release, ReleaseFile

SHA = "ab" * 32
LINUX = "forge-agent-0.2.0-linux-x86_64"


def manifest(**changes: Any) -> bytes:
    """A manifest, with one file's fields changed."""
    file = {
        "name": f"{LINUX}.tar.gz",
        "platform": "linux-x86_64",
        "kind": "folder",
        "size": 7,
        "sha256": SHA,
    }
    return json.dumps({"version": "0.2.0", "files": [file | changes]}).encode()


def test_what_scripts_release_writes_is_read() -> None:
    written = Release(
        "0.2.0",
        1_795_258_874_823,
        [
            ReleaseFile(f"{LINUX}.tar.gz", "linux-x86_64", "folder", 7, SHA),
            ReleaseFile(LINUX, "linux-x86_64", "file", 8, SHA),
        ],
    )
    read = release.read(codec.encode(written))
    assert read.version == "0.2.0"
    assert read.archives == {"linux-x86_64": Archive(f"{LINUX}.tar.gz", 7, SHA)}


def test_kinds_of_later_releases_pass() -> None:
    assert release.read(manifest(kind="checksums", name="SUMS")).archives == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"version": "0.2.0"}',
        b'{"version": "x", "files": []}',
        b'{"version": 2, "files": []}',
        manifest(name="../../etc/passwd"),
        manifest(name="forge-agent-0.1.0-linux-x86_64.tar.gz"),
        manifest(name=None),
        manifest(platform="linux-aarch64"),
        manifest(size=0),
        manifest(size=10**12),
        manifest(size="7"),
        manifest(sha256="AB" * 32),
        manifest(sha256=f"{SHA}\n"),
        manifest(sha256=None),
    ],
)
def test_what_cannot_be_relied_on_is_refused(content: bytes) -> None:
    with pytest.raises(ManifestError):
        release.read(content)


@pytest.mark.parametrize(
    ("installed", "choice"),
    [
        (Installed(), Choice.INSTALL),
        (Installed(current="0.1.9", highest="0.1.9"), Choice.INSTALL),
        # Seen before, but never brought: the disk was full, say.
        (Installed(current="0.1.9", highest="0.2.0"), Choice.INSTALL),
        (Installed(current="0.2.0", highest="0.2.0"), Choice.UP_TO_DATE),
        (Installed(current="0.2.1"), Choice.OLDER),
        (Installed(current="0.1.9", highest="0.2.1"), Choice.OLDER),
        (Installed(current="0.1.9", rejected=("0.2.0",), highest="0.2.0"), Choice.REJECTED),
        (Installed(current="0.1.9", trial=Trial("0.2.0"), highest="0.2.0"), Choice.WAITING),
        (Installed(current="0.1.9", trial=Trial("0.1.10"), highest="0.1.10"), Choice.INSTALL),
    ],
)
def test_versions_only_rise(installed: Installed, choice: Choice) -> None:
    assert release.choose("0.2.0", installed, "0.1.0") is choice


def test_a_launcher_that_was_installed_anew_counts_if_it_is_newer() -> None:
    known = Installed(current="0.1.9", highest="0.1.9")
    assert release.choose("0.2.0", known, "0.2.0") is Choice.UP_TO_DATE
    assert release.choose("0.2.0", known, "0.2.1") is Choice.OLDER
    assert release.choose("0.2.0", known, "0.1.8") is Choice.INSTALL


def test_the_running_version_counts_where_no_update_came() -> None:
    assert release.choose("0.2.0", Installed(), "0.2.0") is Choice.UP_TO_DATE
    assert release.choose("0.2.0", Installed(), "0.3.0") is Choice.OLDER
