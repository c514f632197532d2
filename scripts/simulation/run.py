"""One run, from the first token to the report."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from forge_shared.messages import MintedToken
from scripts.simulation import own_collector, schedule
from scripts.simulation.admin import Admin, AdminError, connected
from scripts.simulation.agents import Agent
from scripts.simulation.dialer import Dialer
from scripts.simulation.figures import Noise
from scripts.simulation.machines import Machine, fleet
from scripts.simulation.measurement import Measurement
from scripts.simulation.player import Player
from scripts.simulation.report import Report
from scripts.simulation.tally import Tally
from scripts.simulation.terminal import ProgressLine
from scripts.simulation.usage import Meter, MetricsMeter, ProcessMeter

_MOST_EDITED: Final = 200
_LOOK_AGAIN_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. ``seconds`` 0: until stopped. ``connections`` None: one a node.
    ``url`` None: a collector of our own, on ``port``, in ``data`` or a folder that goes away."""

    nodes: int
    interval_s: float
    seconds: float
    warm_up_s: float
    offline_share: float
    connections: int | None
    timeout_s: float
    seed: int
    url: str | None
    token: str
    port: int
    data: Path | None
    clean: bool


@dataclass(frozen=True, slots=True)
class _Target:
    """The collector that is driven."""

    url: SplitResult
    admin: Admin
    meter: Meter


async def simulate(options: Options, stopping: asyncio.Event) -> Report:
    """Play the fleet and return what it showed; raises AdminError and StartError."""
    line = ProgressLine()
    async with _target(options) as target:
        machines = fleet(options.nodes)
        tokens = await target.admin.mint(machines, stopping, line.counter("tokens", len(machines)))
        line.clear()
        try:
            # Stopped meanwhile, there are fewer tokens than machines.
            agents = _agents(options, target.url, machines[: len(tokens)], tokens)
            return await _play(options, target, agents, stopping, line)
        finally:
            line.clear()
            if options.clean:
                await target.admin.clean(tokens, line.counter("forgotten", len(tokens)))
                line.clear()


@asynccontextmanager
async def _target(options: Options) -> AsyncIterator[_Target]:
    if options.url is not None:
        async with connected(options.url, options.token) as admin:
            yield _Target(urlsplit(options.url), admin, MetricsMeter(admin))
        return
    async with (
        own_collector.running(options.data, options.port) as own,
        connected(own.url, own.token) as admin,
    ):
        # The link lets its reader in as admin: it is for a person's eyes, not for a file.
        print("collector    ", await admin.login_link() if sys.stdout.isatty() else own.url)
        sys.stdout.flush()
        yield _Target(urlsplit(own.url), admin, ProcessMeter(own.pid))


def _agents(
    options: Options, url: SplitResult, machines: Sequence[Machine], tokens: Sequence[MintedToken]
) -> list[Agent]:
    noise = Noise(options.seed)
    agents = [
        Agent(machine, minted.token, url, options.interval_s, noise)
        for machine, minted in zip(machines, tokens, strict=True)
    ]
    silences = schedule.silences(len(agents), options.offline_share, options.seconds, noise.random)
    for index, from_s in silences.items():
        agents[index].silent_from_s = from_s
    return agents


async def _play(
    options: Options,
    target: _Target,
    agents: Sequence[Agent],
    stopping: asyncio.Event,
    line: ProgressLine,
) -> Report:
    dialer = Dialer(target.url)
    phases = [schedule.phase(agent.machine.node_id) for agent in agents]
    player = Player(
        agents,
        schedule.Schedule(phases, options.interval_s),
        dialer,
        connections=options.connections,
        timeout_s=options.timeout_s,
    )
    measurement = Measurement(target.admin, target.meter, player.tally)
    await measurement.begin()
    async with asyncio.TaskGroup() as tasks:
        beside = [
            tasks.create_task(line.follow(player.tally, target.meter)),
            tasks.create_task(_edit(target.admin, agents, player.tally)),
        ]
        if options.warm_up_s:
            beside.append(tasks.create_task(measurement.begin_again_after(options.warm_up_s)))
        await player.play(options.seconds, stopping)
        await measurement.end()
        for task in beside:
            task.cancel()
    return await measurement.report(agents, options.interval_s, dialer.opened)


async def _edit(admin: Admin, agents: Sequence[Agent], tally: Tally) -> None:
    """Tag some machines, and mark those that are normally off, once each has been heard."""
    waiting = [agent for agent in agents if agent.machine.tags or agent.machine.family.ephemeral]
    del waiting[_MOST_EDITED:]
    while waiting:
        await asyncio.sleep(_LOOK_AGAIN_S)
        for agent in [agent for agent in waiting if agent.is_known]:
            waiting.remove(agent)
            try:
                await admin.edit(agent.machine)
            except AdminError as error:
                tally.note_error("an edit failed", str(error))
