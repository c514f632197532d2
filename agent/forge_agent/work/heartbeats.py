"""Heartbeats: they renew the leases, and bring back what is lost or to be cancelled."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from forge_agent.core.attempts import Stop
from forge_agent.core.pacing import Retry
from forge_agent.log import Log, Trouble
from forge_agent.transport import Connection
from forge_agent.work import clock
from forge_agent.work.collector import Line, RefusedError, UnansweredError, fault_of
from forge_agent.work.holding import LONGEST_REASON, Held, Holding

WAIT_S: Final = 25
_PATIENCE_S: Final = 10.0  # beyond what the answer may wait
_LAST_PATIENCE_S: Final = 1.0
# A cancel that is not carried out yet comes back at once, again and again.
_SHORTEST_TURN_S: Final = 1.0


class Heartbeats:
    """A thread with a heartbeat always under way, so that a cancel is heard at once; others send
    theirs in between by a line of their own. ``offers``: what the collector is told of the plugins;
    ``succeeds``: whose place this worker has taken."""

    def __init__(
        self,
        worker_id: str,
        line: Line,
        holding: Holding,
        offers: Mapping[str, Any],
        log: Log,
        *,
        succeeds: str | None = None,
    ) -> None:
        self._path = f"/api/workers/{worker_id}/heartbeat"
        self._line = line
        self._holding = holding
        self._offers = offers
        self._succeeds = {} if succeeds is None else {"succeeds": succeeds}
        self._trouble = Trouble(log)
        self._log = log
        self._retry = Retry()
        self._stopping = False
        self._renew = False
        self._wait_s = WAIT_S
        self.registered = False  # the collector knows what we can do
        self._is_known = False  # it has known us at some time
        self._thread = threading.Thread(target=self._run, name="heartbeats", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End; the collector is told that it was the last where nothing is held any more."""
        with self._holding.changed:
            self._stopping = True
            self._holding.changed.notify_all()
            self._line.interrupt()
        self._thread.join(_LAST_PATIENCE_S)

    def offer(self, offers: Mapping[str, Any]) -> None:
        """Tell the collector of these from now on."""
        with self._holding.changed:
            self._offers = offers
        self.again()

    def again(self) -> None:
        """Send another now: the one under way says too little, or came too late."""
        with self._holding.changed:
            self._renew = True
            self.registered = False
            self._holding.changed.notify_all()
            self._line.interrupt()

    def beat(
        self,
        line: Line,
        leases: Sequence[tuple[Held, Mapping[str, Any]]],
        *,
        wait_s: int = 0,
        registers: bool = False,
        timeout_s: float = _PATIENCE_S,
        by: Connection | None = None,
        last: bool = False,
    ) -> bool:
        """Send a heartbeat with these leases, and what is to be told of each; act on its answer.
        ``registers``: it says what this worker is; ``last``: that this worker ends. Return whether
        something is to be cancelled. Raises UnansweredError, RefusedError."""
        state = self._holding.state
        message: dict[str, Any] = {
            "leases": [{"id": held.job_id, "lease": held.lease, **told} for held, told in leases],
            "slots": self._holding.slots,
            "state": state.name,
            "reason": state.reason[:LONGEST_REASON],
            "wait_s": wait_s,
        }
        if registers:
            message |= {**self._offers, **self._succeeds}
        if last:
            message["last"] = True
        sent_s = clock.awake_or_not_s()
        reply = line.post(self._path, message, timeout_s=wait_s + timeout_s, by=by)
        heard = _Reply(reply)
        self._holding.told(state)
        self._wait_s = max(1, min(WAIT_S, heard.interval_s))
        # A job may be here by two leases: by one whose result was not answered yet, and which is
        # lost, and by that which took its place. The other is over, and minds neither.
        for held, _ in leases:
            if held.job_id in heard.renewed:
                held.renewed(sent_s, heard.lease_ttl_s)
            elif held.job_id in heard.lost:
                held.stop(Stop.LOST)
        # Also of those that were claimed since this heartbeat was sent.
        for held in self._holding.running():
            if held.job_id in heard.cancel:
                held.stop(Stop.CANCEL)
        return bool(heard.cancel)

    def _run(self) -> None:
        while self._pause(self._retry.not_before_s):
            begun_s = time.monotonic()
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 without this thread all leases are lost
                self._failed(fault_of(error), 0.0)
            self._pause(begun_s + _SHORTEST_TURN_S)
        if self._is_known and not self._retry.failures and not self._holding.held():
            with contextlib.suppress(UnansweredError, RefusedError):
                self.beat(self._line, [], timeout_s=_LAST_PATIENCE_S, last=True)

    def _turn(self) -> None:
        with self._holding.changed:  # in one: whatever changes from here on asks for another
            self._renew = False
            connection = self._line.connection
            held = self._holding.held()
            registers = not self.registered
        at_once = registers or not all(one.is_heard for one in held)
        try:
            self.beat(
                self._line,
                [(one, {}) for one in held],
                wait_s=0 if at_once else self._wait_s,
                registers=registers,
                by=connection,
            )
        except (UnansweredError, RefusedError) as error:
            retry_after_s = error.retry_after_s if isinstance(error, UnansweredError) else 0.0
            self._failed(str(error), retry_after_s)
            return
        self._retry.succeeded(time.monotonic())
        if self._trouble.over():
            self._log.event("collector_answers")
        with self._holding.changed:
            self.registered = not self._renew
            self._is_known = True
            self._holding.changed.notify_all()

    def _failed(self, reason: str, retry_after_s: float) -> None:
        with self._holding.changed:
            # The collector may be another by now, or one that has forgotten.
            self.registered = False
            if self._renew or self._stopping:
                return  # we ended it ourselves
        self._retry.failed(time.monotonic(), retry_after_s)
        self._trouble.persists("collector_silent", reason, reason=reason)

    def _pause(self, until_s: float) -> bool:
        """Wait, unless another heartbeat is wanted now; return False when it is time to end."""
        with self._holding.changed:
            while not (self._stopping or self._renew):
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    break
                self._holding.changed.wait(left_s)
            return not self._stopping


class _Reply:
    """An answer to a heartbeat; raises UnansweredError for one that is none."""

    def __init__(self, reply: Any) -> None:
        try:
            self.renewed = {str(one) for one in reply["renewed"]}
            self.lost = {str(one) for one in reply["lost"]}
            self.cancel = {str(one) for one in reply["cancel"]}
            self.lease_ttl_s = float(reply["lease_ttl_s"])
            self.interval_s = int(reply.get("interval_s", WAIT_S))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise UnansweredError("the answer is not a collector's") from None
