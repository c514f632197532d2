"""The folder with the collector's authority: made whole, kept, and never made anew by itself."""

from __future__ import annotations

import hashlib
import os
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from forge_collector.config import ConfigError
from forge_collector.tls import x509
from forge_collector.tls.own import OwnCertificate
from forge_collector.tls.x509 import Pair
from tests.unit.fleet.manual_clock import ManualClock

DAY_MS = 24 * 3_600_000
NAMES = frozenset({"localhost", "nas.local", "127.0.0.1", "::1", "192.168.1.10"})
FILES = {"ca.pem", "ca.key", "cert.pem", "key.pem"}


class Wanted:
    """The names to be reached by, which a test may change."""

    names = NAMES

    def __call__(self) -> frozenset[str]:
        return self.names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tls"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def wanted() -> Wanted:
    return Wanted()


@pytest.fixture
def own(folder: Path, wanted: Wanted, clock: ManualClock) -> OwnCertificate:
    return OwnCertificate(folder, wanted, clock)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.usefixtures("own")
def test_only_its_owner_can_read_the_folder(folder: Path) -> None:
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} == FILES
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_power_cut_takes_no_authority_that_somebody_was_told_of(
    folder: Path, wanted: Wanted, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    sync = os.fsync

    def watched(descriptor: int) -> None:
        sync(descriptor)
        synced.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", watched)
    OwnCertificate(folder, wanted, clock)
    needed = [folder / "ca.key", folder / "ca.pem", folder, folder.parent]
    assert {path.stat().st_ino for path in needed} <= set(synced)


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["openssl", *arguments], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.usefixtures("own")
def test_openssl_finds_nothing_wrong_with_it(folder: Path, clock: ManualClock) -> None:
    now = str(clock.now_ms() // 1000)
    for host in (["-verify_hostname", "nas.local"], ["-verify_ip", "192.168.1.10"]):
        openssl(
            *("verify", "-x509_strict", "-purpose", "sslserver", "-attime", now, *host),
            *("-CAfile", folder / "ca.pem", folder / "cert.pem"),
        )
    authority = openssl("x509", "-in", folder / "ca.pem", "-noout", "-text")
    assert "CA:TRUE, pathlen:0" in authority
    assert "Certificate Sign\n" in authority
    assert "prime256v1" in authority
    certificate = openssl("x509", "-in", folder / "cert.pem", "-noout", "-text")
    assert "CA:FALSE" in certificate
    assert "TLS Web Server Authentication\n" in certificate


def test_the_fingerprint_is_that_of_the_file(own: OwnCertificate, folder: Path) -> None:
    pem = (folder / "ca.pem").read_text()
    assert own.ca_pem == pem
    assert own.ca_fingerprint == hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()


@pytest.mark.usefixtures("own")
def test_starting_again_changes_nothing(folder: Path, wanted: Wanted, clock: ManualClock) -> None:
    before = contents(folder)
    clock.advance(50 * DAY_MS)
    again = OwnCertificate(folder, wanted, clock)
    again.refresh()
    assert contents(folder) == before


def renewed(folder: Path, before: dict[str, str]) -> None:
    """Check that there is another certificate with another key, of the same authority."""
    after = contents(folder)
    assert {name for name in FILES if after[name] != before[name]} == {"cert.pem", "key.pem"}
    assert x509.is_pair(Pair(after["cert.pem"], after["key.pem"]))
    assert x509.is_issued_by(after["cert.pem"], Pair(after["ca.pem"], after["ca.key"]))


def test_it_is_renewed_when_it_is_time(
    own: OwnCertificate, folder: Path, clock: ManualClock
) -> None:
    before, expired_ms = contents(folder), own.current.not_after_ms
    clock.advance(61 * DAY_MS)
    own.refresh()
    renewed(folder, before)
    assert own.current.not_after_ms > expired_ms


def test_it_is_renewed_when_the_machine_has_another_address(
    own: OwnCertificate, folder: Path, wanted: Wanted
) -> None:
    before = contents(folder)
    wanted.names = NAMES | {"192.168.1.77"}
    own.refresh()
    renewed(folder, before)
    assert own.current.names == wanted.names


def key_cut_off(folder: Path) -> None:
    (folder / "key.pem").write_text((folder / "key.pem").read_text()[:50])


def certificate_gone(folder: Path) -> None:
    (folder / "cert.pem").unlink()


def half_replaced(folder: Path) -> None:
    authority = Pair((folder / "ca.pem").read_text(), (folder / "ca.key").read_text())
    other = x509.issue(authority, NAMES, ManualClock().now_ms())
    (folder / "key.pem").write_text(other.key)


def of_another_authority(folder: Path) -> None:
    now_ms = ManualClock().now_ms()
    other = x509.issue(x509.make_authority("other", now_ms), NAMES, now_ms)
    (folder / "cert.pem").write_text(other.certificate)
    (folder / "key.pem").write_text(other.key)


SPOILT = [key_cut_off, certificate_gone, half_replaced, of_another_authority]


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("spoil", SPOILT)
def test_a_spoilt_certificate_is_replaced_at_the_start(
    folder: Path, wanted: Wanted, clock: ManualClock, spoil: Callable[[Path], None]
) -> None:
    authority = (folder / "ca.pem").read_text()
    spoil(folder)
    OwnCertificate(folder, wanted, clock)
    after = contents(folder)
    assert after["ca.pem"] == authority
    assert x509.is_pair(Pair(after["cert.pem"], after["key.pem"]))


@pytest.mark.parametrize("spoil", SPOILT)
def test_and_while_it_runs(
    own: OwnCertificate, folder: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(folder)
    own.refresh()
    after = contents(folder)
    assert x509.is_pair(Pair(after["cert.pem"], after["key.pem"]))
    assert x509.is_issued_by(after["cert.pem"], Pair(after["ca.pem"], after["ca.key"]))


def authority_gone(folder: Path) -> None:
    (folder / "ca.pem").unlink()


def authority_key_gone(folder: Path) -> None:
    (folder / "ca.key").unlink()


def authority_cut_off(folder: Path) -> None:
    (folder / "ca.pem").write_text((folder / "ca.pem").read_text()[:100])


def authority_no_text(folder: Path) -> None:
    (folder / "ca.key").write_bytes(b"\xff\x00" * 100)


def keys_exchanged(folder: Path) -> None:
    (folder / "ca.key").write_text((folder / "key.pem").read_text())


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    "spoil",
    [authority_gone, authority_key_gone, authority_cut_off, authority_no_text, keys_exchanged],
)
def test_a_spoilt_authority_is_left_to_its_owner(
    folder: Path, wanted: Wanted, clock: ManualClock, spoil: Callable[[Path], None]
) -> None:
    spoil(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ConfigError) as caught:
        OwnCertificate(folder, wanted, clock)
    assert str(folder) in str(caught.value)
    assert "from a copy" in str(caught.value)
    assert "join anew" in str(caught.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_one_that_was_killed_while_making_it_begins_anew(
    folder: Path, wanted: Wanted, clock: ManualClock
) -> None:
    draft = folder.with_name("tls.draft")
    draft.mkdir()
    (draft / "ca.key").write_text("half a k")
    OwnCertificate(folder, wanted, clock)
    assert not draft.exists()
    assert {path.name for path in folder.iterdir()} == FILES


def test_an_authority_that_has_expired_says_so(
    own: OwnCertificate, folder: Path, wanted: Wanted, clock: ManualClock
) -> None:
    clock.advance(3_653 * DAY_MS)
    with pytest.raises(ConfigError, match="expired"):
        OwnCertificate(folder, wanted, clock)
    with pytest.raises(ConfigError, match="expired"):
        own.refresh()


def test_two_authorities_of_one_machine_can_be_told_apart() -> None:
    subjects = set()
    for _ in range(2):
        pem = x509.make_authority("a" * 300, ManualClock().now_ms()).certificate
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=pem)
        subjects.add(str(context.get_ca_certs()[0]["subject"]))
    assert len(subjects) == 2


def test_a_collector_without_tls_does_not_carry_it() -> None:
    look = (
        "import sys, forge_collector.serving; "
        "sys.exit(bool({'cryptography', 'zeroconf'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", look], timeout=20, check=False).returncode == 0
