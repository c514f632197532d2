"""What a machine must have for a job, as it is typed: ``os=linux,cores=4,memory=8GiB,tag=gpu``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from forge_shared.job_messages import Requirements
from forgectl import sizes

HELP: Final = "os=linux, cores=4, memory=8GiB, tag=gpu, node=ID, min-version=1.2"


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{text!r} is no whole number.")
    return int(text)


_FIELDS: Final[dict[str, tuple[str, Callable[[str], str | int]]]] = {
    "os": ("os", str.lower),
    "cores": ("cores", _whole),
    "memory": ("memory_bytes", sizes.read_bytes),
    "node": ("node", str),
    "min-version": ("min_version", str),
}


def read(texts: Iterable[str]) -> Requirements:
    """Return what several such texts ask for together; raises ValueError."""
    wanted: dict[str, str | int] = {}
    tags: list[str] = []
    for key, value in _pairs(texts):
        if key == "tag":
            tags.append(value)
        elif key in _FIELDS:
            field, read_value = _FIELDS[key]
            if field in wanted:
                raise ValueError(f"{key} is there twice; a job is for one machine.")
            wanted[field] = read_value(value)
        else:
            raise ValueError(f"{key!r} is none of {HELP}.")
    return Requirements(**wanted, tags=tags)  # type: ignore[arg-type]  # _FIELDS knows the types


def _pairs(texts: Iterable[str]) -> Iterable[tuple[str, str]]:
    for text in texts:
        for pair in text.split(","):
            key, equals, value = (part.strip() for part in pair.partition("="))
            if not (key and equals and value):
                raise ValueError(f"{pair!r} is none of {HELP}.")
            yield key.lower(), value
