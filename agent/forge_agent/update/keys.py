"""Whose releases this agent takes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from forge_shared import signatures

# Put here by whoever builds the program; none is in the source.
BUILT_IN: Final = Path(__file__).with_name("release-keys.txt")


def trusted(further: Iterable[str], built_in: Path = BUILT_IN) -> tuple[str, ...]:
    """Return the keys that the program was built with, and the further ones; raises
    signatures.KeyTextError."""
    keys = (*_listed(built_in), *further)
    for key in keys:
        if not signatures.is_key(key):
            raise signatures.KeyTextError(f"{key[:64]!r} is no key: one is 44 characters of base64")
    return keys


def _listed(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
