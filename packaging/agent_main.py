"""The frozen agent's first lines."""

from __future__ import annotations

import os
import sys
from typing import Final

# Those that stay resident. They start no process by way of multiprocessing, and must not hold it
# in memory.
_RESIDENT: Final = frozenset({"run", "launch", "windows-service", "worker", "keep-job"})


def _is_a_helper_of_multiprocessing() -> None:
    """Do what a process of multiprocessing was started for, if this is one, and end.

    Such a process starts the program anew, there being no interpreter to start. py-cpuinfo's probe
    runs in one, below `cpu-model`.
    """
    import multiprocessing  # noqa: PLC0415

    # PyInstaller's own, which teaches freeze_support all kinds of such processes. It would import
    # multiprocessing at every start, were it run where PyInstaller would.
    import pyi_rth_multiprocessing  # noqa: F401, PLC0415

    multiprocessing.freeze_support()


def _give_the_environment_back() -> None:
    """Keep what the bootloader set for this process from those that it starts: a systemctl that
    loads our libraries in place of its own may not run."""
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH"):
        before = os.environ.pop(f"{name}_ORIG", None)
        if before is not None:
            os.environ[name] = before
        elif os.environ.get(name) == getattr(sys, "_MEIPASS", None):
            del os.environ[name]


if sys.argv[1:2] and sys.argv[1] not in _RESIDENT:
    _is_a_helper_of_multiprocessing()
_give_the_environment_back()

from forge_agent.cli import main  # noqa: E402

sys.exit(main())
