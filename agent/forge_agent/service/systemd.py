"""systemd: the unit, and what systemctl is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from forge_agent.service.described import (
    NAME,
    RESTART_AFTER_S,
    TITLE,
    Ask,
    Call,
    Outcome,
    Remove,
    Report,
    Service,
    Step,
    Write,
)

UNIT: Final = f"{NAME}.service"
# LoadCredential= came with it, which keeps the token root's alone.
OLDEST_VERSION: Final = 247
_CREDENTIAL: Final = "agent.toml"
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@,+-]+")
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9_./@,+-]+")

_HEAD: Final = f"""\
# Written by `{NAME} install`, which writes it anew. What you change belongs into a drop-in:
# systemctl {{user}}edit {NAME}
[Unit]
Description={TITLE}
# The network need not be up: what is measured before waits in the spool.
After=network.target
# Start it again for ever, however often it ends.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={{line}}
Restart=always
RestartSec={RESTART_AFTER_S}
# The agent alone is told to stop: it has the jobs that run checkpointed and given back first.
KillMode=mixed
TimeoutStopSec=20
# A job that needs more memory than there is ends alone.
OOMPolicy=continue
UMask=0077
"""

# For the whole machine. Each option was looked at for what it does to the figures; left out were:
# - ProtectHome=, ProtectProc=, ProcSubset=, PrivateNetwork=: they hide file systems, processes,
#   counters and interfaces.
# - PrivateDevices=, ProtectClock= (which allows one device, and thereby forbids the others) and
#   DevicePolicy=: they hide graphics processors.
# - ProtectHostname=: a name that is changed later would not be seen.
# - MemoryMax=, CPUQuota=: the agent takes the limits of its group for the machine's, as in a
#   container.
# Read-only file systems (which DynamicUser= brings) show the same figures, and what is mounted or
# unmounted later is seen. ExecPaths= is for releases that updates bring: since systemd 257 the
# state of dynamic users is mounted without the right to execute.
_MACHINE: Final = """\
DynamicUser=yes
StateDirectory={name}
StateDirectoryMode=0700
ExecPaths=-/var/lib/{name} -/var/lib/private/{name}
LoadCredential={credential}:{config_file}
OOMScoreAdjust=-500
IOSchedulingPriority=7

CapabilityBoundingSet=
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
PrivateIPC=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
# With which jobs are kept from the agent's own files.
SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self

[Install]
WantedBy=multi-user.target
"""

# By itself a user's service runs in their home, where a .env file may be another program's.
_USER: Final = """\
WorkingDirectory=/
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def unit(service: Service) -> str:
    """Return the unit's text. A machine's service sees its settings as a credential, so that the
    file with the token in it stays root's alone."""
    if service.user:
        line = " ".join(_quoted(word) for word in service.line())
        return _HEAD.format(user="--user ", line=line) + _USER
    *words, option, _, state_option, state_dir = service.line()
    config_file = f"${{CREDENTIALS_DIRECTORY}}/{_CREDENTIAL}"
    quoted = [_quoted(word) for word in (*words, option)]
    line = " ".join([*quoted, config_file, state_option, _quoted(state_dir)])
    return _HEAD.format(user="", line=line) + _MACHINE.format(
        name=NAME, credential=_CREDENTIAL, config_file=service.config_file
    )


def is_plain_path(path: Path) -> bool:
    """Tell whether a unit can name the file as a credential: that knows no quotes."""
    return _PLAIN_PATH.fullmatch(str(path)) is not None


def _quoted(word: str) -> str:
    """Return a word as ExecStart= takes it, with nothing in it for systemd to replace."""
    word = word.replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def version_of(output: str) -> int:
    """Read `systemctl --version`; 0 when it is nothing we know."""
    found = re.match(r"systemd (\d+)", output)
    return int(found.group(1)) if found else 0


class Systemd:
    """The machine's systemd, or one user's. ``root`` and ``home``: where their folders are."""

    def __init__(self, ask: Ask, *, user: bool, root: Path, home: Path) -> None:
        self._ask = ask
        self._user = user
        self._running_folder = root / "run/systemd/system"
        folder = home / ".config/systemd/user" if user else root / "etc/systemd/system"
        self._unit_path = folder / UNIT

    def absent(self) -> str:
        if self._running_folder.is_dir():
            return ""
        return "systemd does not run here (a container, or another init)"

    def missing(self) -> str:
        if absent := self.absent():
            return (
                f"{absent}: no service was set up. Have what starts your programs start"
                f" `{NAME} run` instead."
            )
        answer = self._ask("systemctl", "--version")
        version = version_of(answer.output) if answer else 0
        if self._user:
            answer = self._systemctl("show", "--property=Version")
            if answer is None or answer.code != 0:
                return (
                    "the user's systemd does not answer: sign in as this user (su and sudo do not"
                    " start one), then try again."
                )
        elif version < OLDEST_VERSION:
            return (
                f"the service needs systemd {OLDEST_VERSION} or newer, here is {version}: use"
                f" `{NAME} install --user`."
            )
        return ""

    def pause(self) -> list[Step]:
        return []  # who runs keeps the files that were replaced

    def install(self, service: Service) -> list[Step]:
        text = unit(service).encode()
        return [
            Write(f"unit written: {self._unit_path}", self._unit_path, text),
            self._call("", "daemon-reload"),
            self._call("starts with this user" if self._user else "starts at boot", "enable", UNIT),
            self._call("started", "restart", UNIT),
        ]

    def uninstall(self) -> list[Step]:
        return [
            self._call("stopped", "disable", "--now", UNIT, may_fail=True),
            Remove(f"unit removed: {self._unit_path}", self._unit_path),
            self._call("", "daemon-reload", may_fail=True),
            self._call("", "reset-failed", UNIT, may_fail=True),
        ]

    def report(self) -> Report | None:
        shown = "--property=LoadState,ActiveState,MainPID"
        answer = self._systemctl("show", UNIT, shown) if self._running_folder.is_dir() else None
        if answer is None or answer.code != 0:
            return None
        lines = (line.partition("=") for line in answer.output.splitlines())
        found = {name: value for name, _, value in lines}
        pid = found.get("MainPID", "")
        return Report(
            manager="systemd",
            user=self._user,
            installed=found.get("LoadState") == "loaded",
            running=found.get("ActiveState") == "active",
            pid=int(pid) if pid.isdigit() and pid != "0" else None,
        )

    def afterwards(self) -> list[str]:
        if not self._user:
            return []
        linger = "sudo loginctl enable-linger $USER"
        return [f"It runs while you are signed in. To have it run from boot on: {linger}"]

    def _call(self, said: str, *words: str, may_fail: bool = False) -> Call:
        return Call(said, self._argv(*words), may_fail=may_fail)

    def _systemctl(self, *words: str) -> Outcome | None:
        return self._ask(*self._argv(*words))

    def _argv(self, *words: str) -> tuple[str, ...]:
        return ("systemctl", *(("--user",) if self._user else ()), "--no-ask-password", *words)
