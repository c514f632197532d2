from __future__ import annotations

import plistlib
from pathlib import Path

import pytest

from forge_agent.service import launchd
from forge_agent.service.described import Call, Outcome, Service, Write
from forge_agent.service.launchd import Launchd

SERVICE = Service(
    command=("/Library/Application Support/forge-fleet/program/launcher/forge-agent", "launch"),
    config_file=Path("/Library/Application Support/forge-fleet/agent.toml"),
    state_dir=Path("/Library/Application Support/forge-fleet"),
)

# The lines that count, as `launchctl print system/LABEL` has them.
PRINTED = """\
system/forge-fleet.forge-agent = {
\tactive count = 1
\tpath = /Library/LaunchDaemons/forge-fleet.forge-agent.plist
\ttype = LaunchDaemon
\tstate = running

\tprogram = /Library/Application Support/forge-fleet/program/launcher/forge-agent
\tpid = 417
}
"""


def manager(root: Path, answer: Outcome | None, *, user: bool = False) -> Launchd:
    return Launchd(lambda *_: answer, user=user, root=root, home=root / "home", uid=501)


def test_the_property_list_says_how_to_start_and_to_start_again() -> None:
    found = plistlib.loads(launchd.plist(SERVICE, Path("/Library/Logs/forge-agent.log")))
    assert found["ProgramArguments"] == list(SERVICE.line())
    assert found["Label"] == launchd.LABEL
    assert found["RunAtLoad"] is True
    assert found["KeepAlive"] is True
    assert found["ThrottleInterval"] == 15
    assert found["Umask"] == 0o077
    assert found["StandardErrorPath"] == "/Library/Logs/forge-agent.log"


def test_the_steps_of_the_machines(tmp_path: Path) -> None:
    write, *calls = manager(tmp_path, None).install(SERVICE)
    assert isinstance(write, Write)
    assert write.path == tmp_path / "Library/LaunchDaemons" / f"{launchd.LABEL}.plist"
    target = f"system/{launchd.LABEL}"
    assert [call.argv for call in calls if isinstance(call, Call)] == [
        ("launchctl", "bootout", target),
        ("launchctl", "enable", target),
        ("launchctl", "bootstrap", "system", str(write.path)),
    ]
    # The first time there is nothing to stop; afterwards, stopping goes on for a while.
    assert [(call.may_fail, call.tries > 1) for call in calls if isinstance(call, Call)] == [
        (True, False),
        (False, False),
        (False, True),
    ]


def test_the_steps_of_a_users(tmp_path: Path) -> None:
    write, *calls = manager(tmp_path, None, user=True).install(SERVICE)
    assert isinstance(write, Write)
    assert write.path.parent == tmp_path / "home/Library/LaunchAgents"
    assert plistlib.loads(write.content)["StandardOutPath"].startswith(str(tmp_path / "home"))
    assert all("gui/501" in call.argv[2] for call in calls if isinstance(call, Call))


@pytest.mark.parametrize(
    ("answer", "running", "pid"),
    [
        (Outcome(0, PRINTED), True, 417),
        (Outcome(0, PRINTED.replace("running", "not running").replace("pid", "id")), False, None),
        (Outcome(113, "", "Could not find service"), False, None),
    ],
)
def test_how_it_does(tmp_path: Path, answer: Outcome, running: bool, pid: int | None) -> None:
    report = manager(tmp_path, answer).report()
    assert report is not None
    assert (report.installed, report.running, report.pid) == (False, running, pid)
    plist = tmp_path / "Library/LaunchDaemons" / f"{launchd.LABEL}.plist"
    plist.parent.mkdir(parents=True)
    plist.touch()
    installed = manager(tmp_path, answer).report()
    assert installed is not None
    assert installed.installed


def test_who_is_not_there_is_told(tmp_path: Path) -> None:
    assert manager(tmp_path, Outcome(0, "")).missing() == ""
    assert "sign in" in manager(tmp_path, Outcome(125, "")).missing()
    assert manager(tmp_path, None).report() is None
