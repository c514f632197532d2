"""The agent as scripts/build-agent makes it, built once for the sources as they are."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from forge_agent.lock import FileLock, LockedError
from forge_shared import __version__, releases
from scripts.building.program import platform_name

ROOT: Final = Path(__file__).parents[2]
_BUILD_TIMEOUT_S: Final = 300.0
_LOOK_EVERY_S: Final = 0.2
_MADE_OF: Final = (
    *("agent/forge_agent", "shared/forge_shared", "packaging", "scripts/building"),
    *("agent/plugins/echo", "agent/plugins/python", "scripts/releasing"),
    "requirements-dev.lock",
)


class Frozen(NamedTuple):
    """Both builds: the file, and the program in the folder. ``out``: where all of it is."""

    single: Path
    folder: Path
    out: Path

    def by_name(self, kind: str) -> Path:
        return {"single": self.single, "folder": self.folder}[kind]


def given(out: Path, scratch: Path) -> Frozen:
    """Return builds that were made elsewhere, the folder out of its archive. What carried them may
    have lost that they can be run."""
    names = [
        releases.file_name(__version__, platform_name(), kind)
        for kind in (releases.FILE, releases.FOLDER)
    ]
    for name in (*names, "SHA256SUMS"):
        shutil.copyfile(out / name, scratch / name)
    (scratch / names[0]).chmod(0o755)
    shutil.unpack_archive(scratch / names[1], scratch)
    return _in(scratch)


def built(cache: Path) -> Frozen:
    """Return the builds of the sources as they are: from the cache if they are in it."""
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(cache / "lock"):
        out = cache / _fingerprint()
        if not out.exists():
            _forget_others(cache)
            _build(out)
    return _in(out)


def _in(out: Path) -> Frozen:
    name = releases.file_name(__version__, platform_name(), releases.FILE)
    suffix = ".exe" if sys.platform == "win32" else ""
    return Frozen(out / name, out / releases.PROGRAM / f"{releases.PROGRAM}{suffix}", out)


def _build(out: Path) -> None:
    draft = out.with_suffix(".draft")
    subprocess.run(
        [sys.executable, "-m", "scripts.building", "--out", str(draft)],
        cwd=ROOT,
        check=True,
        timeout=_BUILD_TIMEOUT_S,
    )
    draft.rename(out)


def _fingerprint() -> str:
    """Return what differs as soon as anything that the build is made of does."""
    found = hashlib.sha256(sys.version.encode())
    for place in _MADE_OF:
        path = ROOT / place
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                found.update(f"{file.relative_to(ROOT)}\0".encode())
                found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()[:16]


def _forget_others(cache: Path) -> None:
    for path in cache.iterdir():
        if path.is_dir():
            shutil.rmtree(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time in: tests may run in several."""
    until_s = time.monotonic() + _BUILD_TIMEOUT_S
    while True:
        try:
            lock = FileLock(path)
            break
        except LockedError:
            assert time.monotonic() < until_s, "another process builds the agent, and does not end"
            time.sleep(_LOOK_EVERY_S)
    try:
        yield
    finally:
        lock.release()
