"""launchd: the property list, and what launchctl is told."""

from __future__ import annotations

import plistlib
import re
from pathlib import Path
from typing import Final

from forge_agent.service.described import (
    NAME,
    RESTART_AFTER_S,
    Ask,
    Call,
    Remove,
    Report,
    Service,
    Step,
    Write,
)

LABEL: Final = f"forge-fleet.{NAME}"
# What bootout has begun goes on behind its back; until then bootstrap is refused.
_BOOTSTRAP_TRIES: Final = 10


def plist(service: Service, log_file: Path) -> bytes:
    """Return the property list's text. A machine's service runs as root: launchd has no way to
    hand root's file with the token to another user."""
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(service.line()),
            "RunAtLoad": True,
            "KeepAlive": True,
            "ThrottleInterval": RESTART_AFTER_S,
            "LowPriorityIO": True,
            "Umask": 0o077,
            "WorkingDirectory": "/",
            "StandardOutPath": str(log_file),
            "StandardErrorPath": str(log_file),
        }
    )


class Launchd:
    """The machine's daemons, or one user's agents. ``root`` and ``home``: where their folders
    are."""

    def __init__(self, ask: Ask, *, user: bool, root: Path, home: Path, uid: int) -> None:
        self._ask = ask
        self._user = user
        self._domain = f"gui/{uid}" if user else "system"
        library = home / "Library" if user else root / "Library"
        folder = library / ("LaunchAgents" if user else "LaunchDaemons")
        self._plist_path = folder / f"{LABEL}.plist"
        self._log_file = library / "Logs" / f"{NAME}.log"

    def absent(self) -> str:
        return ""  # each Mac has it

    def missing(self) -> str:
        answer = self._ask("launchctl", "print", self._domain)
        if answer is not None and answer.code == 0:
            return ""
        return "launchd does not answer: sign in on this machine's screen, then try again."

    def pause(self) -> list[Step]:
        return []  # who runs keeps the files that were replaced

    def install(self, service: Service) -> list[Step]:
        content = plist(service, self._log_file)
        target = f"{self._domain}/{LABEL}"
        path = str(self._plist_path)
        return [
            Write(f"property list written: {path}", self._plist_path, content),
            Call("", ("launchctl", "bootout", target), may_fail=True),
            Call("starts by itself from now on", ("launchctl", "enable", target)),
            Call(
                "started",
                ("launchctl", "bootstrap", self._domain, path),
                tries=_BOOTSTRAP_TRIES,
            ),
        ]

    def uninstall(self) -> list[Step]:
        return [
            Call("stopped", ("launchctl", "bootout", f"{self._domain}/{LABEL}"), may_fail=True),
            Remove(f"property list removed: {self._plist_path}", self._plist_path),
        ]

    def report(self) -> Report | None:
        answer = self._ask("launchctl", "print", f"{self._domain}/{LABEL}")
        if answer is None:
            return None
        known = answer.code == 0
        running = known and re.search(r"^\s*state = running$", answer.output, re.MULTILINE)
        pid = re.search(r"^\s*pid = (\d+)$", answer.output, re.MULTILINE) if known else None
        return Report(
            manager="launchd",
            user=self._user,
            installed=self._plist_path.exists(),
            running=bool(running),
            pid=int(pid.group(1)) if pid else None,
        )

    def afterwards(self) -> list[str]:
        return [f"Its log: {self._log_file}"]
