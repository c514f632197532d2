"""The uplink over https, against a certificate that is trusted and one that is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from forge_agent import transport
from forge_agent.transport import Connection, TransportError
from tests.integration.agent import fake_collector
from tests.integration.agent.conftest import StartAgent
from tests.integration.agent.fake_collector import FakeCollector


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> str:
    """The path of the authority's certificate, for SSL_CERT_FILE."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def collector(authority: trustme.CA, tmp_path: Path) -> Iterator[FakeCollector]:
    identity = tmp_path / "collector.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(identity)
    fake = FakeCollector(identity)
    try:
        yield fake
    finally:
        fake.die()
    assert fake.faults == []


def test_an_agent_pushes_over_https(start_agent: StartAgent, trusted: str) -> None:
    agent = start_agent(SSL_CERT_FILE=trusted)
    first, second = agent.pushed(2)[:2]
    assert second.snapshots[0].seq == first.snapshots[0].seq + 1


def test_a_certificate_that_is_not_trusted_gets_no_token(
    collector: FakeCollector, start_agent: StartAgent
) -> None:
    agent = start_agent()
    assert "certificate" in agent.said("offline")["reason"]
    agent.spools(1)
    assert collector.pushes == []


def test_a_certificate_of_another_host_gets_no_token(
    collector: FakeCollector, start_agent: StartAgent, trusted: str
) -> None:
    agent = start_agent("--url", f"https://127.0.0.2:{collector.port}", SSL_CERT_FILE=trusted)
    agent.said("offline")
    assert collector.pushes == []


@pytest.mark.parametrize("answer", [fake_collector.hang, fake_collector.trickle])
def test_a_request_over_https_ends_in_time_too(
    collector: FakeCollector,
    answer: fake_collector.Answer,
    trusted: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", trusted)
    monkeypatch.setattr(transport, "REQUEST_TIMEOUT_S", 0.5)
    collector.answer = answer
    connection = Connection(collector.url)
    with pytest.raises(TransportError) as caught:
        connection.post("/api/ingest/n1", b"{}", {"Content-Type": "application/json"})
    assert caught.value.timed_out
    connection.close()
