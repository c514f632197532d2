"""Where authorities are found when OpenSSL's own place has none."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from forge_agent import system_trust


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    path = tmp_path / "bundle.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder that OpenSSL looks in, on a system that keeps its authorities elsewhere."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "openssl"
    paths = ssl.get_default_verify_paths()._replace(openssl_capath=str(folder))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    return folder


def trusted(*bundles: str) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    system_trust.complete(context, bundles)
    return context.cert_store_stats()["x509_ca"]


def test_the_first_that_is_there_is_taken(elsewhere: Path, bundle: str, tmp_path: Path) -> None:
    assert trusted(str(tmp_path / "missing.pem"), bundle) == 1
    assert trusted(str(tmp_path / "missing.pem")) == 0


def test_one_without_certificates_is_passed_over(
    elsewhere: Path, bundle: str, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").touch()
    assert trusted(str(tmp_path / "empty.pem"), bundle) == 1


def test_a_folder_that_openssl_reads_itself_is_enough(elsewhere: Path, bundle: str) -> None:
    elsewhere.mkdir()
    assert trusted(bundle) == 1
    (elsewhere / "5ad8a5d6.0").touch()
    assert trusted(bundle) == 0


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_what_the_owner_names_stands_alone(
    elsewhere: Path, bundle: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "/nowhere")
    assert trusted(bundle) == 0


def test_a_context_that_has_authorities_is_left_alone(elsewhere: Path, bundle: str) -> None:
    context = ssl.create_default_context(cafile=bundle)
    system_trust.complete(context, ["/nowhere"])
    assert context.cert_store_stats()["x509_ca"] == 1
