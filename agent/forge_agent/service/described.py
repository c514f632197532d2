"""What is to run, the steps that set it up, and how it does. Pure: carried out elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple, Protocol

NAME: Final = "forge-agent"
TITLE: Final = "Forge Fleet agent"
SUMMARY: Final = "Measures this machine and pushes it to the collector"

# After the agent has ended, whatever the reason. It is never given up.
RESTART_AFTER_S: Final = 15


class Service(NamedTuple):
    """``command``: the program and its arguments, up to the options of `run`. ``user``: for one
    user alone."""

    command: tuple[str, ...]
    config_file: Path
    state_dir: Path
    user: bool = False

    def line(self, config_file: str | None = None) -> tuple[str, ...]:
        """Return the whole command line; ``config_file``: where the service sees its settings."""
        config = str(self.config_file) if config_file is None else config_file
        return (*self.command, "--config", config, "--state-dir", str(self.state_dir))


class Write(NamedTuple):
    """Write a file, with the folders above it."""

    said: str
    path: Path
    content: bytes
    mode: int = 0o644


class Remove(NamedTuple):
    """Remove a file, if it is there."""

    said: str
    path: Path


class Call(NamedTuple):
    """Run a tool of the system. ``said``: what it has done then; "" for what nobody asks about.
    ``tries``: how often, a second apart, for those whose forerunner finishes behind our back."""

    said: str
    argv: tuple[str, ...]
    may_fail: bool = False
    tries: int = 1


Step = Write | Remove | Call


class Report(NamedTuple):
    """How the service does. ``manager``: who runs it, "systemd" for instance."""

    manager: str
    user: bool
    installed: bool
    running: bool
    pid: int | None = None


class Outcome(NamedTuple):
    """What a tool of the system has answered."""

    code: int
    output: str
    errors: str = ""


class Ask(Protocol):
    """Runs a tool and returns its answer; None when there is no such tool here."""

    def __call__(self, *argv: str) -> Outcome | None: ...


class Manager(Protocol):
    """What starts services on a system."""

    def absent(self) -> str:
        """Return that it does not run on this machine, in words, or "" when it does."""
        ...

    def missing(self) -> str:
        """Return why it cannot set up a service here and what to do, or "" when it can."""
        ...

    def pause(self) -> list[Step]:
        """Return the steps after which the installed program may be replaced."""
        ...

    def install(self, service: Service) -> list[Step]: ...

    def uninstall(self) -> list[Step]: ...

    def report(self) -> Report | None:
        """Ask how the service does; None when there is no such manager here."""
        ...

    def afterwards(self) -> list[str]:
        """Return sentences for the owner of a service that was just set up."""
        ...
