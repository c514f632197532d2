from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from forge_agent.service import systemd
from forge_agent.service.described import Ask, Call, Outcome, Remove, Service, Write
from forge_agent.service.systemd import Systemd

SERVICE = Service(
    command=("/bin/true", "launch", "--program-dir", "/var/lib/forge-agent/program", "--"),
    config_file=Path("/etc/forge-fleet/agent.toml"),
    state_dir=Path("/var/lib/forge-agent"),
)
USERS = SERVICE._replace(user=True)


def options(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("service", [SERVICE, USERS], ids=["machine", "user"])
@pytest.mark.parametrize("word", ["plain", "with space", 'a"quote', "50%", "$HOME", "back\\slash"])
def test_systemd_takes_the_unit(tmp_path: Path, service: Service, word: str) -> None:
    path = tmp_path / systemd.UNIT
    path.write_text(systemd.unit(service._replace(command=("/bin/true", word))))
    (tmp_path / "runtime").mkdir(mode=0o700)
    verified = subprocess.run(
        ["systemd-analyze", "verify", *(["--user"] if service.user else []), str(path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path / "runtime")},
    )
    # It warns of what it does not know, without failing.
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_verification_can_fail(tmp_path: Path) -> None:
    path = tmp_path / systemd.UNIT
    path.write_text(systemd.unit(SERVICE) + "[Service]\nProtectHomes=yes\n")
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "ProtectHomes" in verified.stderr


def test_the_token_stays_roots() -> None:
    found = options(systemd.unit(SERVICE))
    assert found["LoadCredential"] == ["agent.toml:/etc/forge-fleet/agent.toml"]
    assert found["DynamicUser"] == ["yes"]
    (line,) = found["ExecStart"]
    assert shlex.split(line) == [
        *SERVICE.command,
        *("--config", "${CREDENTIALS_DIRECTORY}/agent.toml"),
        *("--state-dir", "/var/lib/forge-agent"),
    ]


def test_the_service_is_never_given_up() -> None:
    for service in (SERVICE, USERS):
        found = options(systemd.unit(service))
        assert found["Restart"] == ["always"]
        assert found["StartLimitIntervalSec"] == ["0"]
        assert found["OOMPolicy"] == ["continue"]  # else a job that is short of memory ends it


def test_nothing_in_the_unit_falsifies_the_figures() -> None:
    found = options(systemd.unit(SERVICE))
    hiding = {
        *("ProtectHome", "ProtectProc", "ProcSubset", "PrivateNetwork", "PrivateDevices"),
        *("ProtectClock", "DevicePolicy", "DeviceAllow", "ProtectHostname", "PrivateUsers"),
        *("MemoryMax", "MemoryHigh", "CPUQuota", "InaccessiblePaths", "RootDirectory"),
    }
    assert hiding & set(found) == set()


def test_a_users_unit_asks_for_no_rights() -> None:
    found = options(systemd.unit(USERS))
    assert set(found) & {"DynamicUser", "LoadCredential", "CapabilityBoundingSet"} == set()
    assert found["WantedBy"] == ["default.target"]
    assert found["WorkingDirectory"] == ["/"]  # no .env of the home has a say
    (line,) = found["ExecStart"]
    assert shlex.split(line)[-4:-2] == ["--config", "/etc/forge-fleet/agent.toml"]


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/etc/forge-fleet/agent.toml", True),
        ("/etc/forge fleet/agent.toml", False),
        ("/etc/100%/agent.toml", False),
        ("/etc/a:b", False),
    ],
)
def test_which_files_a_credential_can_name(path: str, plain: bool) -> None:
    assert systemd.is_plain_path(Path(path)) is plain


def answering(**answers: Outcome) -> Ask:
    """A systemctl that answers by its first word that is no option."""

    def ask(*argv: str) -> Outcome | None:
        words = [word for word in argv[1:] if not word.startswith("--") or word == "--version"]
        return answers.get(words[0].lstrip("-"))

    return ask


def manager(tmp_path: Path, *, user: bool = False, **answers: Outcome) -> Systemd:
    return Systemd(answering(**answers), user=user, root=tmp_path, home=tmp_path / "home")


VERSION = Outcome(0, "systemd 252 (252.39-1~deb12u2)\n+PAM")


def test_without_a_running_systemd_it_says_what_to_start(tmp_path: Path) -> None:
    without = manager(tmp_path, version=VERSION)
    assert "forge-agent run" in without.missing()
    assert "a container" in without.absent()
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert (without.missing(), without.absent()) == ("", "")


def test_an_old_systemd_is_told_from_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    why = manager(tmp_path, version=Outcome(0, "systemd 239 (239-82.el8)")).missing()
    assert "247" in why
    assert "239" in why
    assert "--user" in why


def test_a_user_without_a_session_is_told(tmp_path: Path) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    failed = manager(tmp_path, user=True, version=VERSION, show=Outcome(1, "", "no bus"))
    assert "sign in" in failed.missing()
    assert manager(tmp_path, user=True, version=VERSION, show=Outcome(0, "")).missing() == ""


def test_the_steps(tmp_path: Path) -> None:
    write, *calls = manager(tmp_path).install(SERVICE)
    assert isinstance(write, Write)
    assert write.path == tmp_path / "etc/systemd/system/forge-agent.service"
    assert [call.argv[2:] for call in calls if isinstance(call, Call)] == [
        ("daemon-reload",),
        ("enable", "forge-agent.service"),
        ("restart", "forge-agent.service"),
    ]
    steps = manager(tmp_path, user=True).uninstall()
    assert [step.argv[1] for step in steps if isinstance(step, Call)] == ["--user"] * 3
    assert [step.path for step in steps if isinstance(step, Remove)] == [
        tmp_path / "home/.config/systemd/user/forge-agent.service"
    ]


@pytest.mark.parametrize(
    ("output", "installed", "running", "pid"),
    [
        ("LoadState=loaded\nActiveState=active\nMainPID=712\n", True, True, 712),
        ("LoadState=loaded\nActiveState=failed\nMainPID=0\n", True, False, None),
        ("LoadState=not-found\nActiveState=inactive\nMainPID=0\n", False, False, None),
    ],
)
def test_how_it_does(
    tmp_path: Path, output: str, installed: bool, running: bool, pid: int | None
) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    report = manager(tmp_path, show=Outcome(0, output)).report()
    assert report is not None
    assert (report.installed, report.running, report.pid) == (installed, running, pid)
    assert manager(tmp_path, show=Outcome(1, "")).report() is None
