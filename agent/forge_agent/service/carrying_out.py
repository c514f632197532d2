"""Carries the steps out: files are written whole, tools are found in the system's own folders and
bounded in time, and each step is said in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from forge_agent import private_files
from forge_agent.core.untrusted import printable
from forge_agent.service.described import Call, Outcome, Remove, Step, Write

_TIMEOUT_S: Final = 60.0
_BETWEEN_TRIES_S: Final = 1.0
_SHOWN_LINES: Final = 3
# Not by PATH: an installation runs as root, and often from somebody's shell.
_POSIX_FOLDERS: Final = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")
_SECRETS: Final = ("BEARER_TOKEN", "ADMIN_SECRET")


class StepFailedError(Exception):
    """A step could not be carried out; the message says which, and why."""


class Tools:
    """The system's programs, looked for in ``folders`` alone."""

    def __init__(self, folders: Sequence[Path] | None = None) -> None:
        self._folders = _system_folders() if folders is None else tuple(folders)

    def __call__(self, *argv: str) -> Outcome | None:
        """Run a tool and return its answer; None when there is no such tool here."""
        program = self._find(argv[0])
        if program is None:
            return None
        try:
            done = subprocess.run(
                [str(program), *argv[1:]],
                check=False,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=_TIMEOUT_S,
                env=_environment(),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except subprocess.TimeoutExpired:
            return Outcome(-1, "", f"it did not end within {_TIMEOUT_S:.0f} s")
        except OSError as error:
            return Outcome(-1, "", error.strerror or type(error).__name__)
        return Outcome(done.returncode, _text(done.stdout), _text(done.stderr))

    def _find(self, name: str) -> Path | None:
        names = (name, f"{name}.exe") if sys.platform == "win32" else (name,)
        candidates = (folder / name for folder in self._folders for name in names)
        return next((path for path in candidates if os.access(path, os.X_OK)), None)


def carry_out(steps: Sequence[Step], ask: Tools, say: Callable[[str], None]) -> None:
    """Do one step after the other; raises StepFailedError at the first that fails."""
    for step in steps:
        try:
            done = _do(step, ask)
        except OSError as error:
            raise StepFailedError(f"{error.filename}: {error.strerror}") from None
        if done and step.said:
            say(f"✓ {step.said}")


def _do(step: Step, ask: Tools) -> bool:
    """Carry a step out; return whether there was anything to do."""
    if isinstance(step, Write):
        step.path.parent.mkdir(parents=True, exist_ok=True)
        private_files.write(step.path, step.content, mode=step.mode)
        return True
    if isinstance(step, Remove):
        there = os.path.lexists(step.path)
        step.path.unlink(missing_ok=True)
        return there
    return _call(step, ask)


def _call(step: Call, ask: Tools) -> bool:
    answer = ask(*step.argv)
    for _ in range(step.tries - 1):
        if answer is None or answer.code == 0:
            break
        time.sleep(_BETWEEN_TRIES_S)
        answer = ask(*step.argv)
    if answer is not None and answer.code == 0:
        return True
    if step.may_fail:
        return False
    line = " ".join(step.argv)
    if answer is None:
        raise StepFailedError(f"there is no {step.argv[0]} on this machine, for: {line}")
    said = (answer.errors or answer.output).strip().splitlines()[:_SHOWN_LINES]
    why = printable(" ".join(said)) or f"exit code {answer.code}"
    raise StepFailedError(f"{line}: {why}")


def _system_folders() -> tuple[Path, ...]:
    if sys.platform == "win32":
        system = Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32"
        return (system, system / "WindowsPowerShell" / "v1.0")
    return tuple(Path(folder) for folder in _POSIX_FOLDERS)


def _environment() -> dict[str, str]:
    """Return an environment for the tools: in the language that we read, without our secrets."""
    found = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    if os.name == "posix":
        runtime = Path("/run/user") / str(os.getuid())
        if "XDG_RUNTIME_DIR" not in found and runtime.is_dir():
            # Without it systemctl --user does not find the user's manager, in a cron job say.
            found["XDG_RUNTIME_DIR"] = str(runtime)
        found |= {"LC_ALL": "C", "PATH": ":".join(_POSIX_FOLDERS)}
    return found


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")
