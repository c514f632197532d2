"""Setting the service up and taking it away, in a root of the test's own. Where no systemd runs, a
program that keeps a record stands for systemctl; the files are real, and so is what is copied."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from forge_agent.config import SettingsError
from forge_agent.log import NEUTRAL
from forge_agent.places import Places
from forge_agent.service import command, program
from forge_agent.service.carrying_out import StepFailedError, Tools, carry_out
from forge_agent.service.child import Child
from forge_agent.service.command import RefusedError, Target
from forge_agent.service.described import Call
from forge_agent.service.systemd import Systemd
from tests.process import environment, wait_for

SETTINGS = 'NODE_ID = "n1"\nCENTRAL_URL = "http://127.0.0.1:1"\nBEARER_TOKEN = "secret-token"\n'

# Knows what a unit is by its file, and that it was started by its own record.
SYSTEMCTL = """#!/bin/sh
echo "$*" >> {record}
case "$*" in
    --version) echo "systemd 252 (252)" ;;
    *" show "*)
        test -e {unit} && echo LoadState=loaded || echo LoadState=not-found
        grep -q " restart " {record} && echo ActiveState=active
        exit 0 ;;
    *" {broken} "*) printf 'Job failed.\\033[31m See the log\\n' >&2; exit 1 ;;
esac
"""


class Root:
    """A machine's folders, and what systemctl was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unit = folder / "etc/systemd/system/forge-agent.service"
        self._record = folder / "record"
        self._record.touch()
        (folder / "run/systemd/system").mkdir(parents=True)
        state = folder / "var/lib/forge-agent"
        self.places = Places(
            config_file=folder / "etc/forge-fleet/agent.toml",
            ca_file=folder / "etc/forge-fleet/ca.pem",
            state_dir=state,
            program_dir=state / "program",
            launcher_dir=folder / "usr/local/libexec/forge-agent",
            command_link=folder / "usr/local/bin/forge-agent",
        )
        self.breaks("nothing")

    def breaks(self, verb: str) -> None:
        systemctl = self.folder / "bin/systemctl"
        systemctl.parent.mkdir(exist_ok=True)
        systemctl.write_text(
            SYSTEMCTL.format(record=self._record, unit=self.unit, broken=verb), encoding="utf-8"
        )
        systemctl.chmod(0o755)

    def joined(self) -> None:
        self.places.config_file.parent.mkdir(parents=True, exist_ok=True)
        self.places.config_file.touch(mode=0o600)
        self.places.config_file.write_text(SETTINGS)

    def target(self, *, user: bool = False, environ: Mapping[str, str] | None = None) -> Target:
        tools = Tools([self.folder / "bin"])
        manager = Systemd(tools, user=user, root=self.folder, home=self.folder / "home")
        return Target(user, self.places, manager, tools, environ or {}, self.folder, 0)

    def told(self) -> list[str]:
        lines = self._record.read_text().splitlines()
        return [line.removeprefix("--no-ask-password ") for line in lines if " show " not in line]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    # pytest's folders are closed to others, whom the service would be one of.
    monkeypatch.setattr(command, "_is_open_to_all", lambda _: True)
    return Root(tmp_path)


@pytest.fixture
def frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a frozen program, as PyInstaller leaves it for its owner alone."""
    folder = tmp_path / "download/forge-agent"
    (folder / "_internal").mkdir(parents=True, mode=0o700)
    (folder / "_internal/library.zip").touch(mode=0o600)
    (folder / "_internal/libpython.so.1").touch(mode=0o600)
    (folder / "_internal/libpython.so").symlink_to("libpython.so.1")
    (folder / "forge-agent").touch(mode=0o700)
    (folder / "forge-agent").write_text("first")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", str(folder / "_internal"), raising=False)
    monkeypatch.setattr(sys, "executable", str(folder / "forge-agent"))
    return folder


def test_a_python_is_set_up_as_a_service(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    root.joined()
    command.set_up(root.target())
    assert root.told() == [
        "--version",
        "daemon-reload",
        "enable forge-agent.service",
        "restart forge-agent.service",
    ]
    unit = root.unit.read_text()
    assert f"ExecStart={sys.executable} -P -m forge_agent run --config" in unit
    assert f"LoadCredential=agent.toml:{root.places.config_file}" in unit
    assert "secret-token" not in unit
    said = capsys.readouterr().out.splitlines()
    # Nothing is started by the recording, so nothing is heard of it.
    assert [line[:2] for line in said] == ["✓ ", "✓ ", "✓ ", f"{NEUTRAL} ", "  "]
    assert "forge-agent doctor" in said[3]
    assert not root.places.launcher_dir.exists()


def test_a_program_is_copied_where_all_may_run_and_none_may_change_it(
    root: Root, frozen: Path
) -> None:
    root.joined()
    command.set_up(root.target())
    launcher = root.places.launcher_dir
    assert (launcher / "forge-agent").stat().st_mode & 0o777 == 0o755
    assert (launcher / "_internal").stat().st_mode & 0o777 == 0o755
    assert (launcher / "_internal/library.zip").stat().st_mode & 0o777 == 0o644
    assert (launcher / "_internal/libpython.so").readlink() == Path("libpython.so.1")
    assert root.places.command_link is not None
    assert root.places.command_link.resolve() == launcher / "forge-agent"
    # The launcher finds its own version below the folder that updates go into.
    assert (root.places.program_dir / "launcher").resolve() == launcher
    assert f"ExecStart={launcher}/forge-agent launch --program-dir" in root.unit.read_text()


def test_to_install_again_replaces_the_program_and_restarts(root: Root, frozen: Path) -> None:
    root.joined()
    command.set_up(root.target())
    (frozen / "forge-agent").write_text("second")
    (frozen / "_internal/library.zip").unlink()
    command.set_up(root.target())
    launcher = root.places.launcher_dir
    assert (launcher / "forge-agent").read_text() == "second"
    assert not (launcher / "_internal/library.zip").exists()
    assert [path.name for path in launcher.parent.iterdir()] == ["forge-agent"]
    assert root.told().count("restart forge-agent.service") == 2


def test_the_installed_program_can_install_itself_again(
    root: Root, frozen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root.joined()
    command.set_up(root.target())
    monkeypatch.setattr(sys, "executable", str(root.places.launcher_dir / "forge-agent"))
    monkeypatch.setattr(sys, "_MEIPASS", str(root.places.launcher_dir / "_internal"))
    command.set_up(root.target())
    assert (root.places.launcher_dir / "forge-agent").read_text() == "first"


def test_a_single_file_is_refused(
    root: Root, frozen: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path / "_MEI123"))
    assert program.is_single_file()
    with pytest.raises(RefusedError, match="folder build"):
        command.set_up(root.target())
    assert root.told() == []


def test_without_settings_it_says_to_join(root: Root) -> None:
    with pytest.raises(RefusedError, match="join STRING") as caught:
        command.set_up(root.target())
    assert caught.value.exit_code == 2
    assert root.told() == ["--version"]
    assert not root.unit.exists()


def test_a_machine_that_joined_and_starts_no_services_keeps_the_program(
    root: Root, frozen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root.joined()
    (root.folder / "run/systemd/system").rmdir()
    for content in ("first", "second"):  # the same line again brings a newer one
        (frozen / "forge-agent").write_text(content)
        command.set_up_or_keep(root.target())
        *_, said, line = capsys.readouterr().out.splitlines()
        assert "systemd does not run here" in said
        assert line == f"    {root.places.command_link} run"
        assert Path(line.split()[0]).read_text() == content
    assert root.told() == []
    command.take_away(root.target(), purge=False)
    assert not root.places.launcher_dir.exists()


def test_what_stays_where_it_is_is_named_there(
    root: Root,
    frozen: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (root.folder / "run/systemd/system").rmdir()
    settings = root.folder / "my settings.toml"
    monkeypatch.setattr(sys, "_MEIPASS", str(root.folder / "_MEI123"))  # a single file
    command.set_up_or_keep(root.target(), settings)
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == f"    {frozen / 'forge-agent'} run --config '{settings}'"
    monkeypatch.undo()
    command.set_up_or_keep(root.target())
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == f"    {sys.executable} -P -m forge_agent run"
    assert not root.places.launcher_dir.exists()


def test_where_services_are_started_a_machine_that_joined_gets_one(root: Root) -> None:
    root.joined()
    command.set_up_or_keep(root.target())
    assert "restart forge-agent.service" in root.told()
    root.breaks("restart")
    with pytest.raises(StepFailedError):
        command.set_up_or_keep(root.target())


def test_settings_of_the_environment_are_kept_for_the_service(root: Root) -> None:
    given = {"NODE_ID": "n1", "CENTRAL_URL": "http://h:1", "BEARER_TOKEN": "secret-token"}
    (root.folder / ".env").write_text("FORGE_INTERVAL_S=30\nNODE_ID=other\nUNKNOWN=1\n")
    command.set_up(root.target(environ=given))
    kept = root.places.config_file
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_text().splitlines() == [
        'NODE_ID = "n1"',
        'CENTRAL_URL = "http://h:1"',
        'BEARER_TOKEN = "secret-token"',
        'FORGE_INTERVAL_S = "30"',
    ]
    # From now on the file alone counts.
    command.set_up(root.target(environ={**given, "FORGE_DISKS": "sda"}))
    assert "FORGE_DISKS" not in kept.read_text()


def test_wrong_settings_are_no_service(root: Root) -> None:
    root.joined()
    root.places.config_file.write_text('NODE_ID = "n1"\n')
    with pytest.raises(SettingsError):
        command.set_up(root.target())
    assert not root.unit.exists()


def test_a_certificate_beside_the_settings_is_made_readable(root: Root) -> None:
    root.joined()
    with root.places.config_file.open("a") as settings:
        settings.write(f'FORGE_CA_FILE = "{root.places.ca_file}"\n')
    root.places.ca_file.touch(mode=0o600)
    root.places.ca_file.parent.chmod(0o700)
    command.set_up(root.target())
    assert root.places.ca_file.stat().st_mode & 0o777 == 0o644
    assert root.places.ca_file.parent.stat().st_mode & 0o777 == 0o755
    assert root.places.config_file.stat().st_mode & 0o777 == 0o600


def test_what_the_service_could_not_read_is_refused(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    root.joined()
    root.folder.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(root.folder / "python"))
    with pytest.raises(RefusedError, match="could not run"):
        command.set_up(root.target())
    with root.places.config_file.open("a") as settings:
        settings.write(f'FORGE_CA_FILE = "{root.folder / "own.pem"}"\n')
    with pytest.raises(RefusedError, match="could not read"):
        command.set_up(root.target())
    assert not root.unit.exists()


@pytest.mark.parametrize("verb", ["enable", "restart"])
def test_what_cannot_be_started_leaves_nothing_behind(root: Root, frozen: Path, verb: str) -> None:
    root.joined()
    root.breaks(verb)
    with pytest.raises(StepFailedError) as caught:
        command.set_up(root.target())
    assert "Job failed." in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert not root.unit.exists()
    assert not root.places.launcher_dir.exists()
    assert root.places.command_link is not None
    assert not root.places.command_link.is_symlink()
    assert root.places.config_file.exists()


def test_a_service_that_was_there_survives_a_failure(root: Root) -> None:
    root.joined()
    command.set_up(root.target())
    root.breaks("restart")
    with pytest.raises(StepFailedError):
        command.set_up(root.target())
    assert root.unit.exists()


def test_taking_it_away_keeps_settings_and_spool(
    root: Root, frozen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root.joined()
    command.set_up(root.target())
    spool = root.places.state_dir / "spool/0000000001.ndjson"
    spool.parent.mkdir()
    spool.write_text("{}\n")
    capsys.readouterr()
    command.take_away(root.target(), purge=False)
    assert "disable --now forge-agent.service" in root.told()
    assert not root.unit.exists()
    assert not root.places.launcher_dir.exists()
    assert not root.places.program_dir.exists()
    assert root.places.command_link is not None
    assert not root.places.command_link.is_symlink()
    assert spool.exists()
    kept = capsys.readouterr().out.splitlines()[-1]
    assert str(root.places.config_file) in kept
    assert str(root.places.state_dir) in kept


def test_a_program_that_does_not_fit_is_told_and_leaves_nothing(root: Root, frozen: Path) -> None:
    root.joined()
    (frozen / "_internal/libpython.so.1").write_bytes(bytes(1024 * 1024))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A write beyond it fails as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            command.set_up(root.target())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "libpython.so.1" in str(caught.value.filename)
    assert list(root.places.launcher_dir.parent.iterdir()) == []


def test_purging_leaves_nothing(root: Root, frozen: Path) -> None:
    root.joined()
    command.set_up(root.target())
    # As systemd leaves it for a dynamic user.
    private = root.folder / "var/lib/private/forge-agent"
    private.parent.mkdir()
    root.places.state_dir.rename(private)
    root.places.state_dir.symlink_to("private/forge-agent")
    for name in ("ca.pem", "ca-0123456789abcdef.pem"):
        (root.places.config_file.parent / name).touch()
    command.take_away(root.target(), purge=True)
    left = [path for path in root.folder.rglob("*forge*") if "download" not in path.parts]
    assert left == []


def test_purging_leaves_certificates_that_joining_has_not_kept(root: Root) -> None:
    root.joined()
    (root.places.config_file.parent / "ca-of-the-office.pem").touch()
    command.take_away(root.target(), purge=True)
    left = [path.name for path in root.places.config_file.parent.iterdir()]
    assert left == ["ca-of-the-office.pem"]


def test_purging_leaves_what_is_not_ours_in_a_folder_that_the_owner_chose(
    root: Root, tmp_path: Path
) -> None:
    chosen = tmp_path / "documents"
    (chosen / "spool").mkdir(parents=True)
    for name in ("lock", "spool/node-id", "letter.txt"):
        (chosen / name).touch()
    root.joined()
    with root.places.config_file.open("a") as settings:
        settings.write(f'FORGE_STATE_DIR = "{chosen}"\n')
    command.take_away(root.target(user=True), purge=True)
    assert [path.name for path in chosen.iterdir()] == ["letter.txt"]


def test_a_link_that_the_service_has_put_in_the_programs_place_is_not_followed(
    root: Root, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root.places.state_dir.mkdir(parents=True)
    root.places.program_dir.symlink_to(elsewhere)
    with pytest.raises(OSError, match="program"):
        program.give_to_the_service(root.places)
    assert list(elsewhere.iterdir()) == []


def test_to_take_away_what_is_not_there_is_no_failure(root: Root) -> None:
    root.breaks("disable")
    command.take_away(root.target(), purge=True)


def test_another_program_of_that_name_is_left_alone(root: Root, frozen: Path) -> None:
    root.joined()
    other = root.places.command_link
    assert other is not None
    other.parent.mkdir(parents=True)
    other.write_text("somebody else's")
    command.set_up(root.target())
    command.take_away(root.target(), purge=True)
    assert other.read_text() == "somebody else's"


def test_one_users_service_needs_no_root(root: Root) -> None:
    root.joined()
    target = root.target(user=True)
    command.set_up(target)
    unit = root.folder / "home/.config/systemd/user/forge-agent.service"
    assert f"--config {root.places.config_file}" in unit.read_text()
    assert all(line.startswith("--user") for line in root.told()[1:])
    command.take_away(target, purge=False)
    assert not unit.exists()


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_without_rights_both_ways_are_offered(tmp_path: Path, verb: str) -> None:
    if os.geteuid() == 0:
        program = (
            "import os, sys; os.geteuid = lambda: 1000; from forge_agent.cli import main;"
            f" sys.exit(main(['{verb}']))"
        )
        arguments = ["-c", program]
    else:
        arguments = ["-m", "forge_agent", verb]
    done = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environment(HOME=str(tmp_path)),
        timeout=30,
    )
    assert done.returncode == 1
    assert f"sudo forge-agent {verb}" in done.stderr
    assert f"forge-agent {verb} --user" in done.stderr


# --- tools --------------------------------------------------------------------------------------


def test_tools_run_by_the_systems_folders_without_our_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEARER_TOKEN", "secret-token")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    answer = Tools()("env")
    assert answer is not None
    assert "secret-token" not in answer.output
    assert "LC_ALL=C\n" in answer.output
    assert Tools()("no-such-tool") is None


def test_a_tool_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forge_agent.service.carrying_out._TIMEOUT_S", 0.3)
    with pytest.raises(StepFailedError, match="did not end"):
        carry_out([Call("", ("sleep", "60"))], Tools(), print)


def test_a_step_whose_forerunner_is_slow_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forge_agent.service.carrying_out._BETWEEN_TRIES_S", 0.01)
    tool = tmp_path / "tool"
    tool.write_text(f"#!/bin/sh\nmkdir {tmp_path}/a 2>/dev/null && exit 1\nexit 0\n")
    tool.chmod(0o755)
    said: list[str] = []
    carry_out([Call("done", ("tool",), tries=2)], Tools([tmp_path]), said.append)
    assert said == ["✓ done"]


# --- the program that Windows' service manager starts --------------------------------------------

# A launcher that stays, and the agent below it.
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
child.wait()
"""


def test_the_child_of_a_service_is_ended_with_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forge_agent.service.child._GRACE_S", 0.5)
    log = tmp_path / "log"
    child = Child([sys.executable, "-c", PARENT], log)
    child.start()
    grandchild = psutil.Process(int(wait_for(lambda: log.read_text().strip() or None, "its pid")))
    codes: list[int | None] = []
    follower = threading.Thread(target=lambda: codes.append(child.wait()))
    follower.start()
    child.stop()
    follower.join(10)
    assert codes == [None]  # it was stopped, and has not failed
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_a_child_that_ends_by_itself_tells_its_code_and_what_it_said(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(json.dumps({"event": "before"}) + "\n")
    child = Child([sys.executable, "-c", "print('last words'); raise SystemExit(2)"], log)
    child.start()
    assert child.wait() == 2
    assert log.read_text().splitlines()[1:] == ["last words"]
    child.stop()
