"""Joining real collectors: once, again, cut off at every step, and refused."""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import stat
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from forge_agent import cli, config, places
from forge_agent.lock import FileLock
from forge_agent.service import command
from forge_shared import identity, joining
from forge_shared.joining import JoinString
from tests.integration.agent.fleets import Fleet, running_fleet
from tests.process import PATIENCE_S, environment, running_collector, wait_for


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("fleet") / "data", with_tls=True) as running:
        yield running


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("plain") / "data", with_tls=False) as running:
        yield running


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Fleet]:
    """A collector with a certificate that its owner gave it."""
    authority, ca_file, pem = trustme.CA(), tmp_path / "given-ca.pem", tmp_path / "given.pem"
    authority.cert_pem.write_to_path(ca_file)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    options = ("--tls-cert", str(pem), "--tls-key", str(pem))
    with running_collector(tmp_path / "data", *options) as process:
        yield Fleet(process, ca_file)


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Machine:
    """A machine that joins, by a settings file of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder / "forge"
        self.settings = self.folder / "agent.toml"
        self._capsys = capsys

    def join(self, *arguments: str) -> Ended:
        code = cli.main(["join", "--config", str(self.settings), *arguments])
        return Ended(code, *self._capsys.readouterr())

    def joined(self, *arguments: str) -> str:
        """Join, and return what was said."""
        ended = self.join(*arguments)
        assert (ended.code, ended.err) == (0, "")
        return ended.out

    def refused(self, *arguments: str, code: int = 1) -> str:
        """Fail to join, and return why."""
        ended = self.join(*arguments)
        assert ended.code == code, ended
        assert ended.err.startswith("forge-agent: ")
        return ended.err

    def values(self) -> dict[str, str]:
        return tomllib.loads(self.settings.read_text())

    @property
    def token_id(self) -> str:
        credential = identity.parse(self.values()["BEARER_TOKEN"])
        assert credential is not None
        return credential.id

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()} - {"agent.toml.lock"}


@pytest.fixture
def machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Machine:
    for name in config.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return Machine(tmp_path, capsys)


def code_of(string: str) -> str:
    return joining.parse(string).code


# --- the usual way ------------------------------------------------------------------------------


def test_a_machine_that_joined_pushes_over_the_tls_it_was_told_to_trust(
    fleet: Fleet, machine: Machine, tmp_path: Path
) -> None:
    said = machine.joined(fleet.invite(), "--node-id", "pushes")
    fingerprint = joining.parse(fleet.invite()).ca_fingerprint
    assert fingerprint is not None
    assert joining.grouped(fingerprint) in said
    assert "`forge-agent install" in said
    assert machine.files() == {"agent.toml", "ca.pem"}
    assert stat.S_IMODE(machine.settings.stat().st_mode) == 0o600
    assert stat.S_IMODE(machine.folder.stat().st_mode) & 0o022 == 0
    assert fleet.token_ids("pushes") == [machine.token_id]
    agent = subprocess.Popen(
        [
            *(sys.executable, "-m", "forge_agent", "run"),
            *("--config", str(machine.settings), "--state-dir", str(tmp_path / "state")),
        ],
        env=environment(),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: b'"id":"pushes"' in fleet.ask("/api/fleet").body, "the first push")
    finally:
        agent.terminate()
        assert agent.wait(PATIENCE_S) == 0


def test_the_host_names_a_machine_that_has_no_name_yet(fleet: Fleet, machine: Machine) -> None:
    machine.joined(fleet.invite())
    assert machine.values()["NODE_ID"].startswith(socket.gethostname()[:20])


def test_a_join_string_is_read_from_standard_input(
    plain: Fleet, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    string = plain.invite()
    with subprocess.Popen(["echo", string], stdout=subprocess.PIPE, text=True) as echo:
        assert echo.stdout is not None
        monkeypatch.setattr(sys, "stdin", echo.stdout)
        assert "not protected by TLS" in machine.joined("-", "--node-id", "by-stdin")
    assert "FORGE_CA_FILE" not in machine.values()


def test_joining_again_changes_nothing(fleet: Fleet, machine: Machine) -> None:
    string = fleet.invite()
    machine.joined(string, "--node-id", "again")
    before = machine.settings.read_bytes()
    for line in ([string], [fleet.invite()], [string, "--replace"]):
        assert "already: again at" in machine.joined(*line)
    assert machine.settings.read_bytes() == before
    assert fleet.token_ids("again") == [machine.token_id]


def test_joining_again_says_when_the_collector_is_silent(machine: Machine, tmp_path: Path) -> None:
    with running_fleet(tmp_path / "data", with_tls=False) as short:
        string = short.invite()
        machine.joined(string)
    assert "silent: nothing listens there" in machine.joined(string)


def test_a_machine_whose_token_was_revoked_joins_anew(fleet: Fleet, machine: Machine) -> None:
    machine.joined(fleet.invite(), "--node-id", "revoked")
    fleet.remove(f"/api/tokens/{machine.token_id}")
    said = machine.joined(fleet.invite(node_id="revoked"))
    assert "does not know its token any more" in said
    assert fleet.token_ids("revoked") == [machine.token_id]


def test_the_same_collector_is_followed_to_another_address(fleet: Fleet, machine: Machine) -> None:
    machine.joined(fleet.invite(), "--node-id", "moved")
    before = machine.values()
    text = machine.settings.read_text()
    machine.settings.write_text(text.replace(fleet.url, "https://127.0.0.1:9"))
    said = machine.joined(fleet.invite())
    assert f"Its address is {fleet.url} from now on" in said
    assert machine.values() == before


# --- another collector --------------------------------------------------------------------------


def test_another_collector_needs_to_be_asked_for(
    fleet: Fleet, plain: Fleet, machine: Machine
) -> None:
    machine.joined(plain.invite(), "--node-id", "leaves")
    with machine.settings.open("a") as settings:
        settings.write("# mine\nFORGE_INTERVAL_S = 60\n")
    before = machine.settings.read_bytes()
    string = fleet.invite()
    assert "add --replace" in machine.refused(string)
    used_up = fleet.invite()
    Machine(machine.folder / "other", machine._capsys).joined(used_up)
    assert "as it is for" in machine.refused(used_up, "--replace")
    assert machine.settings.read_bytes() == before
    machine.joined(string, "--replace", "--node-id", "comes")
    assert "# mine\nFORGE_INTERVAL_S = 60\n" in machine.settings.read_text()
    assert machine.values()["CENTRAL_URL"] == fleet.url
    assert fleet.token_ids("comes") == [machine.token_id]
    assert "already" in machine.joined(string, "--replace")


def test_the_authority_of_the_old_collector_is_kept_until_nobody_needs_it(
    fleet: Fleet, machine: Machine, tmp_path: Path
) -> None:
    with running_fleet(tmp_path / "data", with_tls=True) as old:
        machine.joined(old.invite())
        old_authority = Path(machine.values()["FORGE_CA_FILE"]).read_bytes()
        dead = JoinString(fleet.url, fingerprint_of(fleet), identity.mint_code())
        assert "does not know the invite" in machine.refused(str(dead), "--replace")
        assert Path(machine.values()["FORGE_CA_FILE"]).read_bytes() == old_authority
        assert "already" in machine.joined(old.invite())
        machine.joined(fleet.invite(), "--replace")
    assert Path(machine.values()["FORGE_CA_FILE"]).read_bytes() != old_authority


def test_a_certificate_of_the_owners_is_trusted_by_the_authority_that_they_named(
    fleet: Fleet, given: Fleet, machine: Machine
) -> None:
    machine.folder.mkdir()
    machine.settings.write_text(f'FORGE_CA_FILE = "{given.ca_file}"\n')
    string = given.invite()
    machine.joined(string, "--node-id", "by-a-given-one")
    before = machine.values()
    assert before["FORGE_CA_FILE"] == str(given.ca_file)
    assert "already: by-a-given-one" in machine.joined(string)
    assert machine.values() == before
    text = machine.settings.read_text()
    machine.settings.write_text(text.replace(str(given.ca_file), str(fleet.ca_file)))
    assert "add --replace" in machine.joined(string)


def test_the_authority_of_a_collector_that_was_left_is_not_the_next_ones(
    fleet: Fleet, given: Fleet, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.joined(fleet.invite())
    monkeypatch.setenv("SSL_CERT_FILE", str(given.ca_file))
    machine.joined(given.invite(), "--replace", "--node-id", "left")
    assert "FORGE_CA_FILE" not in machine.values()
    assert given.token_ids("left") == [machine.token_id]


def fingerprint_of(fleet: Fleet) -> bytes:
    fingerprint = joining.parse(fleet.invite()).ca_fingerprint
    assert fingerprint is not None
    return fingerprint


# --- cut off ------------------------------------------------------------------------------------

# Joins in processes that are killed before one of the steps that leave something behind, a later
# one each time; then, with the same line, in one that is left alone.
KILLED = """
import json, os, pathlib, signal, sys
from forge_agent import authority, cli, join
from forge_agent.transport import Connection

folder, string = sys.argv[1:]

def in_a_process(name, killed_at):
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    steps = 0

    def step():
        nonlocal steps
        steps += 1
        if steps == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(holder, attribute):
        done = getattr(holder, attribute)

        def around(*args, **kwargs):
            step()
            return done(*args, **kwargs)

        setattr(holder, attribute, around)

    for holder, attribute in [(os, "fsync"), (os, "replace"), (os, "unlink"),
                              (Connection, "get"), (Connection, "post")]:
        watched(holder, attribute)
    sys.stdout = sys.stderr = open(os.devnull, "w")
    os._exit(cli.main(["join", "--config", f"{folder}/{name}/agent.toml", "--node-id", name,
                       string]))

for number in range(1, 100):
    first = in_a_process(f"m{number}", number)
    second = in_a_process(f"m{number}", 0)
    print(json.dumps([f"m{number}", first, second]), flush=True)
    if first == 0:
        break
"""


def test_a_join_that_is_killed_at_any_step_ends_well_with_the_same_line(
    fleet: Fleet, machine: Machine, tmp_path: Path
) -> None:
    string = fleet.invite(uses=100)
    program = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), string],
        env=environment(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    runs = [json.loads(line) for line in program.stdout.splitlines()]
    assert [run[1:] for run in runs] == [[-9, 0]] * (len(runs) - 1) + [[0, 0]]
    assert len(runs) > 12
    for name, _, _ in runs:
        joined = Machine(tmp_path, machine._capsys)
        joined.folder, joined.settings = tmp_path / name, tmp_path / name / "agent.toml"
        assert joined.files() == {"agent.toml", "ca.pem"}
        assert fleet.token_ids(name) == [joined.token_id]
    invite = next(one for one in fleet.invites() if one["id"] == identity.code_id(code_of(string)))
    assert invite["used"] == len(runs)


def test_a_lost_reply_is_harmless(plain: Fleet, machine: Machine) -> None:
    with relay(plain.process.port) as (port, swallow):
        string = JoinString(f"http://127.0.0.1:{port}", None, code_of(plain.invite()))
        swallow.set()
        assert "same line again" in machine.refused(str(string), "--node-id", "lost")
        (token_id,) = plain.token_ids("lost")
        assert machine.files() == {"agent.toml.joining"}
        assert stat.S_IMODE((machine.folder / "agent.toml.joining").stat().st_mode) == 0o600
        swallow.clear()
        machine.joined(str(string), "--node-id", "lost")
    assert machine.token_id == token_id
    assert plain.token_ids("lost") == [token_id]


def test_a_lost_reply_is_harmless_with_another_invite_too(plain: Fleet, machine: Machine) -> None:
    with relay(plain.process.port) as (port, swallow):
        url = f"http://127.0.0.1:{port}"
        swallow.set()
        machine.refused(str(JoinString(url, None, code_of(plain.invite()))), "--node-id", "lost2")
        swallow.clear()
        machine.joined(str(JoinString(url, None, code_of(plain.invite()))))
    assert plain.token_ids("lost2") == [machine.token_id]
    assert machine.values()["NODE_ID"] == "lost2"


@contextmanager
def relay(target: int) -> Iterator[tuple[int, threading.Event]]:
    """A port that leads to another, and an event: while it is set, answers get lost."""
    swallow, stopping = threading.Event(), threading.Event()

    def carry(client: socket.socket) -> None:
        with client, closing(socket.create_connection(("127.0.0.1", target))) as server:
            while True:
                readable, _, _ = select.select([client, server], [], [], PATIENCE_S)
                if not readable:
                    return
                for source, sink in ((client, server), (server, client)):
                    if source not in readable:
                        continue
                    content = source.recv(65536)
                    if not content or (source is server and swallow.is_set()):
                        return
                    sink.sendall(content)

    def serve() -> None:
        while True:
            client, _ = listener.accept()
            if stopping.is_set():
                client.close()
                return
            carry(client)

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], swallow
        finally:
            stopping.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join(PATIENCE_S)


def test_two_joins_at_once_are_one_after_the_other(plain: Fleet, machine: Machine) -> None:
    machine.folder.mkdir()
    lock = FileLock(machine.folder / "agent.toml.lock")
    assert "another process" in machine.refused(plain.invite())
    lock.release()


# --- refused ------------------------------------------------------------------------------------


def used_up(fleet: Fleet, machine: Machine) -> str:
    string = fleet.invite()
    Machine(machine.folder / "other", machine._capsys).joined(string)
    return string


def revoked(fleet: Fleet, _machine: Machine) -> str:
    string = fleet.invite()
    fleet.remove(f"/api/invites/{identity.code_id(code_of(string))}")
    return string


def unknown(fleet: Fleet, _machine: Machine) -> str:
    return str(JoinString(fleet.url, fingerprint_of(fleet), identity.mint_code()))


@pytest.mark.parametrize(
    ("invite", "said"),
    [(used_up, "it is for"), (revoked, "was revoked"), (unknown, "does not know the invite")],
)
def test_each_refusal_is_told(
    fleet: Fleet, machine: Machine, invite: Callable[[Fleet, Machine], str], said: str
) -> None:
    told = machine.refused(invite(fleet, machine))
    assert said in told
    assert "forgectl invite" in told
    assert not machine.settings.exists()


def test_a_name_that_is_taken_is_told(fleet: Fleet, machine: Machine) -> None:
    machine.joined(fleet.invite(), "--node-id", "taken")
    other = Machine(machine.folder / "other", machine._capsys)
    assert "taken is another machine's" in other.refused(fleet.invite(), "--node-id", "taken")


def test_nobody_there_is_told(machine: Machine) -> None:
    string = JoinString("https://127.0.0.1:9", bytes(32), identity.mint_code())
    told = machine.refused(str(string))
    assert "cannot be reached: nothing listens there" in told
    assert machine.files() == set()


def test_a_name_that_cannot_be_resolved_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    string = JoinString("http://nas.example", None, identity.mint_code())
    assert "host name cannot be resolved" in machine.refused(str(string))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ([], "Give the join string"),
        (["forge_join_AAAA"], "incomplete or mistyped"),
        (["a" * 26], "add --discover"),
        (["forge_join_AAAA", "--node-id", "näs"], "--node-id 'näs' cannot be used"),
        (["forge_join_AAAA", "--fingerprint", "00"], "goes with --discover"),
    ],
)
def test_wrong_use_is_told(machine: Machine, line: list[str], said: str) -> None:
    assert said in machine.refused(*line, code=2)
    assert not machine.folder.exists()


def test_settings_that_cannot_be_read_are_not_written_over(plain: Fleet, machine: Machine) -> None:
    machine.folder.mkdir()
    machine.settings.write_text("NODE_ID = ")
    assert "repair it, or move it away" in machine.refused(plain.invite())
    assert machine.settings.read_text() == "NODE_ID = "


def test_a_place_that_cannot_be_written_is_told_before_the_code_is_used(
    plain: Fleet, machine: Machine, tmp_path: Path
) -> None:
    machine.folder.write_text("no folder")
    string = plain.invite()
    assert f"{machine.folder} cannot be written" in machine.refused(string)
    machine.folder.unlink()
    machine.joined(string)


def test_other_settings_that_would_win_are_told(
    plain: Fleet, machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NODE_ID", "old")
    (tmp_path / ".env").write_text("export BEARER_TOKEN='old'\n")
    ended = machine.join(plain.invite())
    assert ended.code == 0
    assert "the environment sets NODE_ID, which wins" in ended.err
    assert ".env sets BEARER_TOKEN, which wins" in ended.err


def test_to_install_for_all_needs_the_rights_before_anything_is_sent(
    plain: Fleet, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "may_use_the_machines", lambda: False)
    string = plain.invite()
    assert "with --user. Nothing was changed" in machine.refused("--install", string)
    assert not machine.folder.exists()


def test_to_install_is_the_next_step_of_the_same_line(
    plain: Fleet, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[argparse.Namespace] = []

    def install(given: argparse.Namespace) -> int:
        asked.append(given)
        return 1

    monkeypatch.setattr(command, "install_joined", install)
    string = plain.invite()
    for _ in range(2):  # a member already goes on to it as well
        assert machine.join("--install", "--user", string).code == 1
    expected = argparse.Namespace(user=True, config=machine.settings)
    assert asked == [expected, expected]


def test_a_user_alone_gets_a_folder_that_is_theirs(
    plain: Fleet, machine: Machine, tmp_path: Path
) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "forge_agent", "join", "--user", plain.invite()],
        env=environment(HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path / "config")),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    folder = tmp_path / "config" / "forge-fleet"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert f"Its settings are in {folder / 'agent.toml'}" in process.stdout
    assert "`forge-agent install --user`" in process.stdout


def test_the_token_is_never_shown(fleet: Fleet, machine: Machine) -> None:
    string = fleet.invite()
    said = machine.joined(string)
    assert machine.values()["BEARER_TOKEN"] not in said
    assert code_of(string) not in said
    assert os.environ.get("BEARER_TOKEN") is None
