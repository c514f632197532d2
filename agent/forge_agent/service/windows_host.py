"""The program that Windows' service manager starts and talks with: it runs the agent as a child.

Nothing but calls of the system is here; what the child is, and how it is ended, is in child.py.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import servicemanager
import win32event
import win32service
import win32serviceutil

from forge_agent.service.child import Child
from forge_agent.service.described import NAME, TITLE


def main(command: Sequence[str], log_file: Path) -> int:
    """Be the service until it is told to stop; ``command`` starts the agent, ``log_file`` takes
    what it says."""

    class Host(win32serviceutil.ServiceFramework):  # type: ignore[misc]
        _svc_name_ = NAME
        _svc_display_name_ = TITLE

        def __init__(self, arguments: Sequence[str]) -> None:
            super().__init__(arguments)
            self._stop = win32event.CreateEvent(None, 0, 0, None)
            self._child = Child(command, log_file)

        def SvcStop(self) -> None:  # noqa: N802
            self.ReportServiceStatus(win32service.SERVICE_STOP_PENDING)
            win32event.SetEvent(self._stop)

        def SvcShutdown(self) -> None:  # noqa: N802
            self.SvcStop()

        def SvcDoRun(self) -> None:  # noqa: N802
            self._child.start()
            threading.Thread(target=self._follow, daemon=True).start()
            win32event.WaitForSingleObject(self._stop, win32event.INFINITE)
            self._child.stop()

        def _follow(self) -> None:
            code = self._child.wait()
            if code is not None:
                # Gone without a word to the service manager: that is a failure, and starts us anew.
                os._exit(code or 1)

    servicemanager.Initialize()
    servicemanager.PrepareToHostSingle(Host)
    servicemanager.StartServiceCtrlDispatcher()
    return 0
