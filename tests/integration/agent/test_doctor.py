"""`forge-agent doctor`: each fault made for real, and what it says of it."""

from __future__ import annotations

import argparse
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from forge_agent import doctor, places, whereabouts
from forge_agent.log import NEUTRAL
from forge_agent.service.described import Report
from forge_agent.whereabouts import Whereabouts
from tests.agent_process import running_agent
from tests.integration.agent.fake_collector import FakeCollector
from tests.process import CollectorProcess, environment, running_collector, wait_for
from tests.small_disk import KINDS

ORDER = [
    *("settings", "address", "name", "reachable", "tls", "collector", "token"),
    *("clock", "disk", "spool", "service", "work"),
]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    with running_collector(tmp_path_factory.mktemp("collector") / "data") as process:
        yield process


class Findings(NamedTuple):
    checks: dict[str, tuple[str, str]]

    @property
    def failed(self) -> list[str]:
        return [name for name in self.checks if self.outcome(name) == "failed"]

    def outcome(self, name: str) -> str:
        return self.checks[name][0]

    def said(self, name: str) -> str:
        return self.checks[name][1]


def examine(folder: Path, **settings: str) -> Findings:
    """Examine settings in a file, as the command does."""
    return look(written(folder, **settings))


def look(file: Path) -> Findings:
    where = whereabouts.find(
        config_file=file,
        state_dir=None,
        environ={},
        folder=file.parent,
        machine=places.machine(),
        user=places.user(),
    )
    checks = list(doctor.Examination(where, list).run())
    assert [check.name for check in checks] == ORDER
    return Findings({check.name: (check.outcome, check.said) for check in checks})


def run_doctor(folder: Path, *options: str, **settings: str) -> tuple[int, str]:
    """Run the real command."""
    file = written(folder, **settings)
    done = subprocess.run(
        [sys.executable, "-m", "forge_agent", "doctor", "--config", str(file), *options],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(HOME=str(folder)),
        timeout=60,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def written(folder: Path, **settings: str) -> Path:
    file = folder / "agent.toml"
    file.touch(mode=0o600)
    given = {"FORGE_STATE_DIR": str(folder / "state"), **settings}
    file.write_text("".join(f"{name} = {json.dumps(given[name])}\n" for name in given))
    (folder / "state").mkdir(exist_ok=True)
    return file


def good(collector: CollectorProcess, node_id: str = "n1") -> dict[str, str]:
    return {
        "NODE_ID": node_id,
        "CENTRAL_URL": collector.url,
        "BEARER_TOKEN": collector.mint(node_id=node_id),
    }


def test_all_is_well_beside_a_running_agent(collector: CollectorProcess, tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    with running_agent(collector, "well", folder):
        status = folder / "state/status.json"
        wait_for(lambda: status.exists() and b'"online"' in status.read_bytes(), "a push")
        settings = {
            "NODE_ID": "well",
            "CENTRAL_URL": collector.url,
            "BEARER_TOKEN": (folder / "token").read_text(),
        }
        code, text = run_doctor(folder, "--json", **settings)
        found = json.loads(text)
        assert (code, found["ok"]) == (0, True)
        assert [check["name"] for check in found["checks"]] == ORDER
        # No service is installed here, and there are neither names nor certificates to check.
        told = [check["name"] for check in found["checks"] if check["outcome"] == "told"]
        assert told == ["name", "tls", "service", "work"]
        code, text = run_doctor(folder, **settings)
        assert code == 0
        assert [line[0] for line in text.splitlines()] == [
            *("✓", "✓", NEUTRAL, "✓", NEUTRAL, "✓", "✓", "✓", "✓", "✓", NEUTRAL, NEUTRAL)
        ]
        assert settings["BEARER_TOKEN"] not in text


def test_missing_settings_and_a_bad_address(tmp_path: Path) -> None:
    found = examine(tmp_path, NODE_ID="n1", CENTRAL_URL="http://h")
    assert found.failed[0] == "settings"
    assert "BEARER_TOKEN is missing" in found.said("settings")
    assert found.said("token") == "skipped because of: settings"
    found = examine(tmp_path, NODE_ID="n1", BEARER_TOKEN="t", CENTRAL_URL="192.168.1.10:8750")
    assert found.outcome("settings") == "ok"
    assert found.failed[0] == "address"
    assert "CENTRAL_URL" in found.said("address")


def test_all_that_is_wrong_is_said_to_the_end(tmp_path: Path) -> None:
    code, text = run_doctor(tmp_path, FOREIGN="x", NODE_ID="a b")
    assert code == 1
    assert "or use --token-file." in text


def test_a_token_others_can_read(collector: CollectorProcess, tmp_path: Path) -> None:
    (tmp_path / "agent.toml").touch()
    (tmp_path / "agent.toml").chmod(0o644)
    found = examine(tmp_path, **good(collector, "open"))
    assert "chmod 600" in found.said("settings")


@pytest.mark.parametrize("host", ["collector.invalid", "a..b", f"{'a' * 64}.example"])
def test_a_name_that_is_none(tmp_path: Path, host: str) -> None:
    url = f"http://{host}:8750"
    found = examine(tmp_path, NODE_ID="n1", BEARER_TOKEN="t", CENTRAL_URL=url)
    assert found.failed[0] == "name"
    assert f"{host} cannot be resolved" in found.said("name")
    assert found.said("reachable") == "skipped because of: name"
    # What needs no collector is looked at all the same.
    assert found.outcome("disk") == "ok"
    assert found.outcome("clock") == "told"


def test_a_closed_port(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        found = examine(tmp_path, NODE_ID="n1", BEARER_TOKEN="t", CENTRAL_URL=url)
    assert found.failed[0] == "reachable"
    assert "nothing listens there; start the collector" in found.said("reachable")


# --- certificates -------------------------------------------------------------------------------


@contextmanager
def https(certificate: trustme.LeafCert, folder: Path) -> Iterator[FakeCollector]:
    path = folder / "server.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(path)
    server = FakeCollector(path)
    try:
        yield server
    finally:
        server.die()


def tls_fault(
    authority: trustme.CA, certificate: trustme.LeafCert, folder: Path, host: str = "127.0.0.1"
) -> Findings:
    authority.cert_pem.write_to_path(folder / "ca.pem")
    with https(certificate, folder) as server:
        return examine(
            folder,
            NODE_ID="n1",
            BEARER_TOKEN="secret-token",
            CENTRAL_URL=f"https://{host}:{server.port}",
            FORGE_CA_FILE=str(folder / "ca.pem"),
        )


def test_a_certificate_that_is_good(tmp_path: Path) -> None:
    authority = trustme.CA()
    found = tls_fault(authority, authority.issue_cert("127.0.0.1"), tmp_path)
    assert found.outcome("tls") == "ok"
    assert "for 127.0.0.1, until 3000-01-01" in found.said("tls")


def test_a_certificate_of_an_authority_nobody_knows(tmp_path: Path) -> None:
    found = tls_fault(trustme.CA(), trustme.CA().issue_cert("127.0.0.1"), tmp_path)
    assert found.failed[0] == "tls"
    assert "authority" in found.said("tls")
    assert found.said("token") == "skipped because of: tls"


def test_a_certificate_of_another_host(tmp_path: Path) -> None:
    authority = trustme.CA()
    found = tls_fault(authority, authority.issue_cert("other.example"), tmp_path)
    assert "not for 127.0.0.1" in found.said("tls")


@pytest.mark.parametrize(("days", "sentence"), [(-1, "has expired"), (3, "ends on")])
def test_a_certificate_that_ends(tmp_path: Path, days: int, sentence: str) -> None:
    authority = trustme.CA()
    ends = datetime.now(UTC) + timedelta(days=days)
    found = tls_fault(authority, authority.issue_cert("127.0.0.1", not_after=ends), tmp_path)
    assert found.failed[0] == "tls"
    assert sentence in found.said("tls")


def test_https_where_there_is_http(collector: CollectorProcess, tmp_path: Path) -> None:
    url = collector.url.replace("http:", "https:")
    found = examine(tmp_path, NODE_ID="n1", BEARER_TOKEN="t", CENTRAL_URL=url)
    assert "http instead of https" in found.said("tls")


def test_http_where_there_is_https(tmp_path: Path) -> None:
    with running_collector(tmp_path / "data", "--tls", "auto") as collector:
        url = collector.url.replace("https:", "http:")
        found = examine(tmp_path, NODE_ID="n1", BEARER_TOKEN="t", CENTRAL_URL=url)
    assert found.failed[0] == "collector"
    assert f"TLS is spoken there: set CENTRAL_URL to {collector.url}," in found.said("collector")


# --- who answers, and what it thinks of the token -----------------------------------------------


class Stranger(http.server.BaseHTTPRequestHandler):
    """Answers as told, in the server's ``answers`` by path, with the server's ``clock_s`` off."""

    def do_GET(self) -> None:
        answers, offset_s = self.server.told  # type: ignore[attr-defined]
        status, body = answers.get(self.path, (404, b"<html>Hotel Wi-Fi</html>"))
        self.send_response_only(status)
        date = datetime.now(UTC) + timedelta(seconds=offset_s)
        self.send_header("Date", format_datetime(date, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextmanager
def stranger(answers: dict[str, tuple[int, bytes]], clock_s: float = 0.0) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    server.told = (answers, clock_s)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_somebody_else_answers(collector: CollectorProcess, tmp_path: Path) -> None:
    with stranger({}) as url:
        found = examine(tmp_path, NODE_ID="n1", BEARER_TOKEN="t", CENTRAL_URL=url)
    assert found.failed[0] == "collector"
    assert "no collector (status 404)" in found.said("collector")
    # A path that is not the collector's: it speaks HTTP, and knows no such thing.
    path = f"{collector.url}/nowhere"
    found = examine(tmp_path, NODE_ID="n1", BEARER_TOKEN="t", CENTRAL_URL=path)
    assert found.failed[0] == "collector"


def test_a_collector_in_trouble(tmp_path: Path) -> None:
    trouble = {"/healthz": (200, b'{"status": "ok"}'), "/api/whoami": (503, b'{"detail": "full"}')}
    with stranger(trouble) as url:
        found = examine(tmp_path, NODE_ID="n1", BEARER_TOKEN="t", CENTRAL_URL=url)
    assert found.failed[0] == "token"
    assert "answers 503 (full): try again in a moment" in found.said("token")


def test_a_token_that_is_wrong(collector: CollectorProcess, tmp_path: Path) -> None:
    found = examine(tmp_path, **{**good(collector, "wrong"), "BEARER_TOKEN": "forge_wrong"})
    assert found.failed[0] == "token"
    assert "join again" in found.said("token")
    assert "forge_wrong" not in str(found)


def test_the_token_of_another_node(collector: CollectorProcess, tmp_path: Path) -> None:
    found = examine(tmp_path, **{**good(collector, "theirs"), "NODE_ID": "mine"})
    assert found.failed[0] == "token"
    assert "that of theirs, and NODE_ID is mine" in found.said("token")


def test_a_viewers_token(collector: CollectorProcess, tmp_path: Path) -> None:
    token = collector.mint(role="viewer", name="wall")
    found = examine(tmp_path, **{**good(collector, "n2"), "BEARER_TOKEN": token})
    assert "a viewer's and no node's" in found.said("token")


WELL = {
    "/healthz": (200, b'{"status": "ok"}'),
    "/api/whoami": (200, b'{"role": "node", "node_id": "n1"}'),
}


@pytest.mark.parametrize(
    ("clock_s", "sentence"), [(-3600, "s ahead of"), (3600, "s behind"), (2, "as the collector's")]
)
def test_a_clock_that_is_off(tmp_path: Path, clock_s: float, sentence: str) -> None:
    with stranger(WELL, clock_s) as url:
        found = examine(tmp_path, NODE_ID="n1", BEARER_TOKEN="t", CENTRAL_URL=url)
    assert sentence in found.said("clock")
    assert ("clock" in found.failed) is (abs(clock_s) > 5)
    if "clock" in found.failed:
        assert "timedatectl" in found.said("clock")


def test_what_others_say_cannot_steer_the_terminal(tmp_path: Path) -> None:
    answers = {**WELL, "/api/whoami": (200, b'{"role": "\\u001b[31mred\\n", "node_id": "n1"}')}
    with stranger(answers) as url:
        _, text = run_doctor(tmp_path, NODE_ID="n1", BEARER_TOKEN="t", CENTRAL_URL=url)
    assert "\x1b" not in text
    assert len(text.splitlines()) == len(ORDER)


# --- this machine -------------------------------------------------------------------------------


def examined(state: Path, *reports: Report, **settings: str) -> dict[str, doctor.Check]:
    """Examine a state folder in this process, with what the service's manager would say."""
    where = Whereabouts(None, (), state)
    checks = doctor.Examination(where, lambda: list(reports)).run()
    return {check.name: check for check in checks}


def test_what_it_suggests_is_for_the_agent_that_was_named(tmp_path: Path) -> None:
    named = argparse.Namespace(config=None, state_dir=str(tmp_path))
    where = Whereabouts(None, (), tmp_path)
    said = {check.name: check.said for check in doctor.Examination(where, list, named).run()}
    assert said["service"] == f"no agent runs: `forge-agent run --state-dir {tmp_path}`."
    assert f"`forge-agent work on --state-dir {tmp_path}`" in said["work"]
    (tmp_path / "work.json").write_text("{")
    said = {check.name: check.said for check in doctor.Examination(where, list, named).run()}
    assert f"`forge-agent work on --state-dir {tmp_path}` writes it anew" in said["work"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """As another user: root may write everywhere."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    program = f"""
import os
from pathlib import Path
from forge_agent import doctor, whereabouts
if os.geteuid() == 0: os.setuid(65534)
where = whereabouts.Whereabouts(None, (), Path({str(closed)!r}))
print([c for c in doctor.Examination(where, list).run() if c.name == "disk"][0])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=30
    )
    assert "outcome='failed'" in done.stdout
    assert "sudo forge-agent doctor" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_is_full(collector: CollectorProcess, tmp_path: Path, kind: str) -> None:
    with KINDS[kind](tmp_path / "disk") as disk:
        (disk.path / "lock").write_text("x")
        settings = {**good(collector, "small"), "FORGE_STATE_DIR": str(disk.path)}
        if kind == "tmpfs":
            found = examine(tmp_path, **settings)
            assert found.failed[0] == "disk"
            assert "the spool may grow to 256 MiB" in found.said("disk")
        file = written(tmp_path, **settings, FORGE_SPOOL_MAX_MIB="4")
        assert look(file).outcome("disk") == "ok"
        disk.fill(os.getpid(), leave_kib=0)
        found = look(file)
        disk.make_room()
        assert "make room" in found.said("disk")


SERVICE = Report("systemd", user=False, installed=True, running=True, pid=1)


def test_the_service(tmp_path: Path) -> None:
    assert examined(tmp_path)["service"].outcome == "failed"
    assert examined(tmp_path, SERVICE)["service"].outcome == "ok"
    stopped = examined(tmp_path, SERVICE._replace(running=False))["service"]
    assert stopped.outcome == "failed"
    assert "journalctl -u forge-agent" in stopped.said
    absent = examined(tmp_path, SERVICE._replace(installed=False))["service"]
    assert "no agent runs" in absent.said


def test_a_link_in_the_state_folder_is_not_written_through(tmp_path: Path) -> None:
    file, other = written(tmp_path), tmp_path / "other"
    other.write_text("root's")
    (tmp_path / "state" / f".doctor-{os.getpid()}").symlink_to(other)
    assert look(file).outcome("disk") != "failed"
    assert other.read_text() == "root's"


def test_what_was_lost_and_what_waits_too_long(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "0000000001.ndjson").write_text('{"seq":1,"ts":1700000000000}\n' * 10)
    waiting = examined(tmp_path)["spool"]
    assert waiting.outcome == "failed"
    assert "about 10 snapshots wait" in waiting.said
    note = {
        **dict.fromkeys(("version", "boot_id", "node_id", "url", "reason"), ""),
        **dict.fromkeys(("pid", "started_at", "noted_at", "since", "spool_bytes", "interval_s"), 1),
        "connection": "online",
        "last_push_at": None,
        "dropped": 17,
    }
    (tmp_path / "status.json").write_text(json.dumps(note))
    assert "17 snapshots were lost" in examined(tmp_path)["spool"].said
