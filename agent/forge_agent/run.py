"""`forge-agent run`: samples in this thread, sends in another, until told to stop."""

from __future__ import annotations

import gc
import json
import os
import queue
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, TextIO

from forge_agent import facts, parent, places, spool_owner
from forge_agent.config import Settings
from forge_agent.core import schedule, values
from forge_agent.core.choice import Choice, Choices
from forge_agent.cpu_model import CpuModel
from forge_agent.lock import FileLock, LockedError, is_held
from forge_agent.log import Log
from forge_agent.sampling.host import slept_s
from forge_agent.sampling.sampler import Sampler, families
from forge_agent.spool import Spool
from forge_agent.standing import NOTED_EVERY_S, StatusFile
from forge_agent.terminal import complain
from forge_agent.transport import Connection
from forge_agent.uplink import Live, Uplink
from forge_agent.work.supervision import Supervision
from forge_shared import __version__

if TYPE_CHECKING:
    from forge_agent.update.auto import Updates

# The first sample needs counters to compare with, and enough time between.
_FIRST_SAMPLE_AFTER_S: Final = schedule.LEAST_GAP_S
_FACTS_EVERY_S: Final = 60.0
_TIDY_EVERY_S: Final = 300.0
# The owner may switch work off, the worker or the parent may end, and on Windows a signal is
# noticed only between waits.
_STEP_S: Final = 1.0
# Where there is only a switch to be noticed: a wake a second cost a fifth of the agent's CPU.
_IDLE_STEP_S: Final = 5.0

# What the main thread waits for: an interval from the collector in seconds, or None to stop. A
# SimpleQueue, because its put may be called from a signal handler.
Wake = queue.SimpleQueue[int | None]


def run(
    settings: Settings, *, parent_pid: int | None = None, program_dir: Path | None = None
) -> int:
    """Measure and push until SIGTERM or SIGINT; return the exit code.

    ``program_dir``: where the launcher that started this is, if one did; it starts what this makes
    way for.
    """
    log = _log()
    for warning in settings.warnings:
        log.event("setting_unsafe", detail=warning)
    try:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_served(settings):
            return _refuse(
                f"the service of this machine runs as {settings.node_id} already, and two agents"
                " with one token look like two machines: see `forge-agent status`. To run it by"
                " hand, stop the service first."
            )
        lock = FileLock(settings.state_dir / "lock")
        spool_owner.settle(settings.state_dir, settings.node_id, log)
        spool = Spool(settings.state_dir / "spool", settings.spool_limit_bytes, log)
    except LockedError:
        return _refuse(
            f"another agent already runs on {settings.state_dir}: stop it, or give this one a"
            " folder of its own with --state-dir."
        )
    except OSError as error:
        return _refuse(
            f"the state folder {settings.state_dir} cannot be used ({error.strerror}): make it"
            " writable, or choose another with --state-dir."
        )
    wake: Wake = queue.SimpleQueue()
    _stop_on_signals(wake)
    updates = None if program_dir is None else _updates(program_dir, settings, log)
    agent = Agent(settings, spool, log, wake, parent.watch(parent_pid), updates=updates)
    agent.run()
    lock.release()
    return 0


def _is_served(settings: Settings) -> bool:
    """Tell whether the machine's own service speaks for this node, from another state folder."""
    service = places.machine().state_dir
    try:
        return (
            not service.samefile(settings.state_dir)
            and is_held(service / "lock")
            and spool_owner.owner(service / "spool") == settings.node_id
        )
    except OSError:  # there is none, or it is closed to us, as its settings are
        return False


class Agent:
    """Takes a sample at each turn and hands it to the uplink."""

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        log: Log,
        wake: Wake,
        parent_is_there: Callable[[], bool] | None,
        *,
        updates: Updates | None = None,
    ) -> None:
        self._updates = updates
        self._settings = settings
        self._spool = spool
        self._log = log
        self._wake = wake
        self._parent_is_there = parent_is_there
        self._work = Supervision(settings, log)
        self._in_steps = parent_is_there is not None or os.name != "posix"
        self._boot_id = _random_uuid()
        self._uplink = Uplink(
            node_id=settings.node_id,
            token=settings.token,
            connection=Connection(settings.url, ca_file=settings.ca_file),
            spool=spool,
            log=log,
            on_interval=wake.put,
            on_boot_taken=self._note_boot_taken,
            on_standing=self._note_status,
        )
        self._status_file = StatusFile(settings.state_dir)
        self._started_at = _wall_ms()
        self._noted_s = 0.0
        self._sampler = Sampler(log, families(log, _choices(settings)))
        self._interval = schedule.Interval(settings.interval_s)
        self._interval_s = settings.interval_s
        self._phase = schedule.phase(settings.node_id)
        self._seq = 0
        self._boot_is_taken = False
        self._boot_time_ms = facts.boot_time_ms()
        self._cpu_model = CpuModel(settings.state_dir, self._boot_time_ms)
        self._facts = b""
        self._facts_at_s = 0.0
        self._cpu_model_told = ""
        self._tidied_s = 0.0

    def run(self) -> None:
        """Work until told to stop; what is not acknowledged by then is in the spool."""
        self._log.event(
            "started",
            version=__version__,
            node_id=self._settings.node_id,
            url=self._settings.url,
            boot_id=self._boot_id,
        )
        self._note_status()
        self._sampler.sample(_wall_ms(), time.monotonic(), slept_s())
        self._uplink.start()
        try:
            self._sample_until_stopped()
        finally:
            self._work.tell_to_stop()
            self._uplink.stop()
            self._cpu_model.stop()
            if self._updates is not None:
                self._updates.stop()
            self._work.stop()
            self._spool.close()
        self._log.event("stopped", spool_bytes=self._spool.waiting_bytes)

    def _sample_until_stopped(self) -> None:
        # The first sample comes at once, for those who wait for it; then turns are in phase.
        turn_s = time.monotonic() + _FIRST_SAMPLE_AFTER_S
        interval_s = 0
        while self._wait_until(turn_s):
            now_s = time.monotonic()
            wanted_s = self._interval_s = self._interval.current_s(now_s)
            if now_s >= turn_s:
                self._take_sample(wanted_s)
                turn_s = schedule.next_turn_s(turn_s, now_s, wanted_s)
            if wanted_s != interval_s:
                interval_s = wanted_s
                turn_s = schedule.first_turn_s(now_s, _wall_ms(), interval_s, self._phase)

    def _wait_until(self, turn_s: float) -> bool:
        """Wait for the turn, or for a new interval; return False when it is time to stop."""
        while True:
            now_s = time.monotonic()
            left_s = max(0.0, turn_s - now_s)
            if now_s - self._noted_s >= NOTED_EVERY_S:
                self._note_status()
            if self._updates is not None and self._updates.poll(now_s):
                return False
            self._work.poll(now_s)
            step_s = _STEP_S if self._in_steps or self._work.is_on else _IDLE_STEP_S
            try:
                told = self._wake.get(timeout=min(left_s, step_s))
            except queue.Empty:
                if self._parent_is_there is not None and not self._parent_is_there():
                    self._log.event("parent_gone")
                    return False
                if turn_s <= time.monotonic():
                    return True
                continue
            if told is None:
                return False
            self._interval.told(told, time.monotonic())
            return True

    def _note_boot_taken(self) -> None:
        """Called from the uplink's thread."""
        self._boot_is_taken = True

    def _begin_new_boot(self) -> None:
        self._boot_is_taken = False
        self._boot_id, self._seq = _random_uuid(), 0
        self._log.event("boot_taken", boot_id=self._boot_id)

    def _take_sample(self, interval_s: int) -> None:
        if self._boot_is_taken:
            self._begin_new_boot()
        wall_ms, now_s = _wall_ms(), time.monotonic()
        own = {
            "agent.spool_bytes": self._spool.waiting_bytes,
            "agent.dropped_snapshots": self._uplink.dropped,
        }
        measured = values.fitted({**own, **self._sampler.sample(wall_ms, now_s, slept_s())})
        snapshot = {
            "seq": self._seq,
            "boot_id": self._boot_id,
            "ts": wall_ms,
            "values": measured,
        }
        self._seq += 1
        self._refresh_facts(now_s)
        line = _json(snapshot) + b"\n"
        self._uplink.offer(Live(line, self._boot_id, self._facts, measured, interval_s))
        self._tidy(now_s)

    def _tidy(self, now_s: float) -> None:
        """Have CPython empty its lists of free tuples, which grow by 300 bytes a sample: only a
        full collection does that, and so little garbage never brings one about. Takes some ms."""
        if now_s - self._tidied_s >= _TIDY_EVERY_S:
            self._tidied_s = now_s
            gc.collect()

    def _note_status(self) -> None:
        """Write down how things stand; called from the uplink's thread as well."""
        self._noted_s = time.monotonic()
        standing = self._uplink.standing
        self._status_file.write(
            {
                "version": __version__,
                "pid": os.getpid(),
                "boot_id": self._boot_id,
                "node_id": self._settings.node_id,
                "url": self._settings.url,
                "started_at": self._started_at,
                "noted_at": _wall_ms(),
                "connection": standing.connection,
                "reason": standing.reason,
                "since": standing.since,
                "last_push_at": standing.last_push_at,
                "spool_bytes": self._spool.waiting_bytes,
                "dropped": self._uplink.dropped,
                "interval_s": self._interval_s,
            }
        )

    def _refresh_facts(self, now_s: float) -> None:
        cpu_model = self._cpu_model.poll()
        fresh = now_s - self._facts_at_s < _FACTS_EVERY_S
        if self._facts and fresh and cpu_model == self._cpu_model_told:
            return
        self._facts_at_s = now_s
        self._cpu_model_told = cpu_model
        self._facts = _json(
            facts.gather(
                boot_time_ms=self._boot_time_ms,
                cpu_model=cpu_model,
                interval_s=self._settings.interval_s,
            )
        )


def _updates(program_dir: Path, settings: Settings, log: Log) -> Updates:
    from forge_agent.update.auto import Updates  # noqa: PLC0415  most agents are not installed

    return Updates(program_dir, settings, log, time.monotonic())


def _log() -> Log:
    """Speak in sentences to a terminal, on stdout; in JSON to everything else, on stderr."""
    stream: TextIO = sys.stdout if sys.stdout is not None and sys.stdout.isatty() else sys.stderr
    return Log(stream, human=stream is sys.stdout)


def _refuse(problem: str) -> int:
    complain(problem)
    return 1


def _stop_on_signals(wake: Wake) -> None:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        wake.put(None)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def _random_uuid() -> str:
    """Return a UUID, version 4 (RFC 9562); the uuid module would stay in memory for this."""
    value = int.from_bytes(os.urandom(16), "big")
    value = value & ~(0xF << 76) | 0x4 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _choices(settings: Settings) -> Choices:
    """Return what of this machine its owner wants to be shown."""
    return Choices(
        interfaces=Choice(settings.interfaces),
        disks=Choice(settings.disks),
        mounts=Choice(settings.mounts),
    )


def _wall_ms() -> int:
    return int(time.time() * 1000)


def _json(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
