"""The line for a Linux machine that has no agent yet: fetch it from the collector, and join.

It is the one that the page shows under Add a machine.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Final

from forge_shared import releases
from forge_shared.messages import MintedInvite, Release, ReleaseFile

_LINUX: Final = "linux-"
# The most usual first; what is not named here comes last.
_PROCESSORS: Final = {"x86_64": "Intel or AMD (x86-64)", "aarch64": "ARM (64 bit)"}
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def lines(minted: MintedInvite, release: Release) -> Iterator[tuple[str, str]]:
    """Yield the processors that the release has an archive for, and the line for each."""
    archives = [file for file in release.files if _is_for_linux(file)]
    order = [*_PROCESSORS]
    archives.sort(key=lambda file: [*order, _processor(file)].index(_processor(file)))
    for archive in archives:
        processor = _processor(archive)
        yield _PROCESSORS.get(processor, processor), _line(minted, archive)


def _is_for_linux(file: ReleaseFile) -> bool:
    """Tell whether it is an archive to install, with nothing in it that a shell could misread."""
    return (
        file.kind == releases.FOLDER
        and file.platform.startswith(_LINUX)
        and releases.is_name(file.name)
        and _SHA256.fullmatch(file.sha256) is not None
    )


def _processor(file: ReleaseFile) -> str:
    return file.platform.removeprefix(_LINUX)


def _line(minted: MintedInvite, archive: ReleaseFile) -> str:
    url = f"{minted.url.rstrip('/')}/api/releases/{archive.name}"
    # Its own authority's certificate is not known there yet; the checksum in the line is trusted.
    insecure = "k" if minted.ca_fingerprint is not None else ""
    join = f"join --install {shlex.quote(minted.join_string)}"
    steps = (
        "d=$(mktemp -d)",
        'cd "$d"',
        f"curl -fsSL{insecure} -o {archive.name} {_quoted(url)}",
        f"echo '{archive.sha256}  {archive.name}' | sha256sum -c -",
        f"tar -xzf {archive.name}",
        # Who is root already may have no sudo.
        f'$([ "$(id -u)" = 0 ] || echo sudo) ./forge-agent/forge-agent {join}',
        'rm -rf "$d"',
    )
    # In a shell of its own: the one it is pasted into stays where it is.
    return f"( {' && '.join(steps)} )"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
