"""Those who want jobs done: a thread that submits, uploads and cancels, whatever goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from tests.fleet.api import Admin
from tests.fleet.mix import Wanted


class Submitting:
    """``over_s``: so long it takes to submit them all."""

    def __init__(self, port: int, wanted: Sequence[Wanted], over_s: float) -> None:
        self._admin = Admin(port)
        self._wanted = wanted
        self._pause_s = over_s / max(1, len(wanted))
        self._cancels: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.failed: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            for wanted in self._wanted:
                self._submit(wanted)
                self._cancel()
                time.sleep(self._pause_s)
            while self._cancels:
                self._cancel()
                time.sleep(0.05)
        except BaseException as error:  # noqa: BLE001  told to who waits
            self.failed = error
        finally:
            self._admin.close()

    def _submit(self, wanted: Wanted) -> None:
        for _ in range(2):  # as one does whose answer was lost
            assert self._admin.submit(wanted.body) == wanted.id
        if wanted.upload:
            self._admin.upload(wanted.id, wanted.upload)
        if wanted.cancel_s is not None:
            self._cancels.append((time.monotonic() + wanted.cancel_s, wanted.id))

    def _cancel(self) -> None:
        for one in list(self._cancels):
            if one[0] <= time.monotonic():
                self._cancels.remove(one)
                self._admin.cancel(one[1])
