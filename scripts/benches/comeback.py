"""A fleet that lost its collector and finds it again, in virtual time.

Agents go by the agent's own rules (forge_agent.core.schedule and .pacing, which the agent runs),
the collector by its own admission of replays (forge_collector.http.admission) and a single core, on
which every request takes the time it was measured to take. Nothing sleeps; no clock is read.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from forge_agent.core import pacing, schedule, spooling
from forge_agent.core.pacing import Retry
from forge_collector.fleet.routes import replay_admission

# CPU of the collector on the machine of docs/performance.md: `scripts/bench ingest` for a live push
# where 2,000 come a second; a replay of 500 lines took 15 ms more.
LIVE_S: Final = 0.000_405
REFUSAL_S: Final = 0.000_2
REPLAY_S: Final = 0.000_3
REPLAY_LINE_S: Final = 0.000_03
LINE_BYTES: Final = 1130  # 40 values

_WALL_MS: Final = 1_800_000_000_000
_AGENT_TIMEOUT_S: Final = 10.0
_LINE_S: Final = 0.005  # there and back
# Beyond this the collector answers 503; it is what 20,000 waiting units come to.
_OVERLOADED_S: Final = 6.0
_OVERLOADED_RETRY_AFTER_S: Final = 2
# Before an outage ends only its last minutes matter: retries have been as rare as they get.
_TAIL_S: Final = 120.0
_MANY_FAILURES: Final = 10

Answer = Callable[[float], None]


class Scenario(NamedTuple):
    """``hangs``: what is sent in the outage gets no answer; otherwise it is refused at once.
    ``watched_s``: how long to look on after it. ``speed``: of the collector, 1: as measured."""

    agents: int
    outage_s: float
    hangs: bool
    watched_s: float = 300.0
    interval_s: int = schedule.DEFAULT_INTERVAL_S
    speed: float = 1.0
    seed: int = 1


@dataclass
class Outcome:
    """What arrived at the collector, by the second after it was back. ``live_ms``: from
    sending a snapshot live to its acknowledgement."""

    live_per_s: Counter[int] = field(default_factory=Counter)
    replays_per_s: Counter[int] = field(default_factory=Counter)
    refused_per_s: Counter[int] = field(default_factory=Counter)
    lines_per_s: Counter[int] = field(default_factory=Counter)
    busy_s: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    attempts_while_away: int = 0
    live_ms: list[float] = field(default_factory=list)
    live_failures: int = 0
    back_s: list[float] = field(default_factory=list)
    spooled_lines: int = 0
    lines_left: int = 0
    caught_up_s: float | None = None


class Collector:
    """One core. While it is away it refuses or hangs; then it serves in the order of arrival."""

    def __init__(self, scenario: Scenario, back_at_s: float, outcome: Outcome) -> None:
        self._hangs = scenario.hangs
        self._speed = scenario.speed
        self._back_at_s = back_at_s
        self._free_at_s = 0.0
        self._replays = replay_admission(scenario.speed)
        self._outcome = outcome

    def is_back(self, now_s: float) -> bool:
        return now_s >= self._back_at_s

    def no_answer_at_s(self, now_s: float) -> float:
        self._outcome.attempts_while_away += 1
        return now_s + (_AGENT_TIMEOUT_S if self._hangs else _LINE_S)

    def live(self, now_s: float) -> tuple[float, float | None]:
        """Return when the answer comes, and its Retry-After; None: stored."""
        self._outcome.live_per_s[self._second(now_s)] += 1
        if self._free_at_s - now_s > _OVERLOADED_S:
            return self._served(now_s, REFUSAL_S), _OVERLOADED_RETRY_AFTER_S
        return self._served(now_s, LIVE_S), None

    def replay(self, caller: str, lines: int, now_s: float) -> tuple[float, float | None]:
        second = self._second(now_s)
        self._outcome.replays_per_s[second] += 1
        wait_s = self._replays.enter(caller, lines * LINE_BYTES, round(now_s * 1000))
        if wait_s is not None:
            self._outcome.refused_per_s[second] += 1
            return self._served(now_s, REFUSAL_S), wait_s
        self._outcome.lines_per_s[second] += lines
        return self._served(now_s, REPLAY_S + lines * REPLAY_LINE_S), None

    def left(self, caller: str) -> None:
        self._replays.leave(caller)

    def _served(self, now_s: float, cost_s: float) -> float:
        cost_s /= self._speed
        begins_s = max(now_s, self._free_at_s)
        self._free_at_s = begins_s + cost_s
        self._outcome.busy_s[self._second(begins_s)] += cost_s
        return self._free_at_s + _LINE_S

    def _second(self, now_s: float) -> int:
        return int(now_s - self._back_at_s)


class Agent:
    """The uplink's decisions (forge_agent.uplink) over the rules that both share."""

    def __init__(self, world: World, node_id: str) -> None:
        self._world = world
        self.node_id = node_id
        self.live = Retry(world.draw)
        self.replay = Retry(world.draw)
        self.phase = schedule.phase(node_id)
        self.turn_s = 0.0
        self.spool_lines = 0
        self.offline_since_s: float | None = None
        self._has_waiting = False
        self._waiting_is_spooled = False
        self._busy = False
        self._most_lines = spooling.BATCH_LINES

    def take_sample(self, now_s: float) -> None:
        interval_s = self._world.scenario.interval_s
        self.turn_s = schedule.next_turn_s(self.turn_s, now_s, interval_s)
        self._world.at(self.turn_s, self.take_sample)
        at_once = not self._busy and not self._has_waiting and self.live.failures == 0
        if not at_once:
            if self._has_waiting and not self._waiting_is_spooled:
                self.spool_lines += 1
            self.spool_lines += 1
        self._has_waiting, self._waiting_is_spooled = True, not at_once
        self.work(now_s)

    def work(self, now_s: float) -> None:
        if self._busy:
            return
        if self._has_waiting:
            if now_s >= self.live.not_before_s:
                self._push(now_s)
            else:
                self._world.at(self.live.not_before_s, self.work)
            return
        if self.spool_lines and self.live.failures == 0:
            if now_s >= self.replay.not_before_s:
                self._replay_batch(now_s)
            else:
                self._world.at(self.replay.not_before_s, self.work)

    def _push(self, now_s: float) -> None:
        is_spooled, self._has_waiting, self._busy = self._waiting_is_spooled, False, True
        collector = self._world.collector
        if not collector.is_back(now_s):
            answered_s, retry_after_s, stored = collector.no_answer_at_s(now_s), 0.0, False
        else:
            answered_s, refused_s = collector.live(now_s)
            retry_after_s, stored = refused_s or 0.0, refused_s is None
            if answered_s - now_s > _AGENT_TIMEOUT_S:
                answered_s, retry_after_s, stored = now_s + _AGENT_TIMEOUT_S, 0.0, False

        def answered(at_s: float) -> None:
            self._busy = False
            if stored:
                self._stored(at_s, at_s - now_s)
            else:
                self._failed(at_s, retry_after_s, is_spooled=is_spooled)
            self.work(at_s)

        self._world.at(answered_s, answered)

    def _stored(self, at_s: float, took_s: float) -> None:
        self.live.succeeded(at_s)
        self._world.outcome.live_ms.append(took_s * 1000)
        if self.offline_since_s is not None:
            self._world.outcome.back_s.append(at_s - self._world.back_at_s)
            self.replay.spread(at_s, at_s - self.offline_since_s)
            self.offline_since_s = None

    def _failed(self, at_s: float, retry_after_s: float, *, is_spooled: bool) -> None:
        if self._world.collector.is_back(at_s):
            self._world.outcome.live_failures += 1
        self.spool_lines += not is_spooled
        if not self._has_waiting:
            self._has_waiting, self._waiting_is_spooled = True, True
        self.live.failed(at_s, retry_after_s)
        if self.offline_since_s is None:
            self.offline_since_s = at_s

    def _replay_batch(self, now_s: float) -> None:
        lines = min(self._most_lines, self.spool_lines)
        self._busy = True
        collector = self._world.collector
        answered_s, refused_s = collector.replay(self.node_id, lines, now_s)

        def answered(at_s: float) -> None:
            self._busy = False
            took_s = at_s - now_s
            if refused_s is not None:
                self._most_lines = pacing.lines_after_refusal(lines)
                # Retry-After is whole seconds, and the agent's limit is its own.
                self.replay.failed(at_s, float(-(-refused_s // 1)))
            else:
                collector.left(self.node_id)
                self.spool_lines -= lines
                self._world.replayed(lines, at_s)
                self.replay.succeeded(at_s, pacing.replay_pause_s(took_s))
                self._most_lines = pacing.lines_after(self._most_lines, lines, took_s)
            self.work(at_s)

        self._world.at(answered_s, answered)


class World:
    """Agents, their collector, and the order of what happens."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.draw = random.Random(scenario.seed).random  # noqa: S311  no secret
        self.outcome = Outcome()
        tail_s = min(scenario.outage_s, _TAIL_S)
        self._began_s = 20.0  # of calm, before which nobody pushes
        self.back_at_s = self._began_s + tail_s
        self.collector = Collector(scenario, self.back_at_s, self.outcome)
        self._events: list[tuple[float, int, Answer]] = []
        self._count = 0
        self._to_replay = 0
        self._agents: list[Agent] = []
        for number in range(scenario.agents):
            self._add(f"node-{number:05}", scenario.outage_s - tail_s)

    def at(self, at_s: float, do: Answer) -> None:
        self._count += 1
        heapq.heappush(self._events, (at_s, self._count, do))

    def replayed(self, lines: int, at_s: float) -> None:
        self._to_replay -= lines
        if self.outcome.caught_up_s is None and self._to_replay <= 0:
            self.outcome.caught_up_s = at_s - self.back_at_s

    def run(self) -> Outcome:
        ends_s = self.back_at_s + self.scenario.watched_s
        counted = False
        while self._events and self._events[0][0] <= ends_s:
            at_s, _, do = heapq.heappop(self._events)
            if not counted and at_s >= self.back_at_s:
                counted = True
                self._to_replay = self.outcome.spooled_lines = self._in_spools()
            do(at_s)
        self.outcome.lines_left = self._in_spools()
        return self.outcome

    def _in_spools(self) -> int:
        return sum(agent.spool_lines for agent in self._agents)

    def _add(self, node_id: str, before_s: float) -> None:
        """``before_s``: how much of the outage lies before what is played."""
        agent = Agent(self, node_id)
        self._agents.append(agent)
        begins_s = self._began_s
        agent.turn_s = schedule.first_turn_s(
            begins_s, _WALL_MS + round(begins_s * 1000), self.scenario.interval_s, agent.phase
        )
        if before_s > 0:
            agent.spool_lines = int(before_s / self.scenario.interval_s)
            agent.offline_since_s = begins_s - before_s
            agent.live.failures = _MANY_FAILURES
            agent.live.failed(begins_s, 0.0)
        self.at(agent.turn_s, agent.take_sample)


def played(scenario: Scenario) -> Outcome:
    return World(scenario).run()
