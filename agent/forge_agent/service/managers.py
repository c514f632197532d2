"""Which manager starts services here."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from forge_agent.places import Places
from forge_agent.service.described import Ask, Manager, Report
from forge_agent.service.launchd import Launchd
from forge_agent.service.systemd import Systemd
from forge_agent.service.windows import WindowsService, WindowsTask


def manager(places: Places, ask: Ask, *, user: bool, root: Path = Path("/")) -> Manager:
    """Return this system's manager. ``root``: where the machine's folders are."""
    if sys.platform == "win32":
        if user:
            whose = f"{os.environ.get('USERDOMAIN', '.')}\\{getpass.getuser()}"
            return WindowsTask(ask, state_dir=places.state_dir, user_name=whose)
        return WindowsService(ask, base=places.state_dir, programs=places.launcher_dir)
    home = Path.home()
    if sys.platform == "darwin":
        return Launchd(ask, user=user, root=root, home=home, uid=os.getuid())
    return Systemd(ask, user=user, root=root, home=home)


def reports(machine: Places, user: Places, ask: Ask) -> Iterator[Report]:
    """Return how the machine's service does, then this user's, where there is a manager."""
    for is_users, places in ((False, machine), (True, user)):
        report = manager(places, ask, user=is_users).report()
        if report is not None:
            yield report
