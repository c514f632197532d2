"""Host and Origin: which requests are for this collector, and which writes come from its page."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from forge_collector.http.guard import Guard
from forge_collector.http.problems import ProblemError

NAMES = ("localhost", "nas", "nas.local", "Fleet.Example.org.", "*.wild.example")


def refusal(method: str = "GET", *, public_url: str | None = None, **headers: str) -> str | None:
    """Return the code the guard refuses the request with, or None."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        Guard(NAMES, public_url).check(make_mocked_request(method, "/", named))
    except ProblemError as problem:
        return problem.code
    return None


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8750", "LOCALHOST:8750", "localhost.", "localhost.:8750"),
        *("nas", "nas.local", "NAS.local:80", "fleet.example.org", "fleet.example.org.:443"),
        *("any.wild.example", "any.wild.example:8750"),
        *("127.0.0.1", "127.0.0.1:8750", "192.168.1.20", "10.0.0.1:80"),
        *("[::1]", "[::1]:8750", "[fe80::1]", "[2001:db8::1]:443", "::1"),
    ],
)
def test_our_own_names_and_addresses_are_welcome(host: str) -> None:
    assert refusal(Host=host) is None


@pytest.mark.parametrize(
    "host",
    [
        *("", ":", "evil.example", "evil.example:8750", "localhost.evil.example", "nas.evil"),
        *("evil-localhost", "127.0.0.1.evil.example", "127.0.0.1.nip.io", "[evil]", "[::1", "["),
        *("localhost:8750:1", "local host", "localhost/", "256.1.1.1", "0x7f.1", "*"),
        *("wild.example", "two.levels.wild.example", "any.wild.example.evil", "evil."),
        *("localhost..", "[::1]evil.example", "[::1]x:80", "a" * 5000),
    ],
)
def test_other_hosts_are_refused(host: str) -> None:
    assert refusal(Host=host) == "unknown_host"


def test_names_in_the_certificate_are_those_of_the_one_that_is_served() -> None:
    served = frozenset({"old.example", "*.of-old.example"})
    guard = Guard(NAMES, certified=lambda: served)

    def knows(host: str) -> bool:
        try:
            guard.check(make_mocked_request("GET", "/", {"Host": host}))
        except ProblemError:
            return False
        return True

    hosts = ("nas", "old.example", "any.of-old.example", "new.example")
    assert [knows(host) for host in hosts] == [True, True, True, False]
    served = frozenset({"new.example"})
    assert [knows(host) for host in hosts] == [True, False, False, True]


def test_the_refusal_names_the_setting() -> None:
    with pytest.raises(ProblemError, match="--allowed-host") as caught:
        Guard(NAMES).check(make_mocked_request("GET", "/", {"Host": "evil.example"}))
    assert "evil.example" in caught.value.detail
    assert caught.value.response().status == 421


COOKIE = "forge_session_8750=x"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "origin",
    [
        *(
            "http://evil.example",
            "http://localhost:9999",
            "http://localhost",
            "null",
            "",
            "http://[",
        ),
        *("localhost:8750", "http://localhost:8750.evil.example", "//", "http://x@localhost:8750"),
    ],
)
def test_a_write_from_elsewhere_is_refused(method: str, origin: str) -> None:
    headers = {"Host": "localhost:8750", "Origin": origin}
    assert refusal(method, **headers, Cookie=COOKIE) == "cross_origin"
    # Signing in has no cookie yet, and a foreign page must not sign anybody in.
    assert refusal(method, **headers) == "cross_origin"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8750", "http://localhost:8750"),
        ("LocalHost:8750", "http://localhost:8750"),
        ("nas.local", "https://nas.local"),
        ("[::1]:8750", "http://[::1]:8750"),
    ],
)
def test_a_write_from_the_page_itself_is_fine(method: str, host: str, origin: str) -> None:
    assert refusal(method, Host=host, Origin=origin, Cookie=COOKIE) is None


def test_a_write_with_a_cookie_needs_an_origin() -> None:
    assert refusal("POST", Host="localhost", Cookie=COOKIE) == "cross_origin"


def test_a_script_brings_no_cookie_and_needs_none() -> None:
    assert refusal("POST", Host="localhost") is None
    assert refusal("POST", Host="localhost", Authorization="Bearer x", Origin="http://evil") is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_needs_no_origin(method: str) -> None:
    assert refusal(method, Host="localhost", Cookie=COOKIE) is None


PUBLIC = "https://fleet.example.org"


@pytest.mark.parametrize(
    ("host", "origin", "code"),
    [
        ("fleet.example.org", PUBLIC, None),
        # A proxy that does not keep Host.
        ("127.0.0.1:8750", PUBLIC, None),
        ("127.0.0.1:8750", "http://127.0.0.1:8750", None),
        # The same name without TLS is whoever answers there.
        ("fleet.example.org", "http://fleet.example.org", "cross_origin"),
        ("fleet.example.org", "https://fleet.example.org:8443", "cross_origin"),
        ("fleet.example.org", "https://fleet.example.org.evil.example", "cross_origin"),
        ("127.0.0.1:8750", "https://other.example.org", "cross_origin"),
    ],
)
def test_the_page_at_the_public_url_is_ours(host: str, origin: str, code: str | None) -> None:
    headers = {"Host": host, "Origin": origin, "Cookie": COOKIE}
    assert refusal("POST", public_url=PUBLIC, **headers) == code
