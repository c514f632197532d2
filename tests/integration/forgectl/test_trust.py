"""forgectl and a collector with an authority of its own: trusted once known, and not before."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_shared import joining
from tests.integration.forgectl.conftest import Forgectl
from tests.process import ADMIN_SECRET, CollectorProcess, running_collector


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    folder = tmp_path_factory.mktemp("forgectl") / "data"
    with running_collector(folder, "--tls", "auto") as running:
        yield running


@pytest.fixture
def ca_file(collector: CollectorProcess) -> str:
    return str(collector.ca_file)


@pytest.fixture
def secret_file(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text(ADMIN_SECRET)
    return str(path)


def test_an_unknown_authority_is_refused_with_the_way_out(
    collector: CollectorProcess, forgectl: Forgectl, secret_file: str, tmp_path: Path
) -> None:
    refused = forgectl("login", "--secret-file", secret_file)
    assert refused.returncode == 1
    for part in (f"{collector.url}/ca.pem", "--ca ca.pem", "fingerprint", "tls/ca.pem"):
        assert part in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "forgectl").exists()


def test_a_login_keeps_the_authority(
    collector: CollectorProcess, forgectl: Forgectl, secret_file: str, ca_file: str
) -> None:
    done = forgectl("login", "--secret-file", secret_file, "--ca", ca_file)
    assert done.returncode == 0, done.stderr
    der = ssl.PEM_cert_to_DER_cert(Path(ca_file).read_text())
    assert joining.grouped(hashlib.sha256(der).digest()) in done.stdout

    assert forgectl("tokens", "list").returncode == 0
    # It was kept for this collector: of another, also of the same machine, it says nothing.
    elsewhere = collector.url.replace("127.0.0.1", "localhost")
    refused = forgectl("tokens", "list", FORGE_URL=elsewhere, FORGE_TOKEN=ADMIN_SECRET)
    assert refused.returncode == 1
    assert "--ca ca.pem" in refused.stderr


def test_the_environment_can_name_the_authority(forgectl: Forgectl, ca_file: str) -> None:
    listed = forgectl("tokens", "list", "--json", FORGE_TOKEN=ADMIN_SECRET, FORGE_CA_FILE=ca_file)
    assert json.loads(listed.stdout) == {"tokens": []}


def test_a_stream_is_verified_too(forgectl: Forgectl) -> None:
    refused = forgectl("nodes", "--watch", "--json", FORGE_TOKEN=ADMIN_SECRET)
    assert refused.returncode == 1
    assert "--ca ca.pem" in refused.stderr


@pytest.mark.parametrize("content", ["", "no certificate", "-----END CERTIFICATE-----"])
def test_a_file_that_is_no_certificate_is_not_trusted(
    forgectl: Forgectl, secret_file: str, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(content)
    refused = forgectl("login", "--secret-file", secret_file, "--ca", str(file))
    assert refused.returncode == 1
    assert "ca.pem" in refused.stderr


def test_an_error_names_the_option_that_was_used(forgectl: Forgectl, secret_file: str) -> None:
    refused = forgectl("login", "--url", "http://127.0.0.1:9", "--secret-file", secret_file)
    assert refused.returncode == 1
    assert "--url" in refused.stderr
    assert "FORGE_URL" not in refused.stderr


def test_http_where_https_is_spoken(
    collector: CollectorProcess, forgectl: Forgectl, secret_file: str
) -> None:
    plain = collector.url.replace("https", "http")
    refused = forgectl("login", "--url", plain, "--secret-file", secret_file)
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        "Error: If the collector speaks TLS, its address begins with https://. "
        "Give its address with --url. "
    )


def test_an_invite_also_shows_its_code_alone(forgectl: Forgectl, ca_file: str) -> None:
    printed = forgectl("invite", FORGE_TOKEN=ADMIN_SECRET, FORGE_CA_FILE=ca_file).stdout
    join = joining.parse(printed.split()[0])
    (said,) = [line for line in printed.splitlines() if "forge-agent join --discover" in line]
    # It is for the collector with this fingerprint, which is to be compared.
    assert joining.grouped(join.ca_fingerprint or b"") in printed
    assert said.rpartition(": ")[2].replace("-", "") == join.code
