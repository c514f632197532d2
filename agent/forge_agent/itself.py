"""How this program starts itself once more."""

from __future__ import annotations

import sys


def command() -> tuple[str, ...]:
    """Return what starts the program that this is, up to its arguments."""
    if getattr(sys, "frozen", False):
        return (sys.executable,)  # its own interpreter, which knows no -m
    # -P: a folder that happens to be the current one must not lend us modules.
    return (sys.executable, "-P", "-m", "forge_agent")
