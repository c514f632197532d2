"""Archives that are the same, byte for byte, whenever and by whomever they are made."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_LEVEL: Final = 9
_PROGRAM_MODE: Final = 0o755
_DATA_MODE: Final = 0o644


def pack(folder: Path, archive: Path, moment: int) -> None:
    """Pack a folder, itself at the top, into a .zip or a .tar.gz by the archive's name.

    ``moment``: what all files tell as theirs, in Unix s. Owners are root, and of the modes only
    what can be run is kept.
    """
    if archive.suffix == ".zip":
        _zip(folder, archive, moment)
    else:
        _tar(folder, archive, moment)


def write_checksums(files: Iterable[Path], path: Path) -> None:
    """Write what `sha256sum --check` reads."""
    lines = (f"{sha256(file)}  {file.name}\n" for file in sorted(files))
    path.write_bytes("".join(lines).encode())


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tar(folder: Path, archive: Path, moment: int) -> None:
    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = moment
        member.mode = _PROGRAM_MODE if member.isdir() or member.mode & 0o100 else _DATA_MODE
        return member

    with (
        archive.open("wb") as raw,
        # Without a name and a time of its own.
        gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in [folder, *sorted(folder.rglob("*"))]:
            tar.add(path, str(path.relative_to(folder.parent)), recursive=False, filter=plain)


def _zip(folder: Path, archive: Path, moment: int) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder.parent).as_posix()
            member = zipfile.ZipInfo(name, time.gmtime(moment)[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # Unix, on Windows as well: one answer for all
            member.external_attr = _DATA_MODE << 16
            packed.writestr(member, path.read_bytes())
