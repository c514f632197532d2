"""Others than the collector answer: they get no code and no token, whatever they do."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from forge_agent import cli
from forge_shared import identity
from forge_shared.joining import JoinString
from tests.integration.agent.recorder import Answer, Recorder, as_collector, reply

CODE = identity.mint_code()


@pytest.fixture
def true_authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def false_authority() -> trustme.CA:
    return trustme.CA()


def fingerprint(authority: trustme.CA) -> bytes:
    der = ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())
    return hashlib.sha256(der).digest()


@contextmanager
def impostor(
    folder: Path, answer: Answer, authority: trustme.CA | None, name: str = "127.0.0.1"
) -> Iterator[Recorder]:
    """Somebody with a certificate of this authority, or without TLS; checks that no secret of the
    joining machine came to them."""
    identity_file = None
    if authority is not None:
        identity_file = folder / "impostor.pem"
        authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(identity_file)
    with Recorder(answer, identity_file) as recorder:
        yield recorder
    assert recorder.connections > 0
    assert not recorder.got(CODE)
    assert not recorder.got("forge_")
    assert not recorder.got("secret_hash")
    assert [line for line in recorder.requests if not line.startswith("GET /ca.pem ")] == []


def refused(
    port: int,
    pinned: bytes | None,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> str:
    string = JoinString(f"https://127.0.0.1:{port}", pinned, CODE)
    assert cli.main(["join", "--config", str(folder / "forge" / "agent.toml"), str(string)]) == 1
    kept = {path.name for path in (folder / "forge").iterdir()}
    assert "agent.toml" not in kept
    return capsys.readouterr().err


def test_another_authority(
    true_authority: trustme.CA,
    false_authority: trustme.CA,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = as_collector(false_authority.cert_pem.bytes())
    with impostor(tmp_path, answer, false_authority) as other:
        told = refused(other.port, fingerprint(true_authority), tmp_path, capsys)
    assert "is not the collector that you were invited to" in told
    assert "Nothing was sent" in told
    assert not (tmp_path / "forge" / "ca.pem").exists()


def test_the_right_authority_shown_by_somebody_without_its_key(
    true_authority: trustme.CA,
    false_authority: trustme.CA,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = as_collector(true_authority.cert_pem.bytes())
    with impostor(tmp_path, answer, false_authority) as other:
        told = refused(other.port, fingerprint(true_authority), tmp_path, capsys)
    assert "does not prove that it is the collector" in told
    assert other.requests == ["GET /ca.pem HTTP/1.1"]


def test_an_authority_smuggled_in_beside_the_right_one(
    true_authority: trustme.CA,
    false_authority: trustme.CA,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    both = true_authority.cert_pem.bytes() + false_authority.cert_pem.bytes()
    with impostor(tmp_path, as_collector(both), false_authority) as other:
        told = refused(other.port, fingerprint(true_authority), tmp_path, capsys)
    assert "does not prove" in told
    kept = (tmp_path / "forge" / "ca.pem").read_bytes()
    assert kept.count(b"BEGIN CERTIFICATE") == 1


def test_a_certificate_of_the_right_authority_for_another_host(
    true_authority: trustme.CA, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = as_collector(true_authority.cert_pem.bytes())
    with impostor(tmp_path, answer, true_authority, "127.0.0.2") as other:
        told = refused(other.port, fingerprint(true_authority), tmp_path, capsys)
    assert "not for 127.0.0.1: start the collector with a --public-url" in told


@pytest.mark.parametrize("ca_pem", [b"", b"<html>", b"-----BEGIN CERTIFICATE-----\n!\n"])
def test_no_authority_at_all(
    true_authority: trustme.CA, tmp_path: Path, capsys: pytest.CaptureFixture[str], ca_pem: bytes
) -> None:
    with impostor(tmp_path, as_collector(ca_pem), true_authority) as other:
        told = refused(other.port, fingerprint(true_authority), tmp_path, capsys)
    assert "it shows no authority" in told


def test_http_in_the_place_of_https(
    true_authority: trustme.CA, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = as_collector(true_authority.cert_pem.bytes())
    with impostor(tmp_path, answer, None) as other:
        told = refused(other.port, fingerprint(true_authority), tmp_path, capsys)
    assert "does not speak TLS there" in told
    assert other.requests == []


def test_an_authority_without_tls_is_no_proof(
    true_authority: trustme.CA, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Recorder(as_collector(true_authority.cert_pem.bytes())) as other:
        string = JoinString(f"http://127.0.0.1:{other.port}", fingerprint(true_authority), CODE)
        assert cli.main(["join", "--config", str(tmp_path / "agent.toml"), str(string)]) == 1
    assert "without TLS" in capsys.readouterr().err
    assert other.requests == []


def test_a_certificate_that_the_system_does_not_trust(
    false_authority: trustme.CA, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with impostor(tmp_path, as_collector(b""), false_authority) as other:
        told = refused(other.port, None, tmp_path, capsys)
    assert "an authority that this machine does not trust" in told
    assert other.requests == []


def test_a_redirect_is_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Recorder(as_collector(b"")) as elsewhere:
        location = f"Location: http://127.0.0.1:{elsewhere.port}/\r\n"
        with Recorder(lambda _request: reply("308 Moved", b"", location)) as first:
            string = JoinString(f"http://127.0.0.1:{first.port}", None, CODE)
            settings = tmp_path / "forge" / "agent.toml"
            assert cli.main(["join", "--config", str(settings), str(string)]) == 1
    assert "redirects are not followed" in capsys.readouterr().err
    assert elsewhere.raw == b""
    assert not settings.exists()
