"""What serve was told about how it is reached: what goes together, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge_collector import listening
from forge_collector.config import CertificateFiles, ConfigError
from forge_collector.listening import Place

FILE = Path("/etc/forge/file.pem")


def test_a_certificate_and_its_key_go_together() -> None:
    assert listening.certificate_files(None, FILE, FILE) == CertificateFiles(FILE, FILE)
    assert listening.certificate_files("auto", None, None) is None
    for certificate, key in [(FILE, None), (None, FILE)]:
        with pytest.raises(ConfigError, match="go together"):
            listening.certificate_files(None, certificate, key)
    for tls in ("auto", "off"):
        with pytest.raises(ConfigError, match="contradict"):
            listening.certificate_files(tls, FILE, FILE)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Fleet.Example.org", "https://fleet.example.org"),
        ("https://fleet.example.org/", "https://fleet.example.org"),
        ("https://fleet.example.org:443", "https://fleet.example.org"),
        ("https://fleet.example.org:8443", "https://fleet.example.org:8443"),
        ("HTTP://10.0.0.1:80", "http://10.0.0.1"),
        ("http://[FD00::2]:8750", "http://[fd00::2]:8750"),
    ],
)
def test_a_public_url_becomes_an_origin(text: str, origin: str) -> None:
    assert listening.public_url(text, with_tls=False) == origin


@pytest.mark.parametrize(
    "text",
    [
        *("", "fleet.example.org", "ftp://fleet", "https://", "https://:443", "https://a:0"),
        *("https://a:99999", "https://[::1", "https://a/path", "https://a?q", "https://a#f"),
        *("https://user@a", "https://a b", "https://bücher.example", "//a"),
    ],
)
def test_what_is_no_usable_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--public-url"):
        listening.public_url(text, with_tls=False)


def test_a_collector_that_speaks_tls_has_no_http_address() -> None:
    with pytest.raises(ConfigError, match="https://"):
        listening.public_url("http://fleet.example.org", with_tls=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_no_leave(host: str) -> None:
    listening.check_plaintext(host, None, with_tls=False, allow_plaintext=False)
    listening.check_plaintext(host, "https://a.example", with_tls=False, allow_plaintext=False)


def test_plaintext_beyond_loopback_does_and_tls_is_named_first() -> None:
    with pytest.raises(ConfigError) as caught:
        listening.check_plaintext("192.0.2.7", None, with_tls=False, allow_plaintext=False)
    said = str(caught.value)
    assert said.index("--tls auto") < said.index("--allow-plaintext")
    listening.check_plaintext("192.0.2.7", None, with_tls=True, allow_plaintext=False)
    listening.check_plaintext("192.0.2.7", None, with_tls=False, allow_plaintext=True)


def test_so_does_a_proxy_that_speaks_plain_http() -> None:
    url = "http://fleet.example.org"
    with pytest.raises(ConfigError, match="--allow-plaintext"):
        listening.check_plaintext("127.0.0.1", url, with_tls=False, allow_plaintext=False)
    listening.check_plaintext("127.0.0.1", url, with_tls=False, allow_plaintext=True)


def test_nobody_hears_of_a_collector_that_only_this_machine_reaches() -> None:
    with pytest.raises(ConfigError, match="--announce"):
        listening.check_announcing("127.0.0.1", announce=True)
    for announce in (None, False):
        listening.check_announcing("127.0.0.1", announce=announce)
    listening.check_announcing("0.0.0.0", announce=True)  # noqa: S104  nothing is bound


def test_a_place_on_one_address_is_that_for_everybody() -> None:
    one = Place("192.0.2.7", "192.0.2.7")
    assert (one.host_here, one.host_for_others()) == ("192.0.2.7", "192.0.2.7")
    assert one.addresses_for_others() == {"192.0.2.7"}


def test_a_place_on_loopback_is_for_nobody_else() -> None:
    loopback = Place("localhost", "127.0.0.1")
    assert (loopback.host_here, loopback.host_for_others()) == ("localhost", "localhost")
    assert loopback.addresses_for_others() == frozenset()


def test_a_place_on_all_addresses_is_at_each_of_its_kind() -> None:
    assert Place("0.0.0.0", "0.0.0.0").host_here == "127.0.0.1"  # noqa: S104
    assert Place("::", "::").host_here == "::1"
    found = Place("0.0.0.0", "0.0.0.0").addresses_for_others()  # noqa: S104
    assert not {address for address in found if ":" in address or address.startswith("127.")}
