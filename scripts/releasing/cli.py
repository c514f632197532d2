"""The command line of scripts/release."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import click

from forge_shared import signatures
from scripts.releasing import folder as releases
from scripts.releasing.folder import ReleaseError

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_COMMENT: Final = "# The private key of Forge Fleet releases. Whoever has it can change agents."

_folder = click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))


@click.group()
def main() -> None:
    """Make keys, sign releases of the agent, and check them."""


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
def keygen(file: Path) -> None:
    """Make a pair of keys: the private one goes to FILE, the public one is printed.

    FILE is its owner's alone and must lie outside this checkout. Keep a copy where no collector
    and no agent can reach it.
    """
    if file.resolve().is_relative_to(_CHECKOUT):
        raise click.ClickException(
            f"{file} lies in the checkout, where it could be committed: choose another place."
        )
    pair = signatures.make_keys()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.ClickException(f"{file} is there already; a key is never replaced.") from None
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}.") from None
    with open(descriptor, "w", encoding="ascii") as key_file:  # noqa: PTH123  it owns the descriptor
        key_file.write(f"{_COMMENT}\n{pair.private}\n")
    click.echo(pair.public)


@main.command()
@click.option("--key", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--version", required=True, help="Such as 1.20.3.")
@_folder
def sign(key: Path, version: str, folder: Path) -> None:
    """Write release.json and release.json.sig for the files of a version in FOLDER."""
    try:
        release = releases.sign(
            folder,
            version=version,
            private_key=_private_key(key),
            now_ms=int(time.time() * 1000),
        )
    except (ReleaseError, signatures.KeyTextError) as error:
        raise click.ClickException(str(error)) from None
    for file in release.files:
        click.echo(f"{file.sha256}  {file.name}")
    for name in releases.others(folder, release):
        click.echo(f"not part of it: {name}", err=True)


@main.command()
@click.option("--key", "keys", required=True, multiple=True, help="A public key; may be repeated.")
@_folder
def verify(keys: tuple[str, ...], folder: Path) -> None:
    """Check the signature of a release and the hash of each of its files."""
    try:
        release = releases.verify(folder, list(keys))
    except (ReleaseError, signatures.KeyTextError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"✓ {release.version}, {len(release.files)} files")


def _private_key(file: Path) -> str:
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise click.ClickException(f"Others can read {file}: chmod 600 {file}")
    lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    return "".join(line for line in lines if not line.startswith("#"))
