"""Plays the agents: sends what is due when it is due, and takes note of what comes back."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from typing import Final

from forge_shared import codec
from forge_shared.messages import IngestReply, Problem
from scripts.simulation.agents import Agent, Push
from scripts.simulation.connection import Connection
from scripts.simulation.pool import Dials, Pool
from scripts.simulation.reply import Reply
from scripts.simulation.schedule import Schedule
from scripts.simulation.tally import Tally

_TICK_S: Final = 0.002  # what is due within it goes out together
_LONGEST_SLEEP_S: Final = 0.25  # so that a stop and a time-out are noticed
_ALL_STORED: Final = b'{"accepted":1,'


class Player:
    """A Sender that plays all agents, over one pool or over one connection each.

    An agent has one push under way at a time, as real ones do; one that is due before the last
    has its outcome is not sent, and counts as an error.
    """

    def __init__(
        self,
        agents: Sequence[Agent],
        schedule: Schedule,
        dialer: Dials,
        *,
        connections: int | None,
        timeout_s: float,
    ) -> None:
        """``connections``: the shared pool's limit, None: one connection an agent."""
        self.tally = Tally()
        self._agents = agents
        self._schedule = schedule
        self._timeout_s = timeout_s
        # Ordered by sending: the first one is the next to time out.
        self._under_way: dict[Connection, None] = {}
        self._outstanding = 0
        if connections is None:
            self._pools = [Pool(dialer, self, 1) for _ in agents]
            self._pool_of = self._pools
        else:
            self._pools = [Pool(dialer, self, connections)]
            self._pool_of = self._pools * len(agents)

    async def play(self, seconds: float, stopping: asyncio.Event) -> None:
        """Push until the time is over (0: never is) or ``stopping``; then wait for the replies."""
        started = time.monotonic()
        # Not what is due at the very end: so that S seconds are S / interval pushes a node.
        last_due_s = math.nextafter(seconds, 0) if seconds else math.inf
        while not stopping.is_set():
            now = time.monotonic()
            elapsed_s = now - started
            for due_at_s, index in self._schedule.due(min(elapsed_s, last_due_s)):
                self._push(index, started + due_at_s, due_at_s)
            self._time_out(now)
            if elapsed_s > last_due_s:
                break
            until_due_s = self._schedule.next_at_s() - (time.monotonic() - started)
            await asyncio.sleep(min(_LONGEST_SLEEP_S, max(_TICK_S, until_due_s)))
        await self._finish()

    # --- Sender ------------------------------------------------------------------------------

    def connect(self, pool: Pool) -> Connection:
        return Connection(
            lambda connection, reply: self._replied(pool, connection, reply),
            lambda connection, reason: self._lost(pool, connection, reason),
        )

    def send(self, connection: Connection, push: Push) -> None:
        request = push.agent.request()
        push.sent_at = time.monotonic()
        self.tally.note_sent(push, len(request))
        self._under_way[connection] = None
        connection.send(push, request)

    def unreachable(self, push: Push, reason: str) -> None:
        self._fail(push, "unreachable", reason)

    # --- what happens to a push --------------------------------------------------------------

    def _push(self, index: int, due_at: float, elapsed_s: float) -> None:
        agent = self._agents[index]
        if agent.is_silent(elapsed_s):
            return
        if agent.is_outstanding:
            self.tally.note_error("due before the last one had its reply, not sent")
            return
        agent.is_outstanding = True
        self._outstanding += 1
        self._pool_of[index].submit(Push(agent, due_at))

    def _replied(self, pool: Pool, connection: Connection, reply: Reply) -> None:
        push = self._take(connection)
        if push is not None:
            if reply.status == 200 and reply.body.startswith(_ALL_STORED):
                push.agent.is_known = True
                self.tally.note_acknowledged(push, time.monotonic())
                self._settle(push)
            else:
                self._fail(push, *_fault_of(reply))
        if reply.keeps_open:
            pool.give_back(connection)
        else:
            connection.close()

    def _lost(self, pool: Pool, connection: Connection, reason: str) -> None:
        push = self._take(connection)
        if push is not None:
            kind, _, example = reason.partition(": ")
            self._fail(push, kind, example)
        pool.lost(connection)

    def _time_out(self, now: float) -> None:
        while self._under_way:
            connection = next(iter(self._under_way))
            push = connection.push
            if push is not None and now - push.sent_at < self._timeout_s:
                return
            if (timed_out := self._take(connection)) is not None:
                self._fail(timed_out, "timeout", f"no reply within {self._timeout_s:g} s")
            connection.close()

    def _take(self, connection: Connection) -> Push | None:
        self._under_way.pop(connection, None)
        push, connection.push = connection.push, None
        return push

    def _fail(self, push: Push, kind: str, example: str) -> None:
        self.tally.note_error(kind, example)
        self._settle(push)

    def _settle(self, push: Push) -> None:
        push.agent.is_outstanding = False
        self._outstanding -= 1

    async def _finish(self) -> None:
        """Wait for what is under way, so long as it may take, and close everything."""
        deadline = time.monotonic() + self._timeout_s
        while self._outstanding and time.monotonic() < deadline:
            self._time_out(time.monotonic())
            await asyncio.sleep(_TICK_S)
        self._time_out(deadline + self._timeout_s)
        for pool in self._pools:
            for push in pool.drop_waiting():
                self._fail(push, "timeout", "no connection was free")
            await pool.close()


def _fault_of(reply: Reply) -> tuple[str, str]:
    """Return the kind of error a reply is, and what it says."""
    try:
        if reply.status == 200:
            stored = codec.decode(reply.body, IngestReply)
            what = "duplicate" if stored.duplicates else "rejected"
            return what, "; ".join(rejection.detail for rejection in stored.rejected)
        problem = codec.decode(reply.body, Problem)
    except (codec.MalformedError, codec.InvalidError):
        return f"status {reply.status}", reply.body.decode(errors="replace")
    else:
        return f"status {reply.status} {problem.code}", problem.detail
