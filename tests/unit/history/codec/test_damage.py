"""Damaged bytes are found out, whatever happened to them, and in one way only."""

from __future__ import annotations

import random
import zlib

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_collector.history import codec
from forge_collector.history.buckets import Buckets
from forge_collector.history.codec import DamagedError, frame
from forge_collector.history.columns import Columns
from tests.unit.history.codec.some_columns import columns, of

STEP_MS = 600_000


def sealed_body() -> bytes:
    """A small body with streams of all kinds: holes, codes, extra bits, bits of doubles."""
    draw = random.Random(1)
    used = [float(draw.randrange(10**9)) for _ in range(40)]
    return codec.encode_columns(
        of(
            {
                "mem.used_bytes": used,
                "mem.available_bytes": [10**10 - number for number in used],
                "cpu.pct": [draw.choice([float("nan"), 0.1, 7.5]) for _ in range(40)],
                "new.thing": [draw.random() for _ in range(40)],
            }
        )
    )


BODY = sealed_body()


def test_every_single_flipped_bit_is_found_out() -> None:
    for bit in range(len(BODY) * 8):
        flipped = bytearray(BODY)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedError):
            codec.decode_columns(bytes(flipped))


def test_every_byte_put_to_any_other_value_is_found_out() -> None:
    draw = random.Random(2)
    for place in range(len(BODY)):
        for other in {0, 255, *draw.sample(range(256), 6)} - {BODY[place]}:
            changed = BODY[:place] + bytes([other]) + BODY[place + 1 :]
            with pytest.raises(DamagedError):
                codec.decode_columns(changed)


def test_every_truncation_is_found_out() -> None:
    for length in range(len(BODY)):
        with pytest.raises(DamagedError):
            codec.decode_columns(BODY[:length])


@settings(max_examples=200)
@given(more=st.binary(min_size=1, max_size=40))
def test_whatever_is_put_behind_is_found_out(more: bytes) -> None:
    with pytest.raises(DamagedError):
        codec.decode_columns(BODY + more)


@settings(max_examples=200)
@given(noise=st.binary(max_size=200))
def test_noise_is_no_chunk(noise: bytes) -> None:
    for body in (noise, bytes([frame.VERSION]) + noise):
        with pytest.raises(DamagedError):
            codec.decode_columns(body)
        with pytest.raises(DamagedError):
            codec.decode_buckets(body, STEP_MS)


@settings(max_examples=100, deadline=None)
@given(
    some=columns(most_rows=12), where=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255)
)
def test_a_changed_byte_of_any_chunk_is_found_out(some: Columns, where: float, mask: int) -> None:
    body = bytearray(codec.encode_columns(some, is_thorough=False))
    body[int(where * len(body))] ^= mask
    with pytest.raises(DamagedError):
        codec.decode_columns(bytes(body), lambda _: False)


def test_a_page_of_zeros_within_is_found_out() -> None:
    for first in range(0, len(BODY), 16):
        zeroed = BODY[:first] + bytes(16) + BODY[first + 16 :]
        with pytest.raises(DamagedError):
            codec.decode_columns(zeroed)


@pytest.mark.parametrize("version", [0, 2, 255])
def test_a_version_that_is_not_known_is_named(version: int) -> None:
    with pytest.raises(DamagedError, match=f"version {version} is not known here"):
        codec.decode_columns(bytes([version]) + BODY[1:])


def test_a_rollup_is_as_well_guarded() -> None:
    body = codec.encode_buckets(Buckets.of_samples(of({"cpu.pct": [1.0, 2.5, 3.0] * 100}), STEP_MS))
    for place in range(len(body)):
        with pytest.raises(DamagedError):
            codec.decode_buckets(
                body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :], STEP_MS
            )


def test_snapshots_are_no_buckets_and_buckets_no_snapshots() -> None:
    with pytest.raises(DamagedError, match="#snapshots"):
        codec.decode_buckets(BODY, STEP_MS)
    buckets = Buckets.of_samples(of({"cpu.pct": [1.0]}), STEP_MS)
    with pytest.raises(DamagedError, match="#seq"):
        codec.decode_columns(codec.encode_buckets(buckets))


# --- a checksum that holds, around what makes no sense -------------------------------------------


def forged(description: object, streams: bytes = b"") -> bytes:
    return frame.seal(msgspec.msgpack.encode(description), streams)


def field(  # noqa: PLR0917  what a description has, in its order
    name: str = "#ts",
    scale: tuple[int, int, int] = (0, 1, 1),
    start: int = 0,
    sources: tuple[int, ...] = (),
    weights: bytes = b"",
    sizes: tuple[int, int, int] = (0, 0, 0),
) -> list[object]:
    return [name, scale, True, start, sources, weights, sizes]


@pytest.mark.parametrize(
    "body",
    [
        forged(7),
        forged([]),
        forged([1]),
        forged([0, []]),
        forged([-1, []]),
        forged([10**12, []]),
        forged([2, [field(scale=(9, 1, 1))]]),
        forged([2, [field(scale=(1, 1, 1), start=10**6)]]),
        forged([2, [field(start=2**63)]]),
        forged([2, [field(sources=(0,), weights=bytes(8))]]),
        forged([2, [field(sources=(7,), weights=bytes(8))]]),
        forged([2, [field(sources=(-1,), weights=bytes(8))]]),
        forged([2, [field(weights=bytes(8))]]),
        forged([2, [field(weights=bytes(3))]]),
        forged([2, [field(sizes=(0, 4, 0))]]),
        forged([2, [field(sizes=(4, 0, 0))]]),
        forged([2, [field(sizes=(0, 4, 0))]], b"four"),
        forged([2, [field(sizes=(4, 0, 0))]], b"four"),
        frame.seal(b"\xc1", b""),
        frame.seal(b"", b""),
    ],
    ids=range(20),
)
def test_what_contradicts_itself_is_damaged_too(body: bytes) -> None:
    with pytest.raises(DamagedError):
        codec.decode_columns(body)


def test_a_description_that_is_no_zstd_is_damaged() -> None:
    rest = (4).to_bytes(4, "little") + b"four"
    body = bytes([frame.VERSION]) + zlib.crc32(rest).to_bytes(4, "little") + rest
    with pytest.raises(DamagedError, match="description cannot be read"):
        codec.decode_columns(body)


def test_a_sound_body_is_read_as_it_was_written() -> None:
    """What the tests above change is sound to begin with."""
    found = codec.decode_columns(BODY)
    assert (len(found), len(found.values)) == (40, 4)
    assert np.isnan(found.values["cpu.pct"]).any()
