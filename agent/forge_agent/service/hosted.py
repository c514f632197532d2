"""`forge-agent windows-service`: which agent the service's own program starts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from forge_agent import itself
from forge_agent.service.described import NAME
from forge_agent.terminal import complain

_STATE_DIR: Final = "--state-dir"


def main(given: argparse.Namespace) -> int:
    """Be Windows' service; return the exit code."""
    options = given.rest[1:] if given.rest[:1] == ["--"] else given.rest
    if sys.platform == "win32":
        from forge_agent.service import windows_host  # noqa: PLC0415  it imports Windows' own

        return windows_host.main(command(given.program_dir, options), log_file(options))
    complain("this is what Windows' service manager starts")
    return 1


def command(program_dir: Path | None, options: Sequence[str]) -> tuple[str, ...]:
    """Return what starts the agent: the launcher, or without an installed program Python."""
    if program_dir is None:
        return (*itself.command(), "run", *options)
    return (sys.executable, "launch", "--program-dir", str(program_dir), "--", *options)


def log_file(options: Sequence[str]) -> Path:
    """Return the file beside the spool that takes what the agent says."""
    return Path(options[list(options).index(_STATE_DIR) + 1]) / f"{NAME}.log"
