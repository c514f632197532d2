"""A login link names the collector by an address that the browser it is for can reach."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.network.hosts import Host, two_hosts
from tests.process import ADMIN_SECRET, CollectorProcess, environment, running_collector

EVERYWHERE = ("--host", "0.0.0.0", "--tls", "auto")  # noqa: S104  of its own network alone


def forgectl(host: Host, home: Path, url: str, ca_file: Path, *arguments: str) -> str:
    settings = environment(
        FORGE_URL=url,
        FORGE_TOKEN=ADMIN_SECRET,
        FORGE_CA_FILE=str(ca_file),
        HOME=str(home),
        XDG_CONFIG_HOME=str(home),
    )
    named = (f"{name}={value}" for name, value in settings.items())
    return host.run("env", *named, sys.executable, "-m", "forgectl", *arguments)


def test_asked_for_by_loopback_it_leads_other_machines_to_the_collector(tmp_path: Path) -> None:
    with (
        two_hosts() as (here, there),
        running_collector(tmp_path / "data", *EVERYWHERE, prefix=there.prefix) as collector,
    ):
        ca_file = tmp_path / "data" / "tls" / "ca.pem"
        link = forgectl(there, tmp_path, collector.url, ca_file, "login-link").strip()
        url, _, code = link.partition("/#/login/")
        assert url == f"https://{there.address}:{collector.port}"
        assert code
        # There the other machine gets through to it: the name is welcome and in the certificate.
        assert "NODE" in forgectl(here, tmp_path, url, ca_file, "nodes")


def test_of_a_collector_on_loopback_alone_it_leads_where_the_caller_came_in(
    collector: CollectorProcess,
) -> None:
    with collector.client() as admin:
        # 9000: the near end of a tunnel.
        for used in (
            f"127.0.0.1:{collector.port}",
            f"localhost:{collector.port}",
            "localhost:9000",
        ):
            made = admin.send("POST", "/api/login-links", {}, {"Host": used})
            assert made.status == 201
            assert urlsplit(made.json()["url"])[:2] == ("http", used)
