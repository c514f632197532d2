"""What a release offers, and whether this machine wants it. Pure: bytes in, decisions out."""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Any, NamedTuple

from forge_agent.update.installed import Installed, in_use
from forge_shared import releases

_SHA256 = re.compile(r"[0-9a-f]{64}")


class ManifestError(ValueError):
    """release.json is not what it should be."""


class Archive(NamedTuple):
    """A file of the release: what to install on one platform."""

    name: str
    size: int
    sha256: str


class Release(NamedTuple):
    """``archives``: by platform."""

    version: str
    archives: dict[str, Archive]


class Choice(Enum):
    """What to do about the version on offer."""

    INSTALL = "install"
    UP_TO_DATE = "up to date"
    OLDER = "older"
    REJECTED = "rejected"
    WAITING = "waiting"


def read(manifest: bytes) -> Release:
    """Read release.json, whose signature was checked; raises ManifestError.

    What it lists beyond archives passes: a later release may hold more.
    """
    try:
        record = json.loads(manifest)
    except (ValueError, RecursionError):
        raise ManifestError("it is no JSON") from None
    version = record.get("version") if isinstance(record, dict) else None
    files = record.get("files") if isinstance(record, dict) else None
    if not isinstance(version, str) or releases.version_key(version) is None:
        raise ManifestError("it names no version such as 1.20.3")
    if not isinstance(files, list):
        raise ManifestError("it lists no files")
    archives: dict[str, Archive] = {}
    for file in files:
        if isinstance(file, dict) and file.get("kind") == releases.FOLDER:
            archives[str(file.get("platform"))] = _archive(file, version)
    return Release(version, archives)


def choose(offered: str, installed: Installed, running: str) -> Choice:
    """Decide about the version on offer. ``running``: the version that asks.

    Versions only rise, also after one was given up: what was tried and did not work is not tried
    again, and nothing below it is taken.
    """
    current = in_use(installed, running)
    if installed.trial is not None and installed.trial.version == offered:
        return Choice.WAITING
    if offered in installed.rejected:
        return Choice.REJECTED
    if offered == current:
        return Choice.UP_TO_DATE
    highest = installed.highest or current
    if not releases.is_newer(offered, current) or releases.is_newer(highest, offered):
        return Choice.OLDER
    return Choice.INSTALL


def _archive(file: dict[str, Any], version: str) -> Archive:
    name, size, sha256 = file.get("name"), file.get("size"), file.get("sha256")
    expected = releases.named(name) if isinstance(name, str) else None
    if not isinstance(name, str) or expected is None or expected.version != version:
        raise ManifestError("a file in it has a name that no file of this version has")
    if expected.platform != file.get("platform") or expected.kind != releases.FOLDER:
        raise ManifestError(f"it takes {name} for something else")
    if not isinstance(size, int) or not 0 < size <= releases.MAX_FILE_BYTES:
        raise ManifestError(f"{name} has no sensible size in it")
    if not isinstance(sha256, str) or _SHA256.fullmatch(sha256) is None:
        raise ManifestError(f"{name} has no hash in it")
    return Archive(name, size, sha256)
