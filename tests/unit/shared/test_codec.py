"""Whatever bytes arrive, the codec returns a message or says what is wrong with them."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_shared import codec, metrics
from forge_shared.codec import InvalidError, MalformedError
from forge_shared.messages import EARLIEST_MS, LATEST_MS, MAX_SEQ, Snapshot

BOOT = "0190b8a4-7a5f-4c3e-9d21-5e0b6a7c8d90"
GOOD: dict[str, Any] = {"seq": 0, "boot_id": BOOT, "ts": EARLIEST_MS, "values": {"cpu.pct": 1.5}}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


def encoded(**changes: object) -> bytes:
    return msgspec.json.encode({**GOOD, **changes})


def with_value(literal: str, key: str = "cpu.pct") -> bytes:
    """Return a snapshot whose one value stands as this text in the JSON."""
    return encoded(values={key: 0}).replace(f'"{key}":0'.encode(), f'"{key}":{literal}'.encode())


def outcome(body: bytes) -> Snapshot | MalformedError | InvalidError:
    """Return what the codec made of it, be it an error; anything else it raises fails the test."""
    try:
        return codec.decode_snapshot(body)
    except (MalformedError, InvalidError) as error:
        return error


def refused(body: bytes) -> InvalidError:
    with pytest.raises(InvalidError) as caught:
        codec.decode_snapshot(body)
    return caught.value


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_snapshot_or_an_error_of_the_codec(body: bytes) -> None:
    assert isinstance(outcome(body), Snapshot | MalformedError | InvalidError)


@settings(max_examples=300, deadline=None)
@given(json_values, st.sampled_from(["seq", "boot_id", "ts", "values", "host"]))
def test_any_json_in_any_field_is_taken_or_named(value: object, field: str) -> None:
    found = outcome(encoded(**{field: value}))
    if isinstance(found, Snapshot):
        assert codec.decode(codec.encode(found), Snapshot) == found
    else:
        assert isinstance(found, InvalidError)
        assert found.field.startswith(field), (found.field, found.reason)
        assert found.code in {"invalid", "bad_metric_key", "out_of_bounds"}


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values, max_size=5))
def test_any_values_are_taken_or_refused_by_key(values: dict[str, object]) -> None:
    found = outcome(encoded(values=values))
    if isinstance(found, Snapshot):
        assert found.values == values
        assert all(math.isfinite(value) for value in found.values.values())
    else:
        assert isinstance(found, InvalidError)
        assert found.field.startswith("values")


@settings(max_examples=200, deadline=None)
@given(st.integers() | st.floats())
def test_a_number_is_kept_exactly_or_refused(number: float) -> None:
    found = outcome(with_value(repr(number)))
    assert isinstance(found, Snapshot) == (abs(number) < 0.1 * 2**53)
    if isinstance(found, Snapshot):
        assert found.values["cpu.pct"] == number


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "nan", "1.", ".5", "0x10"])
def test_what_is_no_json_number_is_malformed(literal: str) -> None:
    with pytest.raises(MalformedError) as caught:
        codec.decode_snapshot(with_value(literal))
    assert caught.value.code == "malformed_json"


@pytest.mark.parametrize("literal", ["1e400", "-1e400", "9" * 400, "1e308", str(2**70)])
def test_a_huge_number_is_refused_by_its_key(literal: str) -> None:
    with pytest.raises((InvalidError, MalformedError)) as caught:
        codec.decode_snapshot(with_value(literal))
    assert isinstance(caught.value, InvalidError)
    assert caught.value.field.startswith("values")


@pytest.mark.parametrize("literal", ["true", "false", "null", '"3"', "[1]", "{}"])
def test_what_is_no_number_is_refused(literal: str) -> None:
    assert refused(with_value(literal)).field == "values.cpu.pct"


@pytest.mark.parametrize("key", ["cpu.pct", "mem.used_bytes", "new.metric", "disk.pct//"])
def test_values_are_bounded_by_their_resolution(key: str) -> None:
    bound = metrics.resolution(key) * 2**53
    inside = math.nextafter(bound, 0)
    assert codec.decode_snapshot(with_value(repr(inside), key)).values == {key: inside}
    assert codec.decode_snapshot(with_value(repr(-inside), key)).values == {key: -inside}
    for outside in (bound, -bound):
        error = refused(with_value(repr(outside), key))
        assert (error.code, error.field) == ("out_of_bounds", f"values.{key}")


def test_1024_values_are_taken_and_one_more_is_not() -> None:
    most = {f"cpu.core_pct/{core}": 1.0 for core in range(1024)}
    assert len(codec.decode_snapshot(encoded(values=most)).values) == 1024
    error = refused(encoded(values={**most, "cpu.pct": 1.0}))
    assert (error.code, error.field) == ("too_many_values", "values")
    assert "1025" in error.reason


def test_no_values_at_all_are_fine() -> None:
    assert codec.decode_snapshot(encoded(values={})).values == {}


@pytest.mark.parametrize(
    "key",
    [
        *("", "/", "CPU", "cpu.", ".pct", "cpu..pct", "cpu pct", "9cpu", "cpu-pct"),
        *("cpu/", "cpu.pct\n", "cpu/\x00", "cpu/a\nb", "cpu/\x85", "cpu/\u2028", "a" * 193, "ä"),
    ],
)
def test_a_malformed_key_is_refused(key: str) -> None:
    error = refused(encoded(values={key: 1}))
    assert error.code == "bad_metric_key"
    assert error.field.startswith("values.")
    assert len(error.field) < 300


@pytest.mark.parametrize(
    "key", ["a", "disk.pct//home", "temp.celsius/Core 0 °", "a/b/c", "x" * 192]
)
def test_a_well_formed_key_is_taken(key: str) -> None:
    assert codec.decode_snapshot(encoded(values={key: 1})).values == {key: 1}


@pytest.mark.parametrize("ts", [EARLIEST_MS, LATEST_MS])
def test_ts_reaches_from_2000_to_2100(ts: int) -> None:
    assert codec.decode_snapshot(encoded(ts=ts)).ts == ts


@pytest.mark.parametrize(
    "ts", [EARLIEST_MS - 1, LATEST_MS + 1, 0, -1, 2**63, 2**64, 1.5, "1", None]
)
def test_a_ts_beyond_them_is_refused(ts: object) -> None:
    assert refused(encoded(ts=ts)).field == "ts"


@pytest.mark.parametrize("seq", [0, MAX_SEQ])
def test_seq_fits_a_double(seq: int) -> None:
    assert codec.decode_snapshot(encoded(seq=seq)).seq == seq


@pytest.mark.parametrize("seq", [-1, MAX_SEQ + 1, 2**80, True, "0", 0.5])
def test_a_seq_beyond_it_is_refused(seq: object) -> None:
    # orjson-like encoders refuse integers beyond 64 bits; JSON itself does not.
    body = encoded(seq=0).replace(b'"seq":0', b'"seq":%b' % _literal(seq))
    assert refused(body).field == "seq"


@pytest.mark.parametrize(
    "boot_id",
    ["", "x", BOOT.upper(), BOOT + "\n", BOOT[:-1], "{" + BOOT + "}", BOOT.replace("-", "")],
)
def test_a_boot_id_is_a_lower_case_uuid(boot_id: str) -> None:
    assert refused(encoded(boot_id=boot_id)).field == "boot_id"


@pytest.mark.parametrize("field", ["seq", "boot_id", "ts", "values"])
def test_a_missing_field_is_named(field: str) -> None:
    body = msgspec.json.encode({key: value for key, value in GOOD.items() if key != field})
    error = refused(body)
    assert (error.field, error.reason) == (field, "is missing")


def test_an_unknown_field_is_a_newer_agents_and_ignored() -> None:
    assert codec.decode_snapshot(encoded(mood="fine")).seq == 0


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"values":{"a":', b'{"host":{"os":['])
def test_deep_nesting_is_malformed_not_a_crash(opening: bytes) -> None:
    with pytest.raises((MalformedError, InvalidError)):
        codec.decode_snapshot(opening * 200_000)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"{", b"\xff", b"\xef\xbb\xbf{}", encoded() + b"{}"),
        encoded(boot_id="?").replace(b"?", b"\xff"),
        encoded(values={"?": 1}).replace(b"?", b"\xff"),
    ],
)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        codec.decode_snapshot(body)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([b"", b" ", b"\t\r", b"1", b" {} ", b"[\x0b]"]), max_size=12))
def test_lines_are_numbered_as_an_editor_numbers_them(parts: list[bytes]) -> None:
    expected = [(number, part.lstrip()) for number, part in enumerate(parts, 1) if part.strip()]
    assert list(codec.lines(b"\n".join(parts))) == expected
    assert list(codec.lines(b"\n".join([*parts, b""]))) == expected


def _literal(value: object) -> bytes:
    return str(value).encode() if type(value) is int else msgspec.json.encode(value)
