"""Sending snapshots: the newest first, and what was spooled in the time between.

One thread runs ``Uplink.run``; the sampler's thread offers snapshots and never waits for the
network. A snapshot is at any moment with exactly one of: the request in flight, the spool, or the
waiting place of the newest one, which is on disk as well unless it can be sent at once. So a
``kill -9`` loses what was in flight, and no more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from forge_agent.core import pacing, replies, spooling
from forge_agent.core.pacing import Retry
from forge_agent.core.replies import Action, Judgement
from forge_agent.log import Log, Trouble
from forge_agent.spool import Batch, Spool
from forge_agent.standing import FAULT, Standing
from forge_agent.standing import Connection as Connected
from forge_agent.transport import Connection, TransportError
from forge_shared import __version__

_JSON: Final = "application/json"
_NDJSON: Final = "application/x-ndjson"
_STOP_TIMEOUT_S: Final = 1.0
# One may be a push that a broken connection made the transport send twice.
_TAKEN_IN_A_ROW: Final = 3
_CLOCK_SET_MS: Final = (946_684_800_000, 4_102_444_800_000)  # 2000 to 2100, as messages.UnixMs


class Live(NamedTuple):
    """The newest snapshot. ``line``: its JSON with a newline, of the boot ``boot_id``; ``facts``:
    the machine's, as JSON; ``values`` and ``interval_s`` are for showing; ``spooled``: it is on
    disk as well."""

    line: bytes
    boot_id: str
    facts: bytes
    values: Mapping[str, float]
    interval_s: int
    spooled: bool = False


class Uplink:
    """Carries snapshots of one node to the collector.

    Called from the uplink's thread are ``on_interval`` with each interval the collector names,
    ``on_boot_taken`` when another agent sends as our boot, and ``on_standing`` when the way it
    stands with the collector has changed.
    """

    def __init__(
        self,
        *,
        node_id: str,
        token: str,
        connection: Connection,
        spool: Spool,
        log: Log,
        on_interval: Callable[[int], None],
        on_boot_taken: Callable[[], None] = lambda: None,
        on_standing: Callable[[], None] = lambda: None,
    ) -> None:
        self._node_id = node_id
        self._path = f"/api/ingest/{node_id}"
        self._token = token
        self._connection = connection
        self._spool = spool
        self._log = log
        self._on_interval = on_interval
        self._on_boot_taken = on_boot_taken
        self._on_standing = on_standing
        # Replaced whole by the uplink's thread, so that others may read it at any time.
        self._standing = Standing("starting", "", _wall_ms())
        self._trouble = Trouble(log)
        self._replay_trouble = Trouble(log)
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        # Only the uplink's thread touches these.
        self._connected = False
        self._offline_since_s: float | None = None
        self._refusal_said = False
        self._boot_id = ""  # of what was sent live last
        self._facts_known = b""  # the machine's facts, as that boot told them, acknowledged
        self._taken = 0  # new snapshots in a row that the collector had before
        self._batch_lines = spooling.BATCH_LINES
        self._replayed = 0
        self._replay = Retry()
        # Guards all below.
        self._changed = threading.Condition()
        self._waiting: Live | None = None
        self._in_flight: Live | None = None
        self._busy = False
        self._live = Retry()
        self._stopping = False
        self._refused = 0

    def start(self) -> None:
        self._thread.start()

    def offer(self, live: Live) -> None:
        """Take a new snapshot: to be sent at once, or else kept on disk until it can be."""
        with self._changed:
            at_once = not self._busy and self._waiting is None and self._live.failures == 0
            if not at_once:
                self._keep(self._waiting)
                self._spool.append(live.line)
            self._waiting = live._replace(spooled=not at_once)
            self._changed.notify()

    @property
    def standing(self) -> Standing:
        return self._standing

    @property
    def dropped(self) -> int:
        """Snapshots lost since start: to a full spool or disk, or refused for good."""
        with self._changed:
            return self._refused + self._spool.dropped

    def stop(self) -> None:
        """Stop sending, and spool what was not acknowledged; takes a second at most."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._connection.abort()
        if self._thread.ident is not None:
            # It may be held by a name lookup, which nothing can end; the thread is a daemon.
            self._thread.join(_STOP_TIMEOUT_S)
        with self._changed:
            for live in (self._in_flight, self._waiting):
                self._keep(live)
            self._in_flight = self._waiting = None

    # --- the uplink's thread --------------------------------------------------------------------

    def _run(self) -> None:
        while (work := self._next_work()) is not None:
            try:
                if isinstance(work, Live):
                    self._push(work)
                else:
                    self._replay_batch(work)
            except Exception as error:  # noqa: BLE001 without this thread nothing is sent again
                # Its type alone: its text may quote the headers, and with them the token.
                fault = Judgement(Action.KEEP, f"{FAULT} ({type(error).__name__})")
                if isinstance(work, Live):
                    self._push_failed(work, fault)
                else:
                    self._replay_failed(work, fault, timed_out=False)

    def _next_work(self) -> Live | Batch | None:
        """Wait for something to send; None when stopping."""
        with self._changed:
            self._busy = False
            while not self._stopping:
                now_s = time.monotonic()
                if self._waiting is not None and now_s >= self._live.not_before_s:
                    self._in_flight, self._waiting = self._waiting, None
                    self._busy = True
                    return self._in_flight
                batch = self._due_batch(now_s)
                if batch is not None:
                    self._busy = True
                    return batch
                self._changed.wait(self._idle_s(now_s))
            return None

    def _due_batch(self, now_s: float) -> Batch | None:
        """Replay only what a collector that takes live pushes will take."""
        online = self._connected and self._live.failures == 0
        if not online or now_s < self._replay.not_before_s:
            return None
        return self._spool.next_batch(self._batch_lines)

    def _idle_s(self, now_s: float) -> float | None:
        """Return how long to wait unless something changes; None without end."""
        if self._waiting is not None:
            return self._live.not_before_s - now_s
        if self._connected and self._live.failures == 0 and self._spool.waiting_bytes:
            return max(0.0, self._replay.not_before_s - now_s)
        return None

    def _push(self, live: Live) -> None:
        """Send one snapshot, with the machine's facts when the collector lacks them."""
        if live.boot_id != self._boot_id:
            self._boot_id, self._facts_known = live.boot_id, b""
        body = live.line.rstrip(b"\n")
        if live.facts != self._facts_known:
            body = body[:-1] + b',"host":' + live.facts + b"}"
        judgement, _ = self._send(body, _JSON, 1)
        if judgement.action is Action.KEEP:
            self._push_failed(live, judgement)
            return
        with self._changed:
            self._in_flight = None
            self._live.succeeded(time.monotonic())
        acknowledged = judgement.action is Action.DONE and not judgement.rejected
        if acknowledged:
            self._standing = self._standing._replace(last_push_at=_wall_ms())
        self._online()
        self._count_refused(judgement, 1)
        if acknowledged:
            self._facts_known = live.facts
            self._log.pushed(live.values, live.interval_s)
            if not live.spooled:  # one that is may have been sent before
                self._look_for_a_twin(judgement)

    def _look_for_a_twin(self, judgement: Judgement) -> None:
        """A machine that was copied while its agent ran, or set back to what it was, sends what is
        taken for old: its numbers were used, by another or by itself."""
        self._taken = self._taken + 1 if judgement.duplicates else 0
        if self._taken >= _TAKEN_IN_A_ROW:
            self._taken = 0
            self._on_boot_taken()

    def _push_failed(self, live: Live, judgement: Judgement) -> None:
        """Put the snapshot on disk, and in its place again unless there is a newer one."""
        with self._changed:
            if self._stopping:
                return  # stop() keeps what is in flight; this is no news of the collector
            self._keep(live)
            self._in_flight = None
            if self._waiting is None:
                self._waiting = live._replace(spooled=True)
            self._live.failed(time.monotonic(), judgement.retry_after_s)
        if self._offline_since_s is None:
            self._offline_since_s = time.monotonic()
        reason = judgement.reason
        self._stands("refused" if judgement.refused else "offline", reason)
        if judgement.refused and not self._refusal_said:
            self._refusal_said = True
            self._trouble.persists("token_refused", reason, reason=reason, node_id=self._node_id)
        else:
            spool_bytes = self._spool.waiting_bytes
            self._trouble.persists("offline", reason, reason=reason, spool_bytes=spool_bytes)

    def _online(self) -> None:
        """Note that the collector answers."""
        since_s, self._offline_since_s = self._offline_since_s, None
        self._trouble.over()
        self._refusal_said = False
        self._stands("online", "")
        if since_s is not None:
            now_s = time.monotonic()
            self._replay.spread(now_s, now_s - since_s)
            offline_s = round(now_s - since_s)
            self._log.event("recovered", offline_s=offline_s, spool_bytes=self._spool.waiting_bytes)
        elif not self._connected:
            self._log.event("connected")
        self._connected = True

    def _stands(self, connection: Connected, reason: str) -> None:
        before = self._standing
        if (connection, reason) != (before.connection, before.reason):
            self._standing = before.now(connection, reason, _wall_ms())
            self._on_standing()

    def _replay_batch(self, batch: Batch) -> None:
        begun_s = time.monotonic()
        judgement, timed_out = self._send(batch.body, _NDJSON, batch.lines)
        now_s = time.monotonic()
        took_s = now_s - begun_s
        if judgement.action is Action.HALVE:
            self._batch_lines = max(1, batch.lines // 2)
            return
        if judgement.action is Action.KEEP:
            self._replay_failed(batch, judgement, timed_out=timed_out)
            return
        self._spool.answered(batch)
        self._replay.succeeded(now_s, pacing.replay_pause_s(took_s))
        self._replay_trouble.over()
        self._batch_lines = pacing.lines_after(self._batch_lines, batch.lines, took_s)
        lost = self._count_refused(judgement, batch.lines)
        self._replayed += batch.lines - lost
        if not self._spool.waiting_bytes:
            self._log.event("replayed", snapshots=self._replayed)
            self._replayed = 0

    def _replay_failed(self, batch: Batch, judgement: Judgement, *, timed_out: bool) -> None:
        """Wait before the next batch; live pushes find out by themselves how things stand."""
        with self._changed:
            if self._stopping:
                return
        if timed_out:
            # A slow line may carry fewer in the same time.
            self._batch_lines = max(1, batch.lines // 2)
        elif judgement.retry_after_s:
            self._batch_lines = pacing.lines_after_refusal(batch.lines)
        self._replay.failed(time.monotonic(), judgement.retry_after_s)
        self._replay_trouble.persists("replay_paused", judgement.reason, reason=judgement.reason)

    def _send(self, body: bytes, content_type: str, lines: int) -> tuple[Judgement, bool]:
        """Send a body of so many lines; return what its answer means, and whether there was none
        in time."""
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": content_type,
            "User-Agent": f"forge-agent/{__version__}",
        }
        now_ms = _wall_ms()
        # A board without a battery wakes up in 1970. To say so would have the whole body refused,
        # with all that was spooled in better days.
        if _CLOCK_SET_MS[0] <= now_ms <= _CLOCK_SET_MS[1]:
            headers["Forge-Sent-At"] = str(now_ms)
        if content_type == _NDJSON:
            # What is replayed may be of any boot; this tells who replays it.
            headers["Forge-Boot-Id"] = self._boot_id
        try:
            reply = self._connection.post(self._path, body, headers)
        except TransportError as error:
            return Judgement(Action.KEEP, str(error)), error.timed_out
        judgement = replies.judge(
            status=reply.status,
            body=reply.body,
            lines=lines,
            retry_after=reply.retry_after,
            location=reply.location,
        )
        if judgement.interval_s is not None:
            self._on_interval(judgement.interval_s)
        return judgement, False

    def _count_refused(self, judgement: Judgement, lines: int) -> int:
        """Count and say what is lost for good; return how many snapshots that is."""
        lost = lines if judgement.action is Action.DROP else judgement.rejected
        if lost:
            with self._changed:
                self._refused += lost
            self._log.event("snapshots_refused", snapshots=lost, reason=judgement.reason)
        return lost

    def _keep(self, live: Live | None) -> None:
        if live is not None and not live.spooled:
            self._spool.append(live.line)


def _wall_ms() -> int:
    return int(time.time() * 1000)
