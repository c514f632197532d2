"""Data folders of a bench: made, watched, and measured."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

_LOOK_EVERY_S: Final = 0.5


@contextmanager
def temporary(count: int) -> Iterator[list[Path]]:
    with tempfile.TemporaryDirectory(prefix="forge-bench-") as whole:
        found = [Path(whole) / str(number) for number in range(count)]
        for folder in found:
            folder.mkdir(mode=0o700)
        yield found


def size(folder: Path, name: str = "*") -> int:
    """Return the bytes of all files below, or of those of one name; one that goes away meanwhile
    counts nothing."""
    found = 0
    for path in folder.rglob(name):
        try:
            found += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return found


def wait_until_still(look: Callable[[], object], still_s: float, patience_s: float) -> None:
    """Wait until what is seen has not changed for a while."""
    seen, since = look(), time.monotonic()
    until = since + patience_s
    while time.monotonic() - since < still_s:
        if time.monotonic() > until:
            raise click.ClickException(f"waited {patience_s:g} s, and it still changes: {seen}")
        time.sleep(_LOOK_EVERY_S)
        if (now := look()) != seen:
            seen, since = now, time.monotonic()
