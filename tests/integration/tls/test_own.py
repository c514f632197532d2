"""serve --tls auto, as a process: what clients see of it, and what they must not trust."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import shutil
import ssl
import time
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from forge_collector.tls import x509
from forge_collector.tls.x509 import Pair
from forge_shared import joining
from tests.faults.pushes import new_boot, snapshot
from tests.integration.backup.commands import run
from tests.integration.tls.reaching import served
from tests.process import (
    ADMIN_SECRET,
    PATIENCE_S,
    Client,
    CollectorProcess,
    running_collector,
    wait_for,
)

DAY_MS = 24 * 3_600_000


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    folder = tmp_path_factory.mktemp("tls") / "data"
    with running_collector(folder, "--tls", "auto", "--local-agent") as running:
        yield running


@pytest.fixture
def ca_file(collector: CollectorProcess) -> Path:
    assert collector.ca_file is not None
    return collector.ca_file


def test_who_trusts_its_authority_is_served(collector: CollectorProcess) -> None:
    with collector.client() as client:
        assert client.get("/healthz") == {"status": "ok"}
    (listening,) = collector.events("listening")
    assert listening["url"] == collector.url
    assert collector.url.startswith("https://")


def test_who_trusts_the_systems_authorities_is_not(collector: CollectorProcess) -> None:
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection("127.0.0.1", collector.port, context=context)
    with pytest.raises(ssl.SSLCertVerificationError):
        connection.request("GET", "/healthz")


def test_it_goes_by_no_strange_name(collector: CollectorProcess, ca_file: Path) -> None:
    for host in ("127.0.0.1", "localhost"):
        assert served(host, collector.port, ca_file)
    with pytest.raises(ssl.SSLCertVerificationError):
        served("fleet.example.org", collector.port, ca_file)


def test_it_speaks_http_1_1_and_nothing_older_than_tls_1_2(
    collector: CollectorProcess, ca_file: Path
) -> None:
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    connection = http.client.HTTPSConnection("127.0.0.1", collector.port, context=context)
    connection.connect()
    assert isinstance(connection.sock, ssl.SSLSocket)
    assert connection.sock.selected_alpn_protocol() == "http/1.1"
    connection.close()


def test_plain_http_gets_no_answer_and_no_traceback(collector: CollectorProcess) -> None:
    plain = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=PATIENCE_S)
    plain.request("GET", "/healthz")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        plain.getresponse()
    assert not [line for line in collector.log() if "exception" in line]


def test_the_authority_is_there_for_everybody_and_known_by_its_fingerprint(
    collector: CollectorProcess, ca_file: Path
) -> None:
    with Client(collector.port, "nobody's token", ca_file) as anybody:
        reply = anybody.send("GET", "/ca.pem")
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "application/x-pem-file"
    assert reply.body == ca_file.read_bytes()

    with collector.client() as admin:
        invite = admin.send("POST", "/api/invites", {}).json()
    join = joining.parse(invite["join_string"])
    der = ssl.PEM_cert_to_DER_cert(reply.body.decode())
    assert join.ca_fingerprint == hashlib.sha256(der).digest()
    assert invite["ca_fingerprint"] == hashlib.sha256(der).hexdigest()
    assert join.url == collector.url  # it listens on loopback alone: there is no other


def test_a_session_is_for_https_alone(collector: CollectorProcess) -> None:
    origin = {"Origin": collector.url}
    with collector.client() as admin:
        made = admin.send("POST", "/api/login-links", {"role": "viewer"}).json()
        assert made["url"].startswith(f"{collector.url}/#/login/")
        reply = admin.send("POST", "/api/login", {"code": made["code"]}, origin)
    (cookie,) = SimpleCookie(reply.headers["Set-Cookie"]).values()
    assert cookie["secure"]


def test_uploads_and_streams_go_over_it(collector: CollectorProcess) -> None:
    boot_id = new_boot()
    lines = [json.dumps(snapshot(boot_id, seq)).encode() for seq in range(400)]
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    with collector.client(collector.mint(node_id="n1")) as node:
        body = gzip.compress(b"\n".join(lines))
        reply = node.send("POST", "/api/ingest/n1", body, headers)
        assert reply.json()["accepted"] == 400

        assert collector.ca_file is not None
        context = ssl.create_default_context(cafile=collector.ca_file)
        stream = http.client.HTTPSConnection(
            "127.0.0.1", collector.port, timeout=PATIENCE_S, context=context
        )
        bearer = {"Authorization": f"Bearer {ADMIN_SECRET}"}
        stream.request("GET", "/api/nodes/n1/events", headers=bearer)
        events = stream.getresponse()
        node.push("n1", snapshot(boot_id, 400))
        datas = (line for line in events if line.startswith(b"data: "))
        for _ in range(3):
            if json.loads(next(datas).removeprefix(b"data: ")):
                break
        stream.close()


def test_the_local_agent_and_backup_reach_it(collector: CollectorProcess, tmp_path: Path) -> None:
    with collector.client() as admin:
        node_id = admin.get("/api/whoami")["local_node_id"]

        def is_there() -> bool:
            nodes = admin.get("/api/fleet")["nodes"]
            return any(node["id"] == node_id for node in nodes)

        wait_for(is_there, "the local agent's first push")
    target = tmp_path / "fleet.db"
    ended = run("backup", target, "--data", collector.data, HTTPS_PROXY="http://127.0.0.1:9")
    assert ended.code == 0, ended.err
    assert "went on meanwhile" in ended.out


def test_backup_tells_no_secret_to_another(collector: CollectorProcess, tmp_path: Path) -> None:
    # As if something else had taken the collector's port: it is not of its authority.
    assert collector.ca_file is not None
    kept = collector.ca_file.read_text()
    other = x509.make_authority("other", int(time.time() * 1000))
    collector.ca_file.write_text(other.certificate)
    try:
        ended = run("backup", tmp_path / "fleet.db", "--data", collector.data)
    finally:
        collector.ca_file.write_text(kept)
    assert ended.code == 1
    assert "CERTIFICATE_VERIFY_FAILED" in ended.err
    assert not (tmp_path / "fleet.db").exists()


def test_it_renews_its_certificate_while_it_runs(
    collector: CollectorProcess, ca_file: Path
) -> None:
    folder = ca_file.parent
    with collector.client() as kept_open:
        kept_open.get("/healthz")
        before = served("127.0.0.1", collector.port, ca_file)
        # As if it had run for 80 days: what it has is nearly at its end.
        authority = Pair(ca_file.read_text(), (folder / "ca.key").read_text())
        names = x509.read((folder / "cert.pem").read_text()).names
        long_ago_ms = int(time.time() * 1000) - 80 * DAY_MS
        old = x509.issue(authority, names, long_ago_ms)
        (folder / "key.pem").write_text(old.key)
        (folder / "cert.pem").write_text(old.certificate)

        def another() -> bool:
            return served("127.0.0.1", collector.port, ca_file) != before

        wait_for(another, "another certificate")
        der = served("127.0.0.1", collector.port, ca_file)
        assert ssl.DER_cert_to_PEM_cert(der).split() == (folder / "cert.pem").read_text().split()
        assert collector.events("certificate issued")[-1]["reason"].startswith("less than a third")
        exposed = kept_open.send("GET", "/metrics").body.decode()
    expires_s = x509.read((folder / "cert.pem").read_text()).not_after_ms / 1000
    name = "forge_tls_certificate_expiration_timestamp_seconds"
    (line,) = [line for line in exposed.splitlines() if line.startswith(f"{name} ")]
    assert float(line.split()[1]) == expires_s
    assert expires_s * 1000 > long_ago_ms + 160 * DAY_MS


def test_a_restart_keeps_what_machines_trust(tmp_path: Path) -> None:
    data = tmp_path / "data"
    kept: set[bytes] = set()
    for _ in range(2):
        with running_collector(data, "--tls", "auto") as collector, collector.client() as client:
            kept.add(client.send("GET", "/ca.pem").body)
    assert len(kept) == 1
    shutil.rmtree(data / "tls")
    with running_collector(data) as collector:
        assert collector.url.startswith("http://")
        with collector.client() as client:
            assert client.send("GET", "/ca.pem").json()["code"] == "not_found"
