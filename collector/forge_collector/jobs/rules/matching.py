"""Which worker may take which job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from forge_shared import codec
from forge_shared.job_messages import (
    MOST_MEMORY_BYTES,
    USUAL_SLOTS,
    Requirements,
    ResourceClass,
)

Version = tuple[int, ...]

ANY_MACHINE: Final = "{}"  # requirements as they are kept, when there are none
_GIB: Final = 1024**3
_MEMORY_STEPS: Final = 16  # between a size and twice that


class Machine(NamedTuple):
    """What requirements are held to. ``os``: linux, windows, darwin …"""

    node_id: str
    os: str = ""
    cores: int = 0
    memory_bytes: int = 0
    tags: frozenset[str] = frozenset()


class Needs(NamedTuple):
    """What a job needs of whoever takes it. Jobs with the same needs share a lane."""

    type: str
    resource_class: ResourceClass
    requires: Requirements


class Offer(NamedTuple):
    """What a worker would take: job types with the plugin's version, where it told one, and how
    many jobs of each class."""

    machine: Machine
    types: Mapping[str, Version | None]
    slots: Mapping[ResourceClass, int]


class Limits(NamedTuple):
    """How many jobs of a class may run at once: on each worker, and in the fleet. A class that is
    not named has no limit."""

    worker: Mapping[ResourceClass, int]
    fleet: Mapping[ResourceClass, int]


USUAL_LIMITS: Final = Limits(USUAL_SLOTS, {ResourceClass.LLM: 1})


def offered(types: Iterable[str]) -> dict[str, Version | None]:
    """Return the types, each a name and perhaps a version behind ``@``; of one that is named
    twice, the newest version."""
    found: dict[str, Version | None] = {}
    for one in types:
        name, _, text = one.partition("@")
        told = version(text) if text else None
        known = found.get(name)
        found[name] = told if known is None or (told is not None and told > known) else known
    return found


def version(text: str) -> Version:
    """Return a version so that versions compare; ``1.4`` and ``1.4.0`` are the same."""
    numbers = [int(number) for number in text.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def requirements_text(requires: Requirements) -> str:
    """Return the one text that all requirements alike have."""
    tags = sorted(set(requires.tags))
    os = requires.os.lower() if requires.os is not None else None
    return codec.encode(
        Requirements(
            os=os,
            cores=requires.cores,
            memory_bytes=_stepped(requires.memory_bytes),
            tags=tags,
            node=requires.node,
            min_version=requires.min_version,
        )
    ).decode()


def _stepped(memory_bytes: int | None) -> int | None:
    """Return the next larger size of sixteen an octave: jobs that each name what they need to the
    byte would stand in a lane each, and a claim looks at all lanes that fit."""
    if memory_bytes is None:
        return None
    step = max(1, (1 << (memory_bytes - 1).bit_length()) // (2 * _MEMORY_STEPS))
    return min(-(-memory_bytes // step) * step, MOST_MEMORY_BYTES)


@lru_cache(maxsize=1024)
def requirements(text: str) -> Requirements:
    """Return what ``requirements_text`` made a text of. Nobody may change it."""
    return codec.decode(text.encode(), Requirements)


def fits(needs: Needs, offer: Offer) -> bool:
    """Tell whether a worker would take such a job now."""
    return offer.slots.get(needs.resource_class, 0) > 0 and misfit(needs, offer) is None


def misfit(needs: Needs, offer: Offer) -> str | None:
    """Return why a worker cannot take such a job however free it is, None if it can."""
    if needs.type not in offer.types:
        return f"does not offer {needs.type}"
    requires = needs.requires
    if requires.min_version is not None:
        told = offer.types[needs.type]
        if told is None or told < version(requires.min_version):
            return f"has no {needs.type} {requires.min_version} or later"
    return _machine_misfit(requires, offer.machine)


def _machine_misfit(requires: Requirements, machine: Machine) -> str | None:
    if requires.node is not None and requires.node != machine.node_id:
        return f"is not {requires.node}"
    if requires.os is not None and requires.os.lower() != machine.os.lower():
        return f"does not run {requires.os}"
    if requires.cores is not None and requires.cores > machine.cores:
        return f"has {machine.cores} cores, not {requires.cores}"
    if requires.memory_bytes is not None and requires.memory_bytes > machine.memory_bytes:
        return (
            f"has {machine.memory_bytes / _GIB:.1f} GiB of memory, not "
            f"{requires.memory_bytes / _GIB:.1f}"
        )
    missing = [tag for tag in requires.tags if tag not in machine.tags]
    return f"lacks the tag {missing[0]}" if missing else None
