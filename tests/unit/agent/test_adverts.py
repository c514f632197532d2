"""Adverts are addresses and claims, whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_agent.core import adverts
from forge_agent.core.adverts import Advert, ChoiceError
from forge_shared.joining import grouped

FP = bytes(range(32))
TWIN = FP[:8] + bytes(24)  # begins alike
OTHER = bytes(range(100, 132))


def txt(fingerprint: bytes | None = FP, **more: bytes | None) -> dict[bytes, bytes | None]:
    said: dict[bytes, bytes | None] = {b"v": b"1", b"tls": b"1", b"version": b"0.1.0"}
    if fingerprint is not None:
        said[b"fp"] = fingerprint.hex().encode()
    return said | {name.encode(): value for name, value in more.items()}


def advert(fingerprint: bytes | None = FP, address: str = "192.168.1.10") -> Advert:
    read = adverts.read("nas", [address], 8750, txt(fingerprint))
    assert read is not None
    return read


def test_an_advert_is_read_with_addresses_that_work_elsewhere_ipv4_first() -> None:
    addresses = ["fd00::1", "fe80::1", "127.0.0.1", "::", "224.0.0.1", "10.0.0.7", "junk"]
    read = adverts.read(f"nas.{adverts.SERVICE_TYPE}", addresses, 8750, txt())
    assert read == Advert(
        "nas", ("https://10.0.0.7:8750", "https://[fd00::1]:8750"), True, FP, "0.1.0"
    )


@pytest.mark.parametrize(
    ("addresses", "port", "said"),
    [
        ([], 8750, txt()),
        (["127.0.0.1"], 8750, txt()),
        (["10.0.0.7"], 0, txt()),
        (["10.0.0.7"], 8750, txt(v=b"2")),
        (["10.0.0.7"], 8750, {}),
    ],
)
def test_what_leads_nowhere_is_no_advert(
    addresses: list[str], port: int, said: dict[bytes, bytes | None]
) -> None:
    assert adverts.read("nas", addresses, port, said) is None


def test_without_tls_a_fingerprint_says_nothing() -> None:
    read = adverts.read("nas", ["10.0.0.7"], 8750, txt(tls=b"0"))
    assert read is not None
    assert (read.urls, read.fingerprint) == (("http://10.0.0.7:8750",), None)


@given(
    name=st.text(),
    addresses=st.lists(st.text() | st.ip_addresses().map(str), max_size=20),
    port=st.integers(-1, 70000),
    said=st.dictionaries(
        st.sampled_from([b"v", b"tls", b"fp", b"version", b"x"]), st.none() | st.binary()
    ),
)
def test_whatever_is_announced_can_be_shown_on_a_terminal(
    name: str, addresses: list[str], port: int, said: dict[bytes, bytes | None]
) -> None:
    read = adverts.read(name, addresses, port, {b"v": b"1", **said})
    if read is not None:
        shown = adverts.told([read])
        assert all(line.isprintable() for line in shown.split("\n"))
        assert len(shown) < 1000
        assert read.fingerprint is None or len(read.fingerprint) == 32


def test_the_list_shows_fingerprints_in_groups() -> None:
    shown = adverts.told([advert(), advert(None, "10.0.0.7")])
    assert grouped(FP) in shown
    assert "TLS with a public certificate" in shown


def test_the_only_collector_is_chosen_with_all_its_addresses() -> None:
    chosen = adverts.choose([advert(), advert(None, "10.0.0.7"), advert(address="10.0.0.8")], None)
    assert chosen.fingerprint == FP
    assert chosen.urls == ("https://192.168.1.10:8750", "https://10.0.0.8:8750")


def test_a_fingerprint_chooses_among_several() -> None:
    found = [advert(), advert(OTHER, "10.0.0.7")]
    assert adverts.choose(found, OTHER.hex()[:16]).fingerprint == OTHER


@pytest.mark.parametrize(
    ("found", "prefix", "said"),
    [
        ([], None, "No collector announces itself"),
        ([advert(), advert(OTHER)], None, "--fingerprint"),
        ([advert(None)], None, "whole join string"),
        ([advert()], OTHER.hex(), "No collector with this fingerprint"),
        ([advert(), advert(TWIN)], FP.hex()[:16], "all 64 digits"),
    ],
)
def test_what_is_not_clear_is_not_chosen(
    found: list[Advert], prefix: str | None, said: str
) -> None:
    with pytest.raises(ChoiceError, match=said):
        adverts.choose(found, prefix)


def test_a_fingerprint_may_be_typed_as_it_is_shown() -> None:
    assert adverts.prefix_of(grouped(FP).upper()) == FP.hex()
    assert adverts.prefix_of("0001:0203-0405 0607") == "0001020304050607"


@pytest.mark.parametrize("text", ["", "0001 0203", "xyz" * 10, "00" * 33, "\uff10" * 20])
def test_other_fingerprints_are_not_taken(text: str) -> None:
    with pytest.raises(ChoiceError):
        adverts.prefix_of(text)
