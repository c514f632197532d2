"""Whether a version on trial works, judged by what it writes into its status file. Pure: the
moment, on a clock that stands still in suspend, is a parameter."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple

from forge_agent.standing import FAULT

# So many answers in a row, while the version on trial gets none, are no chance: at usual patience
# it has tried in between, for it waits 30 s at most.
PROBES: Final = 4


class Patience(NamedTuple):
    """``start_s``: until it writes its first status; ``silent_s``: between two, which come every
    30 s; ``push_s``: until a push, while the collector answers; ``lasting_s``: how long it must
    have run; ``probe_s``: between two questions whether the collector answers the launcher;
    ``stop_s``: until it ends when asked to; ``look_s``: between two looks."""

    start_s: float = 60.0
    silent_s: float = 150.0
    push_s: float = 120.0
    lasting_s: float = 60.0
    probe_s: float = 30.0
    stop_s: float = 5.0
    look_s: float = 1.0


class Status(NamedTuple):
    """What counts of a status file. The launcher reads those of later versions: this much of its
    form must stay."""

    version: str
    boot_id: str
    noted_at: int
    connection: str
    reason: str
    has_pushed: bool


class Verdict(Enum):
    """LASTING: it ran long enough that its starts were no failures, but has not pushed yet."""

    WAIT = "wait"
    LASTING = "lasting"
    PROVED = "proved"
    FAILED = "failed"


class Judge:
    """Looks at one run of the version on trial.

    ``boot_id_before``: of the status that another run has left. ``was_accepted``: the collector
    took the pushes of the version before; if not, that it refuses these says nothing.
    """

    def __init__(
        self,
        version: str,
        *,
        was_accepted: bool,
        boot_id_before: str | None,
        patience: Patience,
        now_s: float,
    ) -> None:
        self._version = version
        self._was_accepted = was_accepted
        self._boot_id_before = boot_id_before
        self._patience = patience
        self._began_s = now_s
        self._noted_at: int | None = None
        self._heard_s = now_s
        self._trying_s: float | None = None
        self._cut_off = False
        self._probed_s = now_s
        self._probes_answered = 0
        self.reason = ""

    def look(self, status: Status | None, now_s: float) -> Verdict:
        """Judge by the status as it is now; ``reason`` says why it failed."""
        if status is not None and status.noted_at != self._noted_at and self._is_its_own(status):
            self._noted_at = status.noted_at
            self._heard_s = now_s
        if self._noted_at is None:
            late = now_s - self._heard_s > self._patience.start_s
            return self._failed("it did not start in time") if late else Verdict.WAIT
        if now_s - self._heard_s > self._patience.silent_s:
            return self._failed("it hangs")
        if status is None:
            return Verdict.WAIT
        if not status.has_pushed:
            return self._unpushed(status, now_s)
        return Verdict.PROVED if self._lasts(now_s) else Verdict.WAIT

    def wants_probe(self, now_s: float) -> bool:
        """Tell whether it is time to ask the collector whether it answers the launcher: the
        version on trial says that it cannot be reached."""
        due = self._cut_off and now_s - self._probed_s >= self._patience.probe_s
        if due:
            self._probed_s = now_s
        return due

    def probed(self, *, answered: bool) -> None:
        self._probes_answered = self._probes_answered + 1 if answered else 0

    def _unpushed(self, status: Status, now_s: float) -> Verdict:
        if reason := self._failure(status, now_s):
            return self._failed(reason)
        # A collector that cannot be reached is nobody's failure: there is all the time.
        return Verdict.LASTING if self._lasts(now_s) else Verdict.WAIT

    def _failure(self, status: Status, now_s: float) -> str:
        """Return what is this version's fault, nothing if it may be anybody's."""
        offline = status.connection == "offline"
        fault = status.reason.startswith(FAULT)
        # An answer that is not to its liking is the collector's, or a proxy's.
        self._cut_off = offline and not fault and not status.reason[:3].isdigit()
        if not self._cut_off:
            self._probes_answered = 0
        if self._probes_answered >= PROBES:
            return f"it cannot reach the collector, which answers the launcher: {status.reason}"
        if not self._was_accepted:
            return ""
        if status.connection == "refused":
            return f"the collector refuses it: {status.reason}"
        if fault:
            return status.reason
        self._trying_s = None if offline else self._trying_s or now_s
        if self._trying_s is not None and now_s - self._trying_s > self._patience.push_s:
            return "it does not come to push"
        return ""

    def _lasts(self, now_s: float) -> bool:
        return now_s - self._began_s >= self._patience.lasting_s

    def _failed(self, reason: str) -> Verdict:
        self.reason = reason
        return Verdict.FAILED

    def _is_its_own(self, status: Status) -> bool:
        return status.version == self._version and status.boot_id != self._boot_id_before


def status_of(record: Any) -> Status | None:
    """Read a status file's content; None unless it is one.

    More lenient than ``noted.read``, which reads what this very version writes: a later one must
    not fail its trial for a field that it writes otherwise and nobody judges by.
    """
    if not isinstance(record, dict):
        return None
    noted_at = record.get("noted_at")
    if not isinstance(noted_at, int):
        return None
    return Status(
        version=str(record.get("version")),
        boot_id=str(record.get("boot_id")),
        noted_at=noted_at,
        connection=str(record.get("connection")),
        reason=str(record.get("reason") or ""),
        has_pushed=record.get("last_push_at") is not None,
    )
