"""Windows: the service, or one user's task at sign-in; what sc, icacls and schtasks are told."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from forge_agent.service.described import (
    NAME,
    RESTART_AFTER_S,
    SUMMARY,
    TITLE,
    Ask,
    Call,
    Remove,
    Report,
    Service,
    Step,
    Write,
)

# An account that Windows makes for this service alone: it has no password and few rights.
ACCOUNT: Final = rf"NT SERVICE\{NAME}"
# By number, because their names are translated.
_SYSTEM: Final = "*S-1-5-18"
_ADMINISTRATORS: Final = "*S-1-5-32-544"
_STOP_TRIES: Final = 15
_RUNNING: Final = 4  # SERVICE_RUNNING
_STOPPED: Final = 1  # SERVICE_STOPPED
# The folders are opened to others by what they inherit; nothing in them is for others' eyes, and
# who could put a library beside the program would be the service.
_INHERITED: Final = "(OI)(CI)"


def host_line(service: Service) -> str:
    """Return the command line that the service manager starts: the program that speaks with it,
    which starts the agent."""
    return subprocess.list2cmdline(service.line())


class WindowsService:
    """The machine's service. ``base``: the folder of its settings, state and program; ``programs``:
    the part of it that the service may read only."""

    def __init__(self, ask: Ask, *, base: Path, programs: Path) -> None:
        self._ask = ask
        self._base = base
        self._programs = programs

    def absent(self) -> str:
        return ""  # each Windows has it

    def missing(self) -> str:
        answer = self._ask("sc", "query", "state=", "all")
        return "" if answer and answer.code == 0 else "Windows' service manager does not answer."

    def pause(self) -> list[Step]:
        if not self._installed():
            return []
        # A program that runs cannot be replaced; stopping it goes on behind sc's back.
        return [
            Call("", ("sc", "stop", NAME), may_fail=True),
            Call(
                "stopped",
                ("powershell", "-NoProfile", "-Command", _WAIT_UNTIL_STOPPED),
                may_fail=True,
            ),
        ]

    def install(self, service: Service) -> list[Step]:
        settings = (
            *("binPath=", host_line(service), "start=", "delayed-auto", "obj=", ACCOUNT),
            *("DisplayName=", TITLE),
        )
        verb = "config" if self._installed() else "create"
        actions = "/".join(["restart", str(RESTART_AFTER_S * 1000)] * 3)
        return [
            Call(f"service {NAME} set up", ("sc", verb, NAME, *settings)),
            Call("", ("sc", "description", NAME, SUMMARY)),
            Call(
                "starts again when it fails",
                ("sc", "failure", NAME, "reset=", "86400", "actions=", actions),
            ),
            # Without it only a crash counts, and not an end with an exit code.
            Call("", ("sc", "failureflag", NAME, "1")),
            *self._rights(),
            Call("started", ("sc", "start", NAME)),
        ]

    def _rights(self) -> list[Step]:
        base, programs = str(self._base), str(self._programs)
        owner = ("/setowner", _ADMINISTRATORS, "/T", "/C", "/Q")
        full = [f"{who}:{_INHERITED}F" for who in (_SYSTEM, _ADMINISTRATORS)]
        alone = ("/inheritance:r", "/grant:r", *full)
        return [
            # Somebody may have made the folder before us, to be its owner.
            Call("", ("icacls", base, *owner)),
            Call("", ("icacls", base, "/reset", "/T", "/C", "/Q")),
            Call(
                f"{base} is the service's and the administrators' alone",
                ("icacls", base, *alone, f"{ACCOUNT}:{_INHERITED}M", "/Q"),
            ),
            Call(
                "",
                ("icacls", programs, *alone, f"{ACCOUNT}:{_INHERITED}RX", "/Q"),
                may_fail=True,  # without a frozen program there is no such folder
            ),
        ]

    def uninstall(self) -> list[Step]:
        return [*self.pause(), Call("service removed", ("sc", "delete", NAME), may_fail=True)]

    def report(self) -> Report | None:
        answer = self._ask("sc", "queryex", NAME)
        if answer is None:
            return None
        return Report(
            manager="Windows",
            user=False,
            installed=answer.code == 0,
            running=_state_in(answer.output) == _RUNNING,
            pid=_pid_in(answer.output),
        )

    def afterwards(self) -> list[str]:
        return []

    def _installed(self) -> bool:
        report = self.report()
        return report is not None and report.installed


_WAIT_UNTIL_STOPPED: Final = (
    f"(Get-Service {NAME}).WaitForStatus('Stopped', [TimeSpan]::FromSeconds({_STOP_TRIES}))"
)


def _state_in(output: str) -> int:
    """Read the state from `sc queryex`: its words may be translated, its numbers and their order
    are not (TYPE comes first, then STATE)."""
    numbers = re.findall(r"^\s*\S[^:\n]*:\s*([0-9a-f]+)\s+[A-Z_]+", output, re.MULTILINE)
    return int(numbers[1], 16) if len(numbers) > 1 else _STOPPED


def _pid_in(output: str) -> int | None:
    found = re.search(r"^\s*PID\s*:\s*([1-9]\d*)", output, re.MULTILINE)
    return int(found.group(1)) if found else None


class WindowsTask:
    """One user's task, started when they sign in."""

    def __init__(self, ask: Ask, *, state_dir: Path, user_name: str) -> None:
        self._ask = ask
        self._draft = state_dir / f"{NAME}-task.xml"
        self._user_name = user_name

    def absent(self) -> str:
        return ""  # each Windows has it

    def missing(self) -> str:
        return "" if self._ask("schtasks", "/?") else "Windows' task planner does not answer."

    def pause(self) -> list[Step]:
        return [Call("", ("schtasks", "/End", "/TN", NAME), may_fail=True)]

    def install(self, service: Service) -> list[Step]:
        content = task(service, self._user_name).encode("utf-16")
        return [
            Write("", self._draft, content, 0o600),
            Call(
                "starts when this user signs in",
                ("schtasks", "/Create", "/TN", NAME, "/XML", str(self._draft), "/F"),
            ),
            Remove("", self._draft),
            Call("started", ("schtasks", "/Run", "/TN", NAME)),
        ]

    def uninstall(self) -> list[Step]:
        return [
            *self.pause(),
            Call("task removed", ("schtasks", "/Delete", "/TN", NAME, "/F"), may_fail=True),
        ]

    def report(self) -> Report | None:
        answer = self._ask("schtasks", "/Query", "/TN", NAME, "/XML")
        if answer is None:
            return None
        # Whether it runs is said in the user's language alone; the state folder's lock knows it.
        return Report("Windows tasks", user=True, installed=answer.code == 0, running=False)

    def afterwards(self) -> list[str]:
        return ["It runs while you are signed in."]


def task(service: Service, user_name: str) -> str:
    """Return the task's XML. The agent is a program for a console, which conhost keeps hidden."""
    arguments = subprocess.list2cmdline(("--headless", *service.line()))
    return f"""\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>{escape(SUMMARY)}</Description></RegistrationInfo>
  <Triggers>
    <LogonTrigger><UserId>{escape(user_name)}</UserId></LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>{escape(user_name)}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
    <Hidden>true</Hidden>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>conhost.exe</Command>
      <Arguments>{escape(arguments)}</Arguments>
    </Exec>
  </Actions>
</Task>
"""
