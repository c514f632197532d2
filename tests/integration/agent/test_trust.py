"""Whose certificates the agent takes, and what it says about those that it does not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trustme

from forge_agent.transport import Connection, Reply, TransportError
from tests.integration.agent.fake_collector import FakeCollector

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    return written(authority, tmp_path / "ca.pem")


def written(authority: trustme.CA, path: Path) -> Path:
    authority.cert_pem.write_to_path(path)
    return path


@contextmanager
def collector_with(certificate: trustme.LeafCert, folder: Path) -> Iterator[FakeCollector]:
    path = folder / "collector.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(path)
    with running(FakeCollector(path)) as collector:
        yield collector


@contextmanager
def running(collector: FakeCollector) -> Iterator[FakeCollector]:
    try:
        yield collector
    finally:
        collector.die()


def push(connection: Connection) -> Reply:
    return connection.post("/api/ingest/n1", b"{}", {"Content-Type": "application/json"})


def refusal(url: str, ca_file: Path | None) -> str:
    """Return what is said when TLS is not agreed on."""
    with closing(Connection(url, ca_file=ca_file)) as connection:
        with pytest.raises(TransportError) as caught:
            push(connection)
        assert caught.value.untrusted
    return str(caught.value)


def test_the_named_authority_alone_is_trusted(
    authority: trustme.CA, ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = written(trustme.CA(), tmp_path / "other.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    with collector_with(authority.issue_cert("127.0.0.1"), tmp_path) as collector:
        with closing(Connection(collector.url, ca_file=ca_file)) as connection:
            assert push(connection).status == 200
        assert "an authority that this machine does not trust" in refusal(collector.url, other)
        assert len(collector.pushes) == 1


@pytest.mark.parametrize(
    ("names", "valid", "said"),
    [
        ("127.0.0.1", (NOW + DAY, NOW + 2 * DAY), "not valid yet: this machine's clock says"),
        ("127.0.0.1", (NOW - 2 * DAY, NOW - DAY), "has expired (this machine's clock says"),
        ("127.0.0.2", (NOW - DAY, NOW + DAY), "not for 127.0.0.1: start the collector with a"),
        ("collector.example", (NOW - DAY, NOW + DAY), "not for 127.0.0.1"),
    ],
)
def test_each_fault_of_a_certificate_has_its_own_sentence(
    tmp_path: Path, names: str, valid: tuple[dt.datetime, dt.datetime], said: str
) -> None:
    authority = trustme.CA()
    ca_file = written(authority, tmp_path / "ca.pem")
    certificate = authority.issue_cert(names, not_before=valid[0], not_after=valid[1])
    with collector_with(certificate, tmp_path) as collector:
        assert said in refusal(collector.url, ca_file)
        assert collector.pushes == []


def test_http_at_an_https_address_is_told() -> None:
    with running(FakeCollector()) as collector:
        url = collector.url.replace("http:", "https:")
        assert "is the address http instead of https?" in refusal(url, None)
        assert collector.pushes == []


def test_an_authoritys_file_that_is_gone_or_empty_is_told(tmp_path: Path) -> None:
    with running(FakeCollector()) as collector:
        url = collector.url.replace("http:", "https:")
        path = tmp_path / "ca.pem"
        assert f"{path} cannot be used (No such file" in refusal(url, path)
        path.touch()
        assert f"{path} cannot be used (it holds no certificate)" in refusal(url, path)
        assert f"{tmp_path} cannot be used (Is a directory)" in refusal(url, tmp_path)


def test_an_authority_that_was_replaced_counts_at_the_next_connection(
    authority: trustme.CA, tmp_path: Path
) -> None:
    path = written(trustme.CA(), tmp_path / "ca.pem")
    with collector_with(authority.issue_cert("127.0.0.1"), tmp_path) as collector:
        with closing(Connection(collector.url, ca_file=path)) as connection:
            with pytest.raises(TransportError):
                push(connection)
            written(authority, tmp_path / "new.pem").replace(path)
            assert push(connection).status == 200
            written(trustme.CA(), tmp_path / "new.pem").replace(path)
            connection.close()
            with pytest.raises(TransportError):
                push(connection)
        assert len(collector.pushes) == 1
