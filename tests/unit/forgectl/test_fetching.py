"""The line that fetches the agent: what is in it, and what never gets into it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from forge_shared.messages import Invite, InviteStatus, MintedInvite, Release, ReleaseFile
from forgectl import fetching

SHA256 = "ab" * 32
INVITE = Invite("i", InviteStatus.OPEN, 1, 0, None, 1, 1, [])
MINTED = MintedInvite(INVITE, "forge_join_AQ-_x", "http://192.168.1.10:8750", None)


def file(platform: str, **changes: Any) -> ReleaseFile:
    made = ReleaseFile(f"forge-agent-1.2.0-{platform}.tar.gz", platform, "folder", 9, SHA256)
    return msgspec.structs.replace(made, **changes)


def lines(*files: ReleaseFile, minted: MintedInvite = MINTED) -> dict[str, str]:
    return dict(fetching.lines(minted, Release("1.2.0", 0, list(files))))


def test_it_is_the_pages_line() -> None:
    """As collector/web/src/views/add-machine/lines.test.ts has it."""
    (line,) = lines(file("linux-x86_64")).values()
    assert line == (
        '( d=$(mktemp -d) && cd "$d" && curl -fsSL -o forge-agent-1.2.0-linux-x86_64.tar.gz '
        "'http://192.168.1.10:8750/api/releases/forge-agent-1.2.0-linux-x86_64.tar.gz' && "
        f"echo '{SHA256}  forge-agent-1.2.0-linux-x86_64.tar.gz' | sha256sum -c - && "
        "tar -xzf forge-agent-1.2.0-linux-x86_64.tar.gz && "
        '$([ "$(id -u)" = 0 ] || echo sudo) '
        './forge-agent/forge-agent join --install forge_join_AQ-_x && rm -rf "$d" )'
    )


def test_no_certificate_is_asked_of_a_collector_with_its_own_authority() -> None:
    own = msgspec.structs.replace(MINTED, url="https://h:1/forge/", ca_fingerprint="0" * 64)
    (line,) = lines(file("linux-x86_64"), minted=own).values()
    assert "curl -fsSLk -o forge-agent-1.2.0-linux-x86_64.tar.gz 'https://h:1/forge/api/" in line


def test_the_most_usual_processor_is_first() -> None:
    found = lines(
        *map(file, ("linux-riscv64", "linux-aarch64", "linux-x86_64")),
        file("linux-x86_64", kind="file"),
        *map(file, ("macos-x86_64", "windows-x86_64")),
    )
    assert list(found) == ["Intel or AMD (x86-64)", "ARM (64 bit)", "riscv64"]
    assert lines() == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a.tar.gz; reboot"},
        {"name": "$(reboot).tar.gz"},
        {"name": "../agent.tar.gz"},
        {"name": "-rf"},
        {"name": ""},
        {"sha256": ""},
        {"sha256": f"{SHA256[1:]}'"},
        {"sha256": f"{SHA256}\n"},
    ],
)
def test_what_a_shell_could_misread_is_left_out(changes: dict[str, str]) -> None:
    assert lines(file("linux-x86_64", **changes)) == {}


def test_whatever_an_address_holds_is_quoted() -> None:
    odd = msgspec.structs.replace(MINTED, url="http://h/a'b;$(c)", join_string="x;y")
    (line,) = lines(file("linux-x86_64"), minted=odd).values()
    assert "'http://h/a'\\''b;$(c)/api/releases/" in line
    assert "--install 'x;y' &&" in line
