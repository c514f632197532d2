"""The address that is told to others, and whether a caller came by https."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from forge_collector.http.reach import Reach


def reach(public_url: str | None = None, lan_host: str = "192.168.1.10") -> Reach:
    return Reach(public_url, "https", lambda: lan_host, 8750, None)


@pytest.mark.parametrize(
    ("used", "told"),
    [
        ("nas.local:8750", "https://nas.local:8750"),
        ("10.1.2.3:8750", "https://10.1.2.3:8750"),
        ("[fd00::2]:8750", "https://[fd00::2]:8750"),
        ("localhost:8750", "https://192.168.1.10:8750"),
        ("127.0.0.1:8750", "https://192.168.1.10:8750"),
        ("[::1]:8750", "https://192.168.1.10:8750"),
        ("0.0.0.0:8750", "https://192.168.1.10:8750"),
        ("[::]:8750", "https://192.168.1.10:8750"),
        ("[fe80::1]:8750", "https://192.168.1.10:8750"),
    ],
)
def test_what_worked_is_told_unless_it_works_here_alone(used: str, told: str) -> None:
    assert reach().url_for(used) == told


def test_an_address_of_ipv6_is_bracketed() -> None:
    assert reach(lan_host="fd00::2").url_for("localhost") == "https://[fd00::2]:8750"


def test_what_the_owner_said_goes_first() -> None:
    assert reach("https://fleet.example.org").url_for("10.1.2.3:8750") == (
        "https://fleet.example.org"
    )


@pytest.mark.parametrize(
    ("public_url", "headers", "over_tls"),
    [
        (None, {"Host": "fleet.example.org"}, False),
        ("https://fleet.example.org", {"Host": "fleet.example.org"}, True),
        ("https://fleet.example.org", {"Host": "Fleet.Example.org"}, True),
        # A proxy that does not keep Host: the browser itself says where it is.
        (
            "https://fleet.example.org",
            {"Host": "127.0.0.1:8750", "Origin": "https://fleet.example.org"},
            True,
        ),
        # Past the proxy, on the network: a Secure cookie would be thrown away.
        ("https://fleet.example.org", {"Host": "192.168.1.10:8750"}, False),
        (
            "https://fleet.example.org",
            {"Host": "192.168.1.10:8750", "Origin": "http://192.168.1.10:8750"},
            False,
        ),
        ("http://fleet.example.org", {"Host": "fleet.example.org"}, False),
    ],
)
def test_a_caller_by_the_owners_https_proxy_came_by_https(
    public_url: str | None, headers: dict[str, str], over_tls: bool
) -> None:
    request = make_mocked_request("POST", "/api/login", headers)
    assert reach(public_url).is_over_tls(request) is over_tls
