"""One attempt at a job: from its lease to the result that is spooled, in a thread of its own."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple

from forge_agent.core import attempts
from forge_agent.core.attempts import Ended, Limits, Settlement, Stop, Watch
from forge_agent.core.pacing import Retry
from forge_agent.log import Log
from forge_agent.work import clock, files
from forge_agent.work.catalogue import Catalogue
from forge_agent.work.child import (
    Child,
    Ending,
    JobSpec,
    NotStartedError,
    Reason,
    remove_work_dir,
)
from forge_agent.work.collector import Line, RefusedError, UnansweredError, fault_of
from forge_agent.work.files import BrokenFileError
from forge_agent.work.holding import Held
from forge_agent.work.kept import Kept
from forge_agent.work.owner import Owner
from forge_agent.work.plugins import Plugin
from forge_agent.work.results import Results
from forge_agent.work.said import Document, Said
from forge_agent.work.setbacks import Setbacks

# Nothing else wakes a thread that reads a program: so long may it take to hear of a stop.
_STEP_S: Final = 0.2
_LOG_TAIL: Final = 16 * 1024
# For a plugin's check; the collector waits a minute longer than a job may take.
_CHECK_S: Final = 50.0
_LONGEST_MESSAGE: Final = 1024


class Bench(NamedTuple):
    """What all attempts of a worker share. ``line``: for files; ``allowed``: what the owner says
    now; ``changing``: held while nobody may look at what there is to tell, and how much room;
    ``on_news``: called when there is something to tell, ``tell``: has it told at once; ``on_end``:
    called when an attempt is over, ``forget`` with the lease of one that is nobody's business any
    more."""

    line: Line
    results: Results
    kept: Kept
    log: Log
    catalogue: Catalogue
    setbacks: Setbacks
    allowed: Callable[[], Owner]
    changing: AbstractContextManager[Any]
    on_news: Callable[[], None]
    tell: Callable[[Held], None]
    on_end: Callable[[], None]
    forget: Callable[[str], None]


class Attempt:
    """``begin`` starts its thread. Others tell it to stop, and that its lease was renewed."""

    def __init__(self, job: Mapping[str, Any], sent_s: float, bench: Bench) -> None:
        self.job_id: str = job["id"]
        self.lease: str = job["lease"]
        self.type: str = job["type"]
        self.resource_class: str = job["resource_class"]
        self._job = job
        self._bench = bench
        self._plugin = bench.catalogue.plugin(self.type)
        self._limits = _limits(job, self._plugin)
        self._watch = Watch(self._limits, job["lease_ttl_s"], sent_s)
        self._thread = threading.Thread(target=self._run, name=f"job {self.job_id}", daemon=True)
        self._work_dir = Path()
        self._said = Said(self.lease, bench.kept, lambda: self._work_dir)
        self._started_at = clock.wall_ms()
        self._log_tail = ""
        # Guards all below.
        self._changed = threading.Condition()
        self._stop: Stop | None = None
        self._heard = False
        self._over = False

    # --- for others -------------------------------------------------------------------------

    def begin(self) -> None:
        try:
            self._thread.start()
        except RuntimeError as error:  # there are too many threads on this machine
            self._finish(attempts.failed("worker_fault", fault_of(error)))

    @property
    def is_over(self) -> bool:
        return self._over

    @property
    def is_heard(self) -> bool:
        return self._heard

    def renewed(self, sent_s: float, ttl_s: float) -> None:
        with self._changed:
            self._watch.renewed(sent_s, ttl_s)
            self._heard = True
            self._changed.notify_all()

    def stop(self, why: Stop) -> None:
        with self._changed:
            if self._over or not attempts.graver(self._stop, why):
                return
            self._stop = why
            self._changed.notify_all()
        self._bench.log.event("job_stopped", job=self.job_id, reason=why.value)

    def tells_at_s(self) -> float | None:
        return self._said.tells_at_s()

    def tell(self, *, room_bytes: int) -> dict[str, Any]:
        return self._said.tell(room_bytes)

    def take_back(self, told: Mapping[str, Any]) -> None:
        self._said.take_back(told)

    def file_to_upload(self) -> Path | None:
        return self._said.file_to_upload()

    def uploaded(self, path: Path, *, done: bool) -> None:
        self._said.uploaded(path, done=done)

    def described(self) -> dict[str, Any]:
        fraction = self._said.fraction
        return {
            "id": self.job_id,
            "type": self.type,
            "started_at": self._started_at,
            **({} if fraction is None else {"fraction": fraction}),
        }

    # --- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            settlement = self._settled()
        except Exception as error:  # noqa: BLE001 its lease must be answered whatever happens
            settlement = attempts.failed("worker_fault", fault_of(error))
        self._finish(settlement)

    def _settled(self) -> Settlement | None:
        if not self._await_heard():
            return self._unstarted()
        if self._plugin is None:  # it went while the job was on its way here
            self.stop(Stop.YIELD)
            return self._unstarted()
        try:
            self._work_dir = self._bench.catalogue.new_work_dir()
        except OSError as error:
            return attempts.failed("no_room", f"no folder can be made ({error.strerror})")
        try:
            return self._done(self._plugin)
        except (RefusedError, BrokenFileError, OSError) as error:
            if isinstance(error, RefusedError) and error.code == "stale_lease":
                self.stop(Stop.LOST)
                return None
            return attempts.failed("files", str(error)[:_LONGEST_MESSAGE])
        finally:
            remove_work_dir(self._work_dir)

    def _done(self, plugin: Plugin) -> Settlement | None:
        """Have the program do the job, and another look at its result."""
        document = self._document()
        if self._stop is not None:
            return self._unstarted()
        self._bench.log.event(
            "job_started", job=self.job_id, type=self.type, attempt=self._job["attempt"]
        )
        try:
            ending = self._ran(self._spec(plugin, document), self._take_line)
        except NotStartedError as error:
            return attempts.failed("not_started", str(error)[:_LONGEST_MESSAGE])
        if ending.reason is Reason.WALL_LIMIT:  # the keeper's clock was ahead of ours
            self.stop(Stop.WALL_LIMIT)
        settlement = attempts.settle(self._stop, self._ended(ending))
        result = self._said.result
        if settlement is None or settlement.status != "succeeded" or not plugin.verify:
            return settlement
        assert result is not None  # noqa: S101  what succeeded has one
        return self._verified(plugin, document, result)

    def _await_heard(self) -> bool:
        """Wait until the collector knows that the lease has arrived; return False when there is no
        point in beginning."""
        with self._changed:
            while not self._heard and self._stop is None:
                self._changed.wait(_STEP_S)
                self._look()
            return self._stop is None

    def _unstarted(self) -> Settlement | None:
        """Say what becomes of an attempt that was stopped and has brought nothing."""
        return attempts.settle(self._stop, Ended(None, "", has_result=False))

    def _look(self) -> None:
        """Stop when the lease or a limit wants it."""
        why = self._watch.must_stop(clock.awake_or_not_s())
        if why is not None:
            self.stop(why)

    # --- what the program gets --------------------------------------------------------------

    def _document(self) -> dict[str, Any]:
        job = self._job
        document: dict[str, Any] = {
            "job_id": self.job_id,
            "type": self.type,
            "attempt": job["attempt"],
            "time_limit_s": self._limits.wall_s,
            "work_dir": str(self._work_dir),
        }
        for name in ("payload", "checkpoint"):
            announced = job.get(f"{name}_file")
            if announced is None:
                document[name] = job.get(name)
            else:
                path = self._work_dir / f"{name}.json"
                self._fetch(name, announced, path)
                document[f"{name}_path"] = str(path)
        return document

    def _fetch(self, name: str, announced: Any, path: Path) -> None:
        """Download a file, however often the line breaks, unless it is time to stop."""
        retry = Retry()
        while self._stop is None:
            try:
                files.download(
                    self._bench.line,
                    (self.job_id, self.lease),
                    name,
                    announced,
                    path,
                    goes_on=self._goes_on,
                )
            except UnansweredError as error:
                retry.failed(time.monotonic(), error.retry_after_s)
            else:
                return
            self._pause(retry.not_before_s)

    def _goes_on(self) -> bool:
        self._look()
        return self._stop is None

    def _pause(self, until_s: float) -> None:
        with self._changed:
            while self._stop is None and (left_s := until_s - time.monotonic()) > 0:
                self._changed.wait(min(left_s, _STEP_S))
                self._look()

    def _spec(
        self, plugin: Plugin, document: Mapping[str, Any], *, verify: bool = False
    ) -> JobSpec:
        return self._bench.catalogue.spec(
            plugin,
            document,
            self._work_dir,
            self._bench.allowed(),
            verify=verify,
            wall_s=attempts.least(_CHECK_S, self._limits.wall_s) if verify else self._limits.wall_s,
        )

    # --- its program ------------------------------------------------------------------------

    def _ran(self, spec: JobSpec, take_line: Callable[[bytes], None]) -> Ending:
        """Run a program to its end, and stop it when that is due; raises NotStartedError."""
        child = Child(spec)
        try:
            child.start()
            self._watch.started(clock.awake_or_not_s(), tells_progress=not spec.verify)
            kill_at_s: float | None = None
            while not child.at_end:
                line = child.next_line(_STEP_S)
                if line is not None:
                    take_line(line)
                self._look()
                kill_at_s = self._told_to_stop(child, kill_at_s)
            while (ending := child.wait(_STEP_S)) is None:
                self._look()
                kill_at_s = self._told_to_stop(child, kill_at_s)
            self._log_tail = child.stderr_tail()
            return ending
        finally:
            child.close()

    def _told_to_stop(self, child: Child, kill_at_s: float | None) -> float | None:
        """Stop a program, gently at first; return when to use force."""
        stop = self._stop
        if stop is None:
            return None
        now_s = clock.awake_or_not_s()
        if kill_at_s is None:
            child.term()
        latest_s = now_s + attempts.grace_s(stop)
        kill_at_s = latest_s if kill_at_s is None else min(kill_at_s, latest_s)
        if now_s >= kill_at_s:
            child.kill()
        return kill_at_s

    def _take_line(self, line: bytes) -> None:
        had_news = self._said.tells_at_s() is not None
        if self._said.take(line):
            self._watch.progressed(clock.awake_or_not_s())
        if not had_news and self._said.tells_at_s() is not None:
            self._bench.on_news()

    def _ended(self, ending: Ending) -> Ended:
        return Ended(
            exit_code=ending.exit_code,
            how=ending.how,
            has_result=self._said.result is not None,
            error=self._said.error,
            out_of_memory=ending.reason is Reason.OUT_OF_MEMORY,
        )

    def _verified(
        self, plugin: Plugin, document: Mapping[str, Any], result: Document
    ) -> Settlement | None:
        """Have the plugin's own check look at a result before it counts."""
        checked = {name: document[name] for name in ("payload", "payload_path") if name in document}
        if result.path is None:
            checked["result"] = result.data
        else:
            path = self._work_dir / f"{uuid.uuid4().hex}.json"  # the program left others there
            _copy(result.path, path)
            checked["result_path"] = str(path)
        log_tail, lines = self._log_tail, [b""]

        def take_line(line: bytes) -> None:
            lines[0] = line

        try:
            ending = self._ran(self._spec(plugin, checked, verify=True), take_line)
        except NotStartedError as error:
            return attempts.failed("unverified", str(error)[:_LONGEST_MESSAGE])
        self._log_tail = f"{log_tail}\n{self._log_tail}".strip()
        if ending.clean:
            return Settlement("succeeded")
        if self._stop is not None:
            return self._unstarted()
        if ending.exit_code is None and ending.reason is not Reason.WALL_LIMIT:
            # It has not said that the result is wrong: it was killed.
            how = f"{ending.how} while it checked the result"
            return attempts.failed("crashed", how, outcome="crashed")
        said = lines[0].decode("utf-8", "replace").strip()
        last_words = said or (self._log_tail.splitlines() or [""])[-1] or ending.how
        return attempts.failed("unverified", last_words[:_LONGEST_MESSAGE])

    # --- its end ----------------------------------------------------------------------------

    def _finish(self, settlement: Settlement | None) -> None:
        """Spool what is to be told, and make room for another."""
        message: dict[str, Any] | None = None
        kept: dict[str, Path] = {}
        if settlement is None:
            self._drop_files()
            self._bench.forget(self.lease)
        else:
            self._bench.setbacks.note(self.type, settlement)
            settlement, message, kept = self._last_words(settlement)
        error = settlement.error if settlement is not None else None
        self._bench.log.event(
            "job_ended",
            job=self.job_id,
            status="lost" if settlement is None else settlement.status,
            reason="" if error is None else f"{error['code']}: {error['message']}",
        )
        # Together, so that the claim that finds the free slot finds the result as well.
        with self._bench.changing:
            if message is not None:
                self._bench.results.put(message, kept)
            self._over = True
        self._bench.on_end()

    def _last_words(
        self, settlement: Settlement
    ) -> tuple[Settlement, dict[str, Any], dict[str, Path]]:
        """Return what is told of the end, and files that go with it; where that fails, that it
        failed: a lease that nobody answered would be renewed for ever."""
        try:
            if self._said.has_last_news():
                self._bench.tell(self)  # once the lease is over nobody takes it
            return settlement, *self._message(settlement)
        except Exception as error:  # noqa: BLE001 its lease must be answered whatever happens
            settlement = attempts.failed("worker_fault", fault_of(error))
            self._bench.setbacks.note(self.type, settlement)
            return settlement, self._settled_as(settlement), {}

    def _message(self, settlement: Settlement) -> tuple[dict[str, Any], dict[str, Path]]:
        message = self._settled_as(settlement)
        kept: dict[str, Path] = {}
        result = self._said.result
        checkpoint = self._said.last_checkpoint(is_wanted=settlement.status != "succeeded")
        if settlement.status == "succeeded" and result is not None:
            _put(message, kept, "result", result)
            if result.path is not None:
                message["result_file"] = files.digest(result.path)
        elif result is not None:
            result.drop()
        if checkpoint is not None:
            _put(message, kept, "checkpoint", checkpoint)
        remarks = "".join(f"\n[{remark}]" for remark in self._said.remarks)
        log_tail = f"{self._log_tail}{remarks}".strip()
        if log_tail:
            message["log_tail"] = log_tail[-_LOG_TAIL:]
        return message, kept

    def _settled_as(self, settlement: Settlement) -> dict[str, Any]:
        message: dict[str, Any] = {
            "id": self.job_id,
            "lease": self.lease,
            "status": settlement.status,
        }
        if settlement.error is not None:
            message["error"] = settlement.error
        if settlement.outcome is not None:
            message["outcome"] = settlement.outcome
        return message

    def _drop_files(self) -> None:
        self._said.last_checkpoint(is_wanted=False)
        if self._said.result is not None:
            self._said.result.drop()


def _put(message: dict[str, Any], kept: dict[str, Path], name: str, document: Document) -> None:
    if document.path is None:
        message[name] = document.data
    else:
        kept[name] = document.path


def _limits(job: Mapping[str, Any], plugin: Plugin | None) -> Limits:
    if plugin is None:
        return Limits(None, None)
    return Limits(
        attempts.least(job.get("wall_limit_s"), plugin.limits.wall_s),
        attempts.least(job.get("no_progress_limit_s"), plugin.limits.no_progress_s),
    )


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("xb") as write:
        while part := read.read(files.PART_BYTES):
            write.write(part)
