"""A release as a folder: what is in it, put down and signed, and checked again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from forge_shared import codec, releases, signatures
from forge_shared.messages import Release, ReleaseFile


class ReleaseError(Exception):
    """The folder is no release that could be signed or trusted; the message says why."""


def describe(folder: Path, *, version: str, now_ms: int) -> Release:
    """Write down what the folder holds of this version, unsigned: a collector then hands it out to
    machines that join, and agents that are there take no notice. Raises ReleaseError."""
    if releases.version_key(version) is None:
        raise ReleaseError(f"{version!r} is no version: one looks like 1.20.3.")
    release = Release(version, now_ms, _files_of(folder, version))
    if not release.files:
        example = releases.file_name(version, "linux-x86_64", releases.FOLDER)
        raise ReleaseError(f"{folder} holds no file of version {version}, such as {example}.")
    # An older signature would be of another description.
    (folder / releases.SIGNATURE).unlink(missing_ok=True)
    (folder / releases.MANIFEST).write_bytes(codec.encode(release))
    return release


def sign(folder: Path, *, version: str, private_key: str, now_ms: int) -> Release:
    """Write down what the folder holds of this version, and sign it; raises ReleaseError."""
    release = describe(folder, version=version, now_ms=now_ms)
    signature = signatures.sign(codec.encode(release), private_key)
    (folder / releases.SIGNATURE).write_bytes(signature)
    return release


def verify(folder: Path, public_keys: list[str]) -> Release:
    """Check the signature and every file, as agents will; raises ReleaseError."""
    try:
        manifest = (folder / releases.MANIFEST).read_bytes()
        signature = (folder / releases.SIGNATURE).read_bytes()
    except OSError as error:
        raise ReleaseError(f"{error.filename}: {error.strerror}. Sign the folder first.") from None
    if not signatures.is_signed(manifest, signature, public_keys):
        raise ReleaseError(f"{folder / releases.MANIFEST} is not signed with this key.")
    release = codec.decode(manifest, Release)
    for listed in release.files:
        path = folder / listed.name
        if not path.is_file() or _described(path) != listed:
            raise ReleaseError(f"{path} is not the file that was signed: build and sign again.")
    return release


def others(folder: Path, release: Release) -> list[str]:
    """Return what lies in the folder and is no part of the release."""
    known = {file.name for file in release.files} | {releases.MANIFEST, releases.SIGNATURE}
    return sorted(path.name for path in folder.iterdir() if path.name not in known)


def _files_of(folder: Path, version: str) -> list[ReleaseFile]:
    return [
        _described(path)
        for path in sorted(folder.iterdir())
        if path.is_file()
        and (named := releases.named(path.name)) is not None
        and named.version == version
    ]


def _described(path: Path) -> ReleaseFile:
    named = releases.named(path.name)
    if named is None:
        raise ReleaseError(f"{path} has no name of a release's file.")
    size = path.stat().st_size
    if not 0 < size <= releases.MAX_FILE_BYTES:
        raise ReleaseError(f"{path} holds {size:,} bytes; agents take no such file.")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ReleaseFile(path.name, named.platform, named.kind, size, digest)
