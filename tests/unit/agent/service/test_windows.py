from __future__ import annotations

from pathlib import Path, PureWindowsPath
from typing import cast
from xml.etree import ElementTree as ET

import pytest

from forge_agent.service import hosted, windows
from forge_agent.service.described import Call, Outcome, Remove, Service, Step, Write
from forge_agent.service.windows import WindowsService, WindowsTask

BASE = cast(Path, PureWindowsPath(r"C:\ProgramData\forge-fleet"))
PROGRAMS = cast(Path, PureWindowsPath(r"C:\ProgramData\forge-fleet\program\launcher"))
SERVICE = Service(
    command=(
        rf"{PROGRAMS}\forge-agent.exe",
        *("windows-service", "--program-dir", r"C:\ProgramData\forge-fleet\program", "--"),
    ),
    config_file=cast(Path, PureWindowsPath(r"C:\ProgramData\forge fleet\agent.toml")),
    state_dir=BASE,
)
NAMESPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"

# `sc queryex` of a service that runs; the words before the colons are translated on other systems.
RUNNING = """
SERVICE_NAME: forge-agent
        TYPE               : 10  WIN32_OWN_PROCESS
        STATE              : 4  RUNNING
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        WIN32_EXIT_CODE    : 0  (0x0)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0
        PID                : 4312
        FLAGS              :
"""
MISSING = Outcome(1060, "[SC] EnumQueryServicesStatus:OpenService FAILED 1060:")


def service(answer: Outcome | None) -> WindowsService:
    return WindowsService(lambda *_: answer, base=BASE, programs=PROGRAMS)


def calls(steps: list[Step]) -> list[tuple[str, ...]]:
    return [step.argv for step in steps if isinstance(step, Call)]


def test_a_new_service_is_created_closed_to_others_and_only_then_started() -> None:
    made = calls(service(MISSING).install(SERVICE))
    assert made[0][:3] == ("sc", "create", "forge-agent")
    settings = dict(zip(made[0][3::2], made[0][4::2], strict=True))
    assert settings["start="] == "delayed-auto"
    assert settings["obj="] == r"NT SERVICE\forge-agent"
    assert settings["binPath="] == (
        r"C:\ProgramData\forge-fleet\program\launcher\forge-agent.exe windows-service"
        r" --program-dir C:\ProgramData\forge-fleet\program --"
        r' --config "C:\ProgramData\forge fleet\agent.toml"'
        r" --state-dir C:\ProgramData\forge-fleet"
    )
    assert made[-1] == ("sc", "start", "forge-agent")
    rights = [argv for argv in made if argv[0] == "icacls"]
    assert rights[0][2:4] == ("/setowner", "*S-1-5-32-544")
    assert rights[-2][1] == str(BASE)
    assert r"NT SERVICE\forge-agent:(OI)(CI)M" in rights[-2]
    # The administrators run the program too: the service may read it, and no more.
    assert rights[-1][1] == str(PROGRAMS)
    assert r"NT SERVICE\forge-agent:(OI)(CI)RX" in rights[-1]
    assert all("/inheritance:r" in argv for argv in rights[-2:])


def test_a_failure_starts_it_again_and_so_does_an_exit_code() -> None:
    made = calls(service(MISSING).install(SERVICE))
    (failure,) = [argv for argv in made if argv[1] == "failure"]
    assert failure[-1] == "restart/15000/restart/15000/restart/15000"
    assert ("sc", "failureflag", "forge-agent", "1") in made


def test_a_service_that_is_there_is_stopped_and_changed() -> None:
    there = service(Outcome(0, RUNNING))
    assert calls(there.pause())[0] == ("sc", "stop", "forge-agent")
    assert calls(there.install(SERVICE))[0][:2] == ("sc", "config")
    assert calls(there.uninstall())[-1] == ("sc", "delete", "forge-agent")
    assert service(MISSING).pause() == []


@pytest.mark.parametrize(
    ("answer", "installed", "running", "pid"),
    [
        (Outcome(0, RUNNING), True, True, 4312),
        (Outcome(0, RUNNING.replace("TYPE ", "TYP ").replace("STATE", "STATUS")), True, True, 4312),
        (Outcome(0, RUNNING.replace("4  RUN", "1  STOP").replace("4312", "0")), True, False, None),
        (MISSING, False, False, None),
    ],
)
def test_how_it_does(answer: Outcome, installed: bool, running: bool, pid: int | None) -> None:
    report = service(answer).report()
    assert report is not None
    assert (report.installed, report.running, report.pid) == (installed, running, pid)


def test_a_users_task_is_well_formed_and_hides_the_console() -> None:
    tree = ET.fromstring(windows.task(SERVICE, r"PC\Ann & Bob").split("?>", 1)[1])  # noqa: S314
    assert tree.findtext(f".//{NAMESPACE}LogonTrigger/{NAMESPACE}UserId") == r"PC\Ann & Bob"
    assert tree.findtext(f".//{NAMESPACE}Command") == "conhost.exe"
    arguments = tree.findtext(f".//{NAMESPACE}Arguments") or ""
    assert arguments.startswith(rf"--headless {PROGRAMS}\forge-agent.exe")
    assert tree.findtext(f".//{NAMESPACE}ExecutionTimeLimit") == "PT0S"
    assert tree.findtext(f".//{NAMESPACE}DisallowStartIfOnBatteries") == "false"


def test_a_task_is_made_of_a_file_that_does_not_stay(tmp_path: Path) -> None:
    task = WindowsTask(lambda *_: Outcome(0, ""), state_dir=tmp_path, user_name="ann")
    write, create, remove, run = task.install(SERVICE)
    assert isinstance(write, Write)
    assert isinstance(create, Call)
    assert isinstance(remove, Remove)
    assert isinstance(run, Call)
    assert write.path == remove.path == Path(create.argv[5])
    assert write.content.decode("utf-16").startswith("<?xml")
    assert run.argv[1] == "/Run"
    assert task.missing() == ""


def test_what_the_services_program_starts() -> None:
    options = ("--config", "c.toml", "--state-dir", "state")
    assert hosted.command(Path("programs"), options)[1:] == (
        *("launch", "--program-dir", "programs", "--"),
        *options,
    )
    assert hosted.command(None, options)[1:5] == ("-P", "-m", "forge_agent", "run")
    assert hosted.log_file(options) == Path("state/forge-agent.log")
