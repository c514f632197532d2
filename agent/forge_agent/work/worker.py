"""`forge-agent worker`: does jobs while the machine's owner allows it, until it is told to stop."""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

from forge_agent import parent
from forge_agent.config import Settings
from forge_agent.core.attempts import Stop
from forge_agent.core.owner_policy import OwnerPolicy, When
from forge_agent.lock import FileLock, LockedError
from forge_agent.log import Log
from forge_agent.sampling.host import slept_s
from forge_agent.terminal import complain
from forge_agent.work import clock, confinement, noted, owner, suggested
from forge_agent.work.attempt import Attempt, Bench
from forge_agent.work.catalogue import Catalogue
from forge_agent.work.claims import Claimer, Claims, Job
from forge_agent.work.collector import Line, Peer
from forge_agent.work.heartbeats import Heartbeats
from forge_agent.work.holding import LONGEST_REASON, Held, Holding, State
from forge_agent.work.journal import Journal, Lease
from forge_agent.work.kept import Kept
from forge_agent.work.noted import Note, NoteFile
from forge_agent.work.owner import Owner
from forge_agent.work.presence import Presence
from forge_agent.work.reports import Reports
from forge_agent.work.results import Results
from forge_agent.work.setbacks import Setbacks

_STEP_S: Final = 1.0
_LOOK_EVERY_S: Final = 2.0
_NOTED_EVERY_S: Final = 10.0
_PLUGINS_EVERY_S: Final = 3.0
# Of the 12 s that `run` gives: the jobs' 5, and what the collector takes to hear of them.
_CLAIM_PATIENCE_S: Final = 2.5
_JOBS_PATIENCE_S: Final = 6.0
_REPORT_PATIENCE_S: Final = 2.0
_LOCK_PATIENCE_S: Final = 15.0
_SLEPT_S: Final = 3.0
_FEWEST_NAMED: Final = 40  # characters of the plugins' names, however long what follows them is


def run(settings: Settings, *, parent_pid: int | None = None) -> int:
    """Work until SIGTERM, SIGINT, the parent's end or the owner's `work off`; return the exit
    code."""
    # Jobs have another folder to be in.
    settings = settings._replace(state_dir=settings.state_dir.absolute())
    log = Log(sys.stderr, human=sys.stderr is not None and sys.stderr.isatty())
    folder = settings.state_dir / owner.FOLDER
    if not OwnerFile(settings, log).look():
        turning = suggested.command_here("work on", settings.state_dir)
        complain(f"work is off on this machine: `{turning}`.")
        return 1
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if confinement.means().another_user:
            folder.chmod(0o711)  # jobs must get through to theirs
        lock = _locked(folder / noted.LOCK)
        worker = Worker(settings, log, parent_pid)
    except LockedError:
        complain(f"another worker already runs on {folder}: stop it.")
        return 1
    except OSError as error:
        complain(f"{folder} cannot be used ({error.strerror}): make it writable.")
        return 1
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, worker.stop_on_signal)
    worker.run()
    lock.release()
    return 0


def _locked(path: Path) -> FileLock:
    """Wait for a worker that drains, as one does whose parent was killed; raises LockedError."""
    until_s = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            return FileLock(path)
        except LockedError:
            if time.monotonic() >= until_s:
                raise
            time.sleep(_STEP_S / 2)


class Worker:
    """This thread judges whether work is allowed; others claim, send heartbeats and reports; and
    one a job looks after its program."""

    def __init__(self, settings: Settings, log: Log, parent_pid: int | None) -> None:
        self._settings = settings
        self._log = log
        self._parent_is_there = parent.watch(parent_pid)
        self._worker_id = f"{settings.node_id}.{secrets.token_hex(4)}"
        self._told: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._policy = OwnerPolicy()
        self._presence = Presence()
        self._missing = confinement.missing()
        self._out_of_reach = confinement.out_of_reach(settings.state_dir)
        self._owner_file = OwnerFile(settings, log)
        self._looked_s = self._noted_s = -_NOTED_EVERY_S
        self._plugins_s = time.monotonic()
        self._slept_s = slept_s()
        folder = settings.state_dir / owner.FOLDER
        self._note = NoteFile(settings.state_dir)
        self._catalogue = Catalogue(settings, log, self._owner_file.owner.grants)
        self._journal = Journal(folder, self._worker_id)
        self._results = Results(folder / "results")
        self._holding = Holding(self._owner_file.owner.slots)
        peer = Peer(settings.url, settings.token, settings.ca_file)
        reporting = Line(peer)
        setbacks = Setbacks()
        self._heartbeats = Heartbeats(
            self._worker_id,
            Line(peer),
            self._holding,
            self._catalogue.offers(),
            log,
            succeeds=self._journal.left_worker,
        )
        self._reports = Reports(
            line=reporting,
            holding=self._holding,
            results=self._results,
            heartbeats=self._heartbeats,
            log=log,
            forget=self._forget,
        )
        self._bench = Bench(
            line=reporting,
            results=self._results,
            kept=Kept(folder),
            log=log,
            catalogue=self._catalogue,
            setbacks=setbacks,
            allowed=lambda: self._owner_file.owner,
            changing=self._holding.changed,
            on_news=self._holding.news,
            tell=self._reports.tell,
            on_end=self._look_for_more,
            forget=self._forget,
        )
        self._claims = Claims(
            Claimer(self._worker_id, self._catalogue.types, self._journal.left_claim),
            line=Line(peer),
            holding=self._holding,
            journal=self._journal,
            results=self._results,
            heartbeats=self._heartbeats,
            setbacks=setbacks,
            log=log,
            take=self._take,
            give_back=self._give_back,
            on_answered=self._reports.answered,
        )

    def stop_on_signal(self, _signal: int, _frame: FrameType | None) -> None:
        self._told.put(None)

    def run(self) -> None:
        """Work until told to stop; then give back what runs."""
        self._give_back_what_was_left()
        self._heartbeats.start()
        self._reports.start()
        self._claims.start()
        was_told = False
        try:
            while self._goes_on():
                self._turn()
                with contextlib.suppress(queue.Empty):
                    self._told.get(timeout=_STEP_S)
                    break
            was_told = not self._is_orphan()
        finally:
            self._drain(Stop.YIELD if was_told else Stop.WORKER_ENDS)

    # --- jobs -------------------------------------------------------------------------------

    def _give_back_what_was_left(self) -> None:
        """Yield what an earlier worker held, with the last checkpoint that it noted, and say of
        which it was not told to stop: its job may be why it ended."""
        answered = self._results.leases()
        for lease in self._journal.left_leases:
            if lease.lease not in answered:
                self._give_back(lease, lost=not self._journal.is_released(lease.lease))
        self._bench.kept.remove_all_but(self._results.files())
        self._catalogue.remove_work_dirs()

    def _give_back(self, lease: Lease, *, lost: bool = False) -> None:
        message = {"id": lease.job_id, "lease": lease.lease, "status": "yielded"}
        if lost:
            message["outcome"] = "lost"
        checkpoint = self._bench.kept.checkpoint(lease.lease)
        if checkpoint is not None:
            message["checkpoint"] = checkpoint
        self._results.put(message, {})
        self._log.event("job_given_back", job=lease.job_id)
        self._holding.news()

    def _take(self, job: Job, sent_s: float) -> Held:
        return Attempt(job, sent_s, self._bench)

    def _forget(self, lease: str) -> None:
        """It was answered, or is lost: nothing is told of it any more."""
        self._journal.ended(lease)
        self._bench.kept.forget_checkpoint(lease)
        self._holding.remove(lease)

    def _look_for_more(self) -> None:
        """A job has ended: there is room for another."""
        self._holding.news()
        self._claims.look_again()

    # --- turns ------------------------------------------------------------------------------

    def _goes_on(self) -> bool:
        if self._parent_is_there is not None and not self._parent_is_there():
            return False
        return self._owner_file.look()

    def _turn(self) -> None:
        now_s = time.monotonic()
        self._look_for_sleep()
        allowed = self._owner_file.owner
        self._holding.allow(allowed.slots)
        self._look_for_plugins(now_s, allowed)
        if now_s - self._looked_s >= _LOOK_EVERY_S or self._owner_file.changed:
            self._looked_s = now_s
            idle_matters = allowed.terms.when is When.IDLE
            jobs_run = bool(self._holding.running())
            seen = self._presence.look(idle_matters=idle_matters, jobs_run=jobs_run)
            verdict = self._policy.judge(allowed.terms, seen)
            reason = self._unable(allowed) or verdict.reason
            self._become(State("paused", reason) if reason else State("ready", self._without()))
        has_changed = self._holding.has_changed() or self._owner_file.changed
        if now_s - self._noted_s >= _NOTED_EVERY_S or has_changed:
            self._noted_s = now_s
            self._write_note()

    def _look_for_plugins(self, now_s: float, allowed: Owner) -> None:
        has_changed = self._catalogue.allow(allowed.grants)
        if now_s - self._plugins_s >= _PLUGINS_EVERY_S:
            self._plugins_s = now_s
            has_changed = self._catalogue.look_again() or has_changed
        if has_changed:
            self._log.event("plugins_changed", types=", ".join(self._catalogue.types()))
            self._looked_s = -_LOOK_EVERY_S  # whether there is anything to do
            self._heartbeats.offer(self._catalogue.offers())
            self._claims.look_again()
            self._holding.news()

    def _unable(self, allowed: Owner) -> str:
        """Return why no job could be started, whatever else there is; or ""."""
        if not self._catalogue.types():
            return self._without() or "no plugin is installed"
        if self._out_of_reach:
            return self._out_of_reach
        if allowed.trust_plugins or not self._missing:
            return ""
        return f"it needs `{self._suggested(confinement.TRUSTING)}`: {self._missing}"

    def _without(self) -> str:
        """Return which plugins are here in vain; or ""."""
        names = ", ".join(self._catalogue.unavailable)
        if not names:
            return ""
        see = f": see `{self._suggested('plugins list')}`"
        room = max(_FEWEST_NAMED, LONGEST_REASON - len("without ") - len(see))
        return f"without {names[:room]}{see}"

    def _suggested(self, words: str) -> str:
        return suggested.command_here(words, self._settings.state_dir)

    def _become(self, state: State) -> None:
        if not self._holding.become(state):
            return
        if state.name == "ready":
            self._log.event("worker_ready", types=", ".join(self._catalogue.types()))
            return
        self._log.event("worker_paused", reason=state.reason)
        self._stop_all()
        self._claims.look_again()

    def _look_for_sleep(self) -> None:
        """After a suspend nothing is as it was: ask what is left before anything else."""
        before_s, self._slept_s = self._slept_s, slept_s()
        if self._slept_s - before_s >= _SLEPT_S:
            self._log.event("worker_resumed", slept_s=round(self._slept_s - before_s))
            self._heartbeats.again()
            self._claims.look_again()

    def _stop_all(self, why: Stop = Stop.YIELD) -> None:
        for held in self._holding.running():
            held.stop(why)

    def _is_orphan(self) -> bool:
        """Tell whether the agent was killed: one that stops waits for its worker, but on Windows,
        where it has no other way to stop it."""
        is_there = self._parent_is_there is None or self._parent_is_there()
        return os.name == "posix" and not is_there

    def _drain(self, why: Stop) -> None:
        self._holding.become(State("draining", "the worker stops"))
        if why is Stop.YIELD:
            self._journal.release()
        self._write_note()
        self._stop_all(why)
        self._claims.stop(_CLAIM_PATIENCE_S)
        self._stop_all(why)  # what the last claim brought
        until_s = time.monotonic() + _JOBS_PATIENCE_S
        with self._holding.changed:
            while self._holding.running() and (left_s := until_s - time.monotonic()) > 0:
                self._holding.changed.wait(left_s)
        self._reports.stop(_REPORT_PATIENCE_S)
        self._heartbeats.stop()
        self._journal.close()
        self._write_note()

    def _write_note(self) -> None:
        state = self._holding.state
        self._note.write(
            Note(
                pid=os.getpid(),
                worker_id=self._worker_id,
                noted_at=clock.wall_ms(),
                state=state.name,
                reason=state.reason,
                online=self._heartbeats.registered,
                plugins=self._catalogue.types(),
                unavailable=self._catalogue.unavailable,
                slots=self._holding.slots,
                jobs=[
                    held.described()
                    for held in self._holding.running()
                    if isinstance(held, Attempt)
                ],
                results_waiting=self._results.unanswered,
                goes_by=self._owner_file.stamp or [],
            )
        )


class OwnerFile:
    """What the owner allows, read again when it changes."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings = settings
        self._log = log
        self.stamp: list[int] | None = None
        self.owner = Owner()
        self.changed = False
        self.look()

    def look(self) -> bool:
        """Return whether work is on."""
        stamp = owner.stamp(self._settings.state_dir)
        self.changed = stamp != self.stamp
        if self.changed:
            self.stamp = stamp
            try:
                self.owner = owner.read(self._settings.state_dir)
            except (owner.UnreadableError, OSError) as error:
                path = str(self._settings.state_dir / owner.FILE_NAME)
                self._log.event("work_unreadable", path=path, reason=str(error))
                self.owner = Owner(enabled=False)
        enabled = self.owner.enabled
        return self._settings.work if enabled is None else enabled
