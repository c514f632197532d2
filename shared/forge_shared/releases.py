"""What releases are called: versions, platforms, and the names of their files.

``forge-agent-VERSION-PLATFORM.tar.gz`` (``.zip`` for Windows) is what gets installed, a folder
``forge-agent`` with the program in it; ``forge-agent-VERSION-PLATFORM`` (``.exe``) is the program
as a single file.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MANIFEST: Final = "release.json"
SIGNATURE: Final = "release.json.sig"
PROGRAM: Final = "forge-agent"  # also the folder in an archive
PLATFORMS: Final = (
    "linux-x86_64",
    "linux-aarch64",
    "windows-x86_64",
    "macos-arm64",
    "macos-x86_64",
)
FOLDER: Final = "folder"
FILE: Final = "file"

# No folder, nothing hidden.
NAME_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
MAX_MANIFEST_BYTES: Final = 256 * 1024
MAX_FILE_BYTES: Final = 256 * 1024 * 1024

_VERSION = re.compile(r"(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")
_NAME = re.compile(NAME_PATTERN)
_SUFFIXES: Final = {FOLDER: (".tar.gz", ".zip"), FILE: ("", ".exe")}


class Named(NamedTuple):
    """What a file's name says. ``kind``: FOLDER or FILE."""

    version: str
    platform: str
    kind: str


def version_key(version: str) -> tuple[int, int, int] | None:
    """Return what versions are ordered by; None for what is no version such as 1.20.3."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    major, minor, patch = (int(part) for part in match.groups())
    return major, minor, patch


def is_newer(version: str, than: str) -> bool:
    """Tell whether the version is a higher one; what is no version is neither newer nor older."""
    key, other = version_key(version), version_key(than)
    return key is not None and other is not None and key > other


def is_name(name: str) -> bool:
    """Tell whether a file of a release may be called so."""
    return _NAME.fullmatch(name) is not None


def file_name(version: str, platform: str, kind: str) -> str:
    suffix = _SUFFIXES[kind][platform.startswith("windows-")]
    return f"{PROGRAM}-{version}-{platform}{suffix}"


def named(name: str) -> Named | None:
    """Take a file's name apart; None when a release has no such file."""
    rest = name.removeprefix(f"{PROGRAM}-")
    version = rest.partition("-")[0]
    for platform in PLATFORMS:
        for kind in _SUFFIXES:
            if version_key(version) and name == file_name(version, platform, kind):
                return Named(version, platform, kind)
    return None


def platform_of(system: str, machine: str) -> str | None:
    """Return the platform's name from what ``sys.platform`` and ``platform.machine()`` say; None
    where no release is made for it."""
    systems = {"linux": "linux", "win32": "windows", "darwin": "macos"}
    machines = {"amd64": "x86_64", "x86_64": "x86_64", "aarch64": "aarch64", "arm64": "arm64"}
    found = f"{systems.get(system)}-{machines.get(machine.lower())}"
    return found if found in PLATFORMS else None
