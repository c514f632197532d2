"""What `run` does about updates: makes way for a version that waits to be tried and, where the
owner wishes it, asks now and then for one. The asking is done by a process of its own."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
from pathlib import Path
from typing import Final

from forge_agent import config, itself
from forge_agent.config import Settings
from forge_agent.log import Log
from forge_agent.update import installed
from forge_shared import __version__

# At random within these, so that a fleet does not ask all at once.
FIRST_AFTER_S: Final = (300.0, 900.0)
THEN_AFTER_S: Final = (72_000.0, 100_800.0)
_LONGEST_UPDATE_S: Final = 3600.0
# A launcher that could not try what waits, for want of disk say, gets another chance.
_LOOK_ANYWAY_S: Final = 3600.0


class Updates:
    """``poll`` at each turn; it says when it is time to make way."""

    def __init__(self, program_dir: Path, settings: Settings, log: Log, now_s: float) -> None:
        self._program_dir = program_dir
        self._settings = settings
        self._log = log
        # What was there at start has been the launcher's to decide.
        self._seen = installed.stamp(program_dir)
        self._looked_s = now_s
        self._ask_at_s = now_s + random.uniform(*FIRST_AFTER_S)  # noqa: S311  no secret
        self._asking: subprocess.Popen[bytes] | None = None
        self._asked_s = 0.0

    def poll(self, now_s: float) -> bool:
        """Return whether this process shall end, so that the launcher tries another version."""
        if self._settings.auto_update:
            self._ask(now_s)
        seen = installed.stamp(self._program_dir)
        if seen == self._seen and now_s - self._looked_s < _LOOK_ANYWAY_S:
            return False
        self._seen, self._looked_s = seen, now_s
        trial = installed.load(self._program_dir).trial
        if trial is None or trial.version == __version__:
            return False
        self._log.event("update_waiting", version=trial.version)
        return True

    def stop(self) -> None:
        """End an update that is being fetched; the next one goes on from there."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.kill()
            asking.communicate()

    def _ask(self, now_s: float) -> None:
        asking = self._asking
        if asking is None:
            if now_s >= self._ask_at_s:
                self._ask_at_s = now_s + random.uniform(*THEN_AFTER_S)  # noqa: S311
                self._asked_s = now_s
                self._start()
        elif asking.poll() is not None:
            self._asking = None
            _, said = asking.communicate()
            if asking.returncode:
                self._log.event("update_failed", reason=_last_line(said))
        elif now_s - self._asked_s > _LONGEST_UPDATE_S:
            self.stop()
            self._log.event("update_failed", reason="it took too long")

    def _start(self) -> None:
        settings = {
            config.CENTRAL_URL: self._settings.url,
            config.RELEASE_KEYS: ",".join(self._settings.release_keys),
            config.CA_FILE: str(self._settings.ca_file or ""),
            config.PROGRAM_DIR: str(self._program_dir),
        }
        with contextlib.suppress(OSError):  # of processes, say: there is another day
            self._asking = subprocess.Popen(
                [*itself.command(), "update"],
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )


def _last_line(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("forge-agent: ") if lines else "it says nothing"
