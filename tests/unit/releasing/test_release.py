"""scripts/release: keys that stay private, and folders that agents will trust."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from forge_shared import codec, signatures
from forge_shared.messages import Release
from scripts.releasing import cli
from scripts.releasing import folder as releases

LINUX = "forge-agent-0.2.0-linux-x86_64.tar.gz"
CHECKOUT = Path(__file__).parents[3]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "release.key"
    made = run("keygen", path)
    assert made.exit_code == 0
    path.with_suffix(".pub").write_text(made.stdout.strip())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "dist"
    path.mkdir()
    (path / LINUX).write_bytes(b"an archive")
    (path / "forge-agent-0.2.0-linux-x86_64").write_bytes(b"a program")
    (path / "forge-agent-0.1.0-linux-x86_64").write_bytes(b"an older one")
    (path / "SHA256SUMS").write_text("")
    return path


def public(key: Path) -> str:
    return key.with_suffix(".pub").read_text()


def test_the_private_key_is_its_owners_and_the_public_one_is_printed(key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    private = key.read_text().splitlines()[-1]
    assert signatures.pair_of(private).public == public(key)
    assert private not in public(key)


def test_a_key_is_never_replaced_nor_put_into_the_checkout(key: Path) -> None:
    before = key.read_text()
    assert "never replaced" in run("keygen", key).output
    assert key.read_text() == before
    inside = CHECKOUT / "scripts" / "release.key"
    assert "lies in the checkout" in run("keygen", inside).output
    assert not inside.exists()


def test_a_folder_that_is_described_anew_is_not_signed(key: Path, folder: Path) -> None:
    run("sign", "--key", key, "--version", "0.2.0", folder)
    described = releases.describe(folder, version="0.2.0", now_ms=1)
    assert codec.decode((folder / "release.json").read_bytes(), Release) == described
    assert not (folder / "release.json.sig").exists()


def test_a_folder_is_signed_and_verified(key: Path, folder: Path) -> None:
    signed = run("sign", "--key", key, "--version", "0.2.0", folder)
    assert signed.exit_code == 0, signed.output
    release = codec.decode((folder / "release.json").read_bytes(), Release)
    assert release.version == "0.2.0"
    assert [(file.name, file.kind, file.size) for file in release.files] == [
        ("forge-agent-0.2.0-linux-x86_64", "file", 9),
        (LINUX, "folder", 10),
    ]
    assert "not part of it: SHA256SUMS" in signed.stderr
    verified = run("verify", "--key", public(key), folder)
    assert (verified.exit_code, verified.output) == (0, "✓ 0.2.0, 2 files\n")


@pytest.mark.parametrize("name", [LINUX, "release.json", "release.json.sig"])
def test_whatever_was_changed_is_found(name: str, key: Path, folder: Path) -> None:
    run("sign", "--key", key, "--version", "0.2.0", folder)
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    assert run("verify", "--key", public(key), folder).exit_code == 1
    (folder / name).unlink()
    assert run("verify", "--key", public(key), folder).exit_code == 1


def test_another_key_does_not_verify(key: Path, folder: Path) -> None:
    run("sign", "--key", key, "--version", "0.2.0", folder)
    refused = run("verify", "--key", signatures.make_keys().public, folder)
    assert refused.exit_code == 1
    assert "not signed with this key" in refused.output
    either = run("verify", "--key", signatures.make_keys().public, "--key", public(key), folder)
    assert either.exit_code == 0


@pytest.mark.parametrize(
    ("version", "why"), [("0.3.0", "no file of version 0.3.0"), ("next", "no version")]
)
def test_what_cannot_be_signed(version: str, why: str, key: Path, folder: Path) -> None:
    refused = run("sign", "--key", key, "--version", version, folder)
    assert refused.exit_code == 1
    assert why in refused.output
    assert not (folder / "release.json").exists()


def test_a_key_that_others_can_read_is_not_used(key: Path, folder: Path) -> None:
    key.chmod(0o644)
    refused = run("sign", "--key", key, "--version", "0.2.0", folder)
    assert refused.exit_code == 1
    assert "chmod 600" in refused.output
