"""A collector that cannot run says why, and what to do, and ends with 1."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from tests.faults.conftest import Start
from tests.process import PATIENCE_S, environment, serve_command


def refused(data: Path, *options: str, **settings: str) -> str:
    """Start a collector that must not start, and return what it said."""
    ended = subprocess.run(
        serve_command(data, *options),
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 1, ended
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_second_collector_on_the_same_folder(data: Path, start: Start) -> None:
    first = start()

    said = refused(data)

    assert "Another collector is running on the data folder" in said
    assert str(data) in said
    assert "--data" in said
    with first.client() as admin:
        assert admin.get("/api/fleet") == {"nodes": []}


def test_a_folder_is_free_again_after_its_collector_was_killed(start: Start) -> None:
    start().kill()
    start()


def test_a_port_that_is_taken(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(data, "--port", str(port))
    assert f"Port {port} is taken" in said
    assert "--port" in said


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104  refused, that is it
def test_other_machines_without_tls(data: Path, host: str) -> None:
    said = refused(data, "--host", host)
    assert "--allow-plaintext" in said
    assert "tokens" in said
    assert not data.exists()


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (("--tls", "auto", "--tls-cert", "a.pem", "--tls-key", "b.pem"), "contradict"),
        (("--tls-cert", "a.pem"), "name both"),
        (("--public-url", "fleet.example.org"), "--public-url"),
        (("--announce",), "--announce"),
    ],
)
def test_options_that_do_not_go_together(data: Path, options: tuple[str, ...], hint: str) -> None:
    assert hint in refused(data, *options)
    assert not data.exists()


def test_a_certificate_that_is_not_there(data: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "cert.pem")
    assert missing in refused(data, "--tls-cert", missing, "--tls-key", missing)


def test_half_an_authority(data: Path) -> None:
    (data / "tls").mkdir(parents=True)
    (data / "tls" / "ca.pem").write_text("half a certificate")
    said = refused(data, "--tls", "auto")
    assert "ca.key cannot be read" in said
    assert "join anew" in said


def test_an_address_of_another_machine(data: Path) -> None:
    said = refused(data, "--host", "192.0.2.1", "--allow-plaintext")
    assert "--host 192.0.2.1" in said or "192.0.2.1:0" in said


def test_an_admin_secret_anybody_could_guess(data: Path) -> None:
    assert "ADMIN_SECRET" in refused(data, ADMIN_SECRET="hunter2")


def test_a_store_that_is_no_database(data: Path) -> None:
    data.mkdir()
    (data / "fleet.db").write_bytes(b"this is no database" * 1000)
    assert "not a database" in refused(data)


def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    said = refused(tmp_path / "file" / "data")
    assert "--data" in said


def test_a_data_folder_in_which_nothing_can_be_written(data: Path) -> None:
    data.mkdir()
    (data / "lock").mkdir()  # as root, no permission would stop the collector
    assert "lock" in refused(data)
