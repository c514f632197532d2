"""serve --tls-cert and --tls-key: a certificate that was given, and the one that replaces it."""

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from forge_collector.clock import SystemClock
from forge_collector.config import ConfigError
from forge_collector.tls.given import GivenCertificate
from tests.integration.backup.commands import run
from tests.integration.tls.reaching import TlsClient, served
from tests.process import ADMIN_SECRET, CollectorProcess, running_collector, wait_for

HOST = "fleet.example.test"
ADMIN = {"Authorization": f"Bearer {ADMIN_SECRET}"}


class Files:
    """The two files that a collector is given, and the authority behind them."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.ca_file = folder / "authority.pem"
        self.certificate = folder / "fullchain.pem"
        self.key = folder / "privkey.pem"
        self.authority.cert_pem.write_to_path(self.ca_file)

    def put(self, *names: str, expires: dt.datetime | None = None) -> None:
        issued = self.authority.issue_cert(*names, not_after=expires)
        self.key.write_bytes(issued.private_key_pem.bytes())
        self.certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))

    @property
    def options(self) -> tuple[str, ...]:
        return ("--tls-cert", str(self.certificate), "--tls-key", str(self.key))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    made = Files(tmp_path_factory.mktemp("given"))
    made.put(HOST)
    return made


@pytest.fixture(scope="module")
def collector(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    folder = tmp_path_factory.mktemp("tls") / "data"
    with running_collector(folder, *files.options, "--local-agent") as running:
        yield running


def test_it_is_reached_by_the_name_in_its_certificate(
    collector: CollectorProcess, files: Files
) -> None:
    client = TlsClient(HOST, collector.port, files.ca_file)
    assert client.send_request("GET", "/healthz", {}).status == 200
    link = client.send_request(
        "POST", "/api/login-links", {**ADMIN, "Content-Type": "application/json"}, b"{}"
    )
    assert link.json()["url"].startswith(f"https://{HOST}:{collector.port}/#/login/")
    # It has no authority of its own that anybody should trust.
    assert client.send_request("GET", "/ca.pem", {}).json()["code"] == "not_found"
    client.close()
    assert collector.events("listening")[0]["url"] == f"https://{HOST}:{collector.port}"


def test_this_machines_own_programs_need_not_know_that_name(
    collector: CollectorProcess, files: Files, tmp_path: Path
) -> None:
    client = TlsClient(HOST, collector.port, files.ca_file)
    node_id = client.send_request("GET", "/api/whoami", ADMIN).json()["local_node_id"]

    def is_there() -> bool:
        nodes = client.send_request("GET", "/api/fleet", ADMIN).json()["nodes"]
        return any(node["id"] == node_id for node in nodes)

    wait_for(is_there, "the local agent's first push")
    client.close()
    ended = run("backup", tmp_path / "fleet.db", "--data", collector.data)
    assert ended.code == 0, ended.err
    assert "went on meanwhile" in ended.out


def refused_anew(collector: CollectorProcess) -> dict[str, Any] | None:
    told = collector.events("the certificate could not be renewed")
    return told[-1] if told else None


def test_what_replaces_it_is_served_and_what_is_broken_is_not(
    collector: CollectorProcess, files: Files
) -> None:
    first = served(HOST, collector.port, files.ca_file)
    files.put(HOST, "127.0.0.1")
    wait_for(
        lambda: served(HOST, collector.port, files.ca_file) != first, "the certificate put there"
    )
    # An address is not named in the handshake: who calls by it is served the same.
    second = served("127.0.0.1", collector.port, files.ca_file)
    assert second == served(HOST, collector.port, files.ca_file)

    files.key.write_text("not a key")
    told = wait_for(lambda: refused_anew(collector), "a word about it")
    assert str(files.key) in told["reason"]
    assert served(HOST, collector.port, files.ca_file) == second

    files.put(HOST, "a.new.example.test")
    wait_for(
        lambda: served(HOST, collector.port, files.ca_file) != second, "the one after the broken"
    )
    # What it names is a name of the collector's from then on, and what others are told to use.
    client = TlsClient("a.new.example.test", collector.port, files.ca_file)
    assert client.send_request("GET", "/healthz", {}).status == 200
    made = client.send_request(
        "POST",
        "/api/invites",
        {**ADMIN, "Content-Type": "application/json", "Host": f"127.0.0.1:{collector.port}"},
        b"{}",
    )
    assert made.json()["url"] == f"https://a.new.example.test:{collector.port}"
    client.close()


def refusal(certificate: Path, key: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        GivenCertificate(certificate, key, SystemClock())
    return str(caught.value)


def test_files_that_cannot_be_served_are_refused(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.put(HOST)
    assert "No such file" in refusal(tmp_path / "none.pem", files.key)
    assert "cannot be read" in refusal(files.certificate, tmp_path / "none.pem")
    assert "no certificate" in refusal(files.key, files.key)
    assert "cannot be used" in refusal(files.certificate, files.certificate)
    other = tmp_path / "other.pem"
    other.write_bytes(files.authority.issue_cert(HOST).private_key_pem.bytes())
    assert "not that of the certificate" in refusal(files.certificate, other)
    locked = tmp_path / "locked.pem"
    subprocess.run(
        [
            *("openssl", "pkey", "-aes256", "-passout", "pass:secret"),
            *("-in", str(files.key), "-out", str(locked)),
        ],
        check=True,
        timeout=20,
    )
    assert "encrypted" in refusal(files.certificate, locked)


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (("127.0.0.1", "192.0.2.7", "nas.example.test"), "nas.example.test"),
        (("localhost", "192.0.2.7"), "192.0.2.7"),
        (("localhost", "*.example.test", "::1"), None),
    ],
)
def test_others_are_told_a_name_that_leads_somewhere(
    tmp_path: Path, names: tuple[str, ...], host: str | None
) -> None:
    files = Files(tmp_path)
    files.put(*names)
    assert GivenCertificate(files.certificate, files.key, SystemClock()).host == host


def test_one_that_has_expired_is_served_with_a_warning(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.put(HOST, expires=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    with running_collector(tmp_path / "data", *files.options) as collector:
        (warning,) = [line for line in collector.log() if line["level"] == "warning"]
        assert "expired" in warning["event"]
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            served(HOST, collector.port, files.ca_file)
