"""Commands that are suggested to the owner, for the agent that they named."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
from typing import Final

from forge_agent.core.untrusted import printable

_LONGEST: Final = 4096  # a path that was cut is no use


def command(words: str, given: argparse.Namespace) -> str:
    """Return `forge-agent` with these words, and the options by which its agent was named now."""
    options: list[str] = []
    if given.config is not None:
        options += ["--config", str(given.config)]
    if given.state_dir is not None:
        options += ["--state-dir", given.state_dir]
    quoted = shlex.join(options) if os.name == "posix" else subprocess.list2cmdline(options)
    return printable(f"forge-agent {words} {quoted}".rstrip(), _LONGEST)
