"""Which worker may take which job, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_collector.jobs import rules
from forge_collector.jobs.rules import Machine, Needs, Offer
from forge_shared.job_messages import MOST_MEMORY_BYTES, Requirements, ResourceClass

CPU, IO = ResourceClass.CPU, ResourceClass.IO
GIB = 1024**3
MACHINE = Machine("pc", "linux", 8, 16 * GIB, frozenset({"office", "gpu"}))
OFFER = Offer(MACHINE, rules.offered(["plan@1.4", "echo"]), {CPU: 1, IO: 0})


@pytest.mark.parametrize(
    ("requires", "misfit"),
    [
        (Requirements(), None),
        (Requirements(os="linux"), None),
        (Requirements(os="Linux"), None),
        (Requirements(os="windows"), "does not run windows"),
        (Requirements(cores=8), None),
        (Requirements(cores=9), "has 8 cores, not 9"),
        (Requirements(memory_bytes=16 * GIB), None),
        (Requirements(memory_bytes=24 * GIB), "has 16.0 GiB of memory, not 24.0"),
        (Requirements(tags=["gpu"]), None),
        (Requirements(tags=["gpu", "fast"]), "lacks the tag fast"),
        (Requirements(node="pc"), None),
        (Requirements(node="nas"), "is not nas"),
        (Requirements(min_version="1.4"), None),
        (Requirements(min_version="1.4.0"), None),
        (Requirements(min_version="1.10"), "has no plan 1.10 or later"),
        (Requirements(min_version="1.4.1"), "has no plan 1.4.1 or later"),
    ],
)
def test_requirements(requires: Requirements, misfit: str | None) -> None:
    needs = Needs("plan", CPU, requires)
    assert rules.misfit(needs, OFFER) == misfit
    assert rules.fits(needs, OFFER) == (misfit is None)


def test_a_type_that_is_not_offered() -> None:
    assert rules.misfit(Needs("chat", CPU, Requirements()), OFFER) == "does not offer chat"


def test_a_version_that_is_not_told_is_none() -> None:
    assert not rules.fits(Needs("echo", CPU, Requirements(min_version="0")), OFFER)


@pytest.mark.parametrize("resource_class", [IO, ResourceClass.LLM])
def test_no_slot_is_no_fit(resource_class: ResourceClass) -> None:
    needs = Needs("echo", resource_class, Requirements())
    assert rules.misfit(needs, OFFER) is None
    assert not rules.fits(needs, OFFER)


def test_nothing_is_known_of_a_machine() -> None:
    offer = OFFER._replace(machine=Machine("new"))
    assert rules.fits(Needs("plan", CPU, Requirements()), offer)
    assert not rules.fits(Needs("plan", CPU, Requirements(cores=1)), offer)


@pytest.mark.parametrize(
    ("types", "offered"),
    [
        ([], {}),
        (["plan"], {"plan": None}),
        (["plan@1.4.0", "echo"], {"plan": (1, 4), "echo": None}),
        (["plan@1.9", "plan@1.10", "plan@1.2"], {"plan": (1, 10)}),
        (["plan", "plan@1"], {"plan": (1,)}),
        (["plan@1", "plan"], {"plan": (1,)}),
        (["plan@0"], {"plan": (0,)}),
    ],
)
def test_what_a_worker_offers(types: list[str], offered: dict[str, tuple[int, ...] | None]) -> None:
    assert rules.offered(types) == offered


def test_needs_alike_are_one_text() -> None:
    alike = [
        Requirements(os="Linux", tags=["b", "a", "b"]),
        Requirements(os="linux", tags=["a", "b"]),
    ]
    assert len({rules.requirements_text(one) for one in alike}) == 1
    assert rules.requirements_text(Requirements()) == rules.ANY_MACHINE
    text = rules.requirements_text(Requirements(node="pc", min_version="1.0", cores=2))
    assert rules.requirements_text(rules.requirements(text)) == text


@given(st.integers(1, MOST_MEMORY_BYTES))
def test_memory_is_rounded_up_a_little_so_that_lanes_stay_few(memory_bytes: int) -> None:
    kept = _memory_kept(memory_bytes)
    assert memory_bytes <= kept <= memory_bytes * 17 / 16
    assert _memory_kept(kept) == kept
    assert (
        kept.bit_length() <= 5
        or kept % (1 << (kept.bit_length() - 5)) == 0
        or (kept == MOST_MEMORY_BYTES)
    )


def test_sizes_that_people_name_stay_as_they_are() -> None:
    for gib in (1, 1.5, 2, 4, 6, 8, 12, 15.5, 16, 24, 32, 48, 64, 96, 128, 192, 256):
        assert _memory_kept(int(gib * GIB)) == int(gib * GIB)


def _memory_kept(memory_bytes: int) -> int:
    text = rules.requirements_text(Requirements(memory_bytes=memory_bytes))
    kept = rules.requirements(text).memory_bytes
    assert kept is not None
    return kept


@pytest.mark.parametrize(
    ("earlier", "later", "is_overtaken"),
    [
        ((0, 0), (1, 0), False),
        ((0, 0), (599_999, 10), True),
        ((0, 0), (600_001, 10), False),
        ((0, -100), (0, 100), True),
        ((0, -100), (12_000_001, 100), False),
    ],
)
def test_ageing(earlier: tuple[int, int], later: tuple[int, int], is_overtaken: bool) -> None:
    assert (rules.rank(*later) < rules.rank(*earlier)) == is_overtaken
