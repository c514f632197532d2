"""scripts/build-agent: the agent as programs that need no Python."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from forge_shared import __version__, releases, signatures
from scripts.building import archives, plugin, program
from scripts.releasing import folder as described

_CHECKSUMS: Final = "SHA256SUMS"
# What is sent along, pasted and fetched over slow lines.
_MOST_BYTES: Final = 15 * 1_000_000

_Part = Callable[[Path, Path | None], list[Path]]


@click.command()
@click.option(
    "--out",
    default=program.ROOT / "dist",
    show_default="dist of the checkout",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the builds go.",
)
@click.option(
    "--release-keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public keys, one a line: whose releases the program takes.",
)
@click.option("--check-reproducible", is_flag=True, help="Build twice, and compare.")
@click.option("--prodplan", is_flag=True, help="Build the plugin prodplan, too (some minutes).")
def main(out: Path, release_keys: Path | None, *, check_reproducible: bool, prodplan: bool) -> None:
    """Build a single file to carry and to try, a folder for the service, the folder's archive,
    SHA256SUMS, and release.json, by which a collector hands them out."""
    if release_keys is not None:
        _check_keys(release_keys)
    parts: list[_Part] = [_build_agent, _build_prodplan] if prodplan else [_build_agent]
    with tempfile.TemporaryDirectory(prefix="forge-build-") as work:
        files = _build(Path(work) / "first", release_keys, parts)
        if check_reproducible:
            _compare(files, _build(Path(work) / "second", release_keys, parts))
        _put(files, out)
    described.describe(out, version=__version__, now_ms=int(time.time() * 1000))
    for path in files:
        here = out / path.name
        click.echo(f"{size_of(here) / 1e6:6.2f} MB  {here}")


def _build(work: Path, release_keys: Path | None, parts: list[_Part]) -> list[Path]:
    """Build everything below ``work``; return what is handed out, and the folders."""
    work.mkdir()
    files = [path for part in parts for path in part(work, release_keys)]
    sums = work / _CHECKSUMS
    archives.write_checksums([path for path in files if path.is_file()], sums)
    return [*files, sums]


def _build_agent(work: Path, release_keys: Path | None) -> list[Path]:
    _say(f"Building the agent {__version__} for {program.platform_name()} (half a minute)")
    built = program.build(work, release_keys)
    for each in (built.single, built.program):
        program.check_it_starts(each)
    size = built.single.stat().st_size
    if size > _MOST_BYTES:
        raise click.ClickException(
            f"{built.single.name} has {size / 1e6:.1f} MB, and {_MOST_BYTES / 1e6:.0f} MB is the"
            f" most: look what came in, with `pyi-archive_viewer -l`, and leave out what is not"
            f" needed in {program.SPEC.relative_to(program.ROOT)}"
        )
    needed = program.glibc_needed(built.folder)
    if needed is not None:
        _say(f"It runs where glibc is {needed} or newer")
    name = releases.file_name(__version__, program.platform_name(), releases.FOLDER)
    archive = work / name
    archives.pack(built.folder, archive, program.source_date())
    return [built.single, archive, built.folder]


def _build_prodplan(work: Path, _release_keys: Path | None) -> list[Path]:
    _say(f"Building the plugin {plugin.NAME} (some minutes)")
    folder = plugin.build(work)
    plugin.check_it_solves(folder)
    archive = work / plugin.archive_name()
    archives.pack(folder, archive, program.source_date())
    # Beside the single file, where the agent looks for plugins.
    beside = work / "plugins"
    beside.mkdir()
    shutil.move(folder, beside / plugin.NAME)
    return [archive, beside]


def _compare(first: list[Path], second: list[Path]) -> None:
    """Say what is the same; raises ClickException when something is not."""
    differ = []
    for one, other in zip(_leaves(first), _leaves(second), strict=True):
        if archives.sha256(one) != archives.sha256(other):
            differ.append(one.name)
    if differ:
        raise click.ClickException(f"two builds differ in: {', '.join(sorted(set(differ)))}")
    _say("Two builds are the same, byte for byte")


def _leaves(paths: list[Path]) -> list[Path]:
    """Return the files themselves, and those of the folders, in one order."""
    return [
        leaf
        for path in paths
        for leaf in ([path] if path.is_file() else sorted(path.rglob("*")))
        if leaf.is_file()
    ]


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of a folder: what several links lead to counts once."""
    found = [each.lstat() for each in _leaves([path])]
    return sum({(each.st_dev, each.st_ino): each.st_size for each in found}.values())


def _put(files: list[Path], out: Path) -> None:
    """Move the builds to where they are wanted, in place of earlier ones."""
    out.mkdir(parents=True, exist_ok=True)
    for path in files:
        target = out / path.name
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        shutil.move(path, target)


def _check_keys(path: Path) -> None:
    """Refuse a file that would make a program which takes no release."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys or not all(signatures.is_key(key) for key in keys):
        raise click.ClickException(
            f"{path} must hold public keys, one a line, as `scripts/release keygen` prints them"
        )


def _say(what: str) -> None:
    click.secho(f"→ {what}", err=True, dim=True)
