from __future__ import annotations

import itertools

import pytest

from forge_shared import releases
from forge_shared.releases import FILE, FOLDER, PLATFORMS, Named


def test_versions_are_ordered_by_number() -> None:
    in_order = ["0.0.1", "0.1.0", "0.1.9", "0.1.10", "0.2.0", "1.0.0", "10.0.0"]
    for older, newer in itertools.pairwise(in_order):
        assert releases.is_newer(newer, older)
        assert not releases.is_newer(older, newer)
        assert not releases.is_newer(newer, newer)


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.3-rc1", "01.2.3", "1.2.3\n", "\u0660.1.2", "../x"],
)
def test_what_is_no_version_is_neither_newer_nor_older(text: str) -> None:
    assert releases.version_key(text) is None
    assert not releases.is_newer(text, "0.0.1")
    assert not releases.is_newer("9.9.9", text)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("kind", [FOLDER, FILE])
def test_names_go_there_and_back(platform: str, kind: str) -> None:
    name = releases.file_name("1.20.3", platform, kind)
    assert releases.named(name) == Named("1.20.3", platform, kind)
    assert releases.is_name(name)


def test_the_names() -> None:
    assert releases.file_name("0.2.0", "linux-x86_64", FOLDER) == (
        "forge-agent-0.2.0-linux-x86_64.tar.gz"
    )
    assert releases.file_name("0.2.0", "windows-x86_64", FOLDER) == (
        "forge-agent-0.2.0-windows-x86_64.zip"
    )
    assert releases.file_name("0.2.0", "macos-arm64", FILE) == "forge-agent-0.2.0-macos-arm64"
    for name in ("SHA256SUMS", "forge-agent-0.2.0-linux-x86_64.zip", "forge-agent-x-linux-x86_64"):
        assert releases.named(name) is None


@pytest.mark.parametrize("name", ["", ".hidden", "../x", "a/b", "a\\b", "a\0", "x" * 200])
def test_names_that_lead_elsewhere_are_none(name: str) -> None:
    assert not releases.is_name(name)


@pytest.mark.parametrize(
    ("system", "machine", "platform"),
    [
        ("linux", "x86_64", "linux-x86_64"),
        ("linux", "aarch64", "linux-aarch64"),
        ("win32", "AMD64", "windows-x86_64"),
        ("darwin", "arm64", "macos-arm64"),
        ("darwin", "x86_64", "macos-x86_64"),
        ("linux", "armv7l", None),
        ("freebsd13", "amd64", None),
    ],
)
def test_platforms_by_what_python_calls_them(
    system: str, machine: str, platform: str | None
) -> None:
    assert releases.platform_of(system, machine) == platform
