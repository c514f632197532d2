"""Taking an archive apart into a folder, and nothing beside it.

The archive was signed, so nothing bad should be in it. All the same it is held to what a build of
the program holds: files, folders, and links within, below one folder.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final, NamedTuple

from forge_agent import private_files
from forge_shared import releases

MAX_BYTES: Final = 512 * 1024 * 1024
MAX_MEMBERS: Final = 10_000
_MAX_LINKS: Final = 40  # on one way, as the system has it
_PIECE_BYTES: Final = 1024 * 1024


class UnpackError(Exception):
    """The archive holds what no program of ours holds, or is damaged."""


class _Member(NamedTuple):
    """``content`` of a file, ``target`` of a link; neither of a folder."""

    path: PurePosixPath
    is_program: bool = False
    content: IO[bytes] | None = None
    target: str | None = None


def unpack(archive: Path, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Unpack the archive's folder ``forge-agent`` as ``folder``, which must not be there; all of
    it is on disk then. Raises UnpackError, or OSError of the disk."""
    folder.mkdir(mode=0o755)
    links: dict[PurePosixPath, str] = {}
    left = max_bytes
    with _members(archive) as members:
        for count, member in enumerate(members, 1):
            if count > MAX_MEMBERS:
                raise UnpackError(f"it holds more than {MAX_MEMBERS:,} files")
            if member.target is not None:
                links[member.path] = member.target
            elif member.content is not None:
                left -= _write(folder / member.path, member, left)
            else:
                _make_folders(folder / member.path)
    _make_links(folder, links)  # at last, so that nothing was written through one
    _settle(folder)


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    try:
        if archive.name.endswith(".zip"):
            with zipfile.ZipFile(archive) as opened:
                yield _of_zip(opened)
        else:
            with tarfile.open(archive, "r|gz") as streamed:
                yield _of_tar(streamed)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UnpackError(f"it is damaged ({error})") from None
    except (NotImplementedError, RuntimeError) as error:  # zipfile's: an unknown or locked member
        raise UnpackError(f"it cannot be unpacked ({error})") from None
    except FileExistsError as error:
        raise UnpackError(f"it holds {error.filename} twice") from None


def _of_tar(archive: tarfile.TarFile) -> Iterator[_Member]:
    for entry in archive:
        path = _inner(entry.name)
        if path is None:
            continue
        if entry.isdir():
            yield _Member(path)
        elif entry.issym():
            yield _Member(path, target=entry.linkname)
        elif entry.isreg() and not entry.issparse():
            yield _Member(path, bool(entry.mode & stat.S_IXUSR), archive.extractfile(entry))
        else:
            raise UnpackError(f"{entry.name!r} is neither file nor folder nor link")


def _of_zip(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for entry in archive.infolist():
        path = _inner(entry.filename)
        if path is None:
            continue
        mode = entry.external_attr >> 16
        if entry.is_dir():
            yield _Member(path)
        elif stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            raise UnpackError(f"{entry.filename!r} is neither file nor folder")
        else:
            with archive.open(entry) as content:
                yield _Member(path, bool(mode & stat.S_IXUSR), content)


def _inner(name: str) -> PurePosixPath | None:
    """Return a name below the archive's one folder, None for that folder; raises UnpackError."""
    path = PurePosixPath(name)
    bad = (
        path.is_absolute()
        or ".." in path.parts
        or any(character in name for character in "\\:\0")
        or path.parts[:1] != (releases.PROGRAM,)
    )
    if bad:
        raise UnpackError(f"{name!r} would lie outside of the folder {releases.PROGRAM}")
    return path.relative_to(releases.PROGRAM) if len(path.parts) > 1 else None


def _make_links(folder: Path, links: Mapping[PurePosixPath, str]) -> None:
    """Make links that stay within the folder; raises UnpackError."""
    for path, target in links.items():
        if not _leads_inside(path, links):
            raise UnpackError(f"the link {str(path)!r} leads outside, to {target!r}")
        _make_folders((folder / path).parent)
        (folder / path).symlink_to(target)


def _leads_inside(path: PurePosixPath, links: Mapping[PurePosixPath, str]) -> bool:
    """Tell whether a way stays within the folder, also by way of other links."""
    here = PurePosixPath()
    left = list(path.parts)
    followed = 0
    while left:
        part = left.pop(0)
        if part == "/" or (part == ".." and not here.parts):
            return False
        here = here.parent if part == ".." else here / part
        if here in links:
            followed += 1
            if followed > _MAX_LINKS:
                return False
            left = [*PurePosixPath(links[here]).parts, *left]
            here = here.parent
    return True


def _write(path: Path, member: _Member, left: int) -> int:
    """Write a file that is new, and return its size; raises UnpackError beyond what is left."""
    if member.content is None:
        raise UnpackError(f"{member.path} has no content")
    _make_folders(path.parent)
    written = 0
    with path.open("xb") as file:
        while piece := member.content.read(_PIECE_BYTES):
            written += len(piece)
            if written > left:
                raise UnpackError("it holds more than a program of ours would")
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o755 if member.is_program else 0o644)
    return written


def _make_folders(path: Path) -> None:
    path.mkdir(mode=0o755, parents=True, exist_ok=True)


def _settle(folder: Path) -> None:
    for parent, _, _ in os.walk(folder):
        private_files.sync_folder(Path(parent))
