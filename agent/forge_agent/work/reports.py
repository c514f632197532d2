"""Reports: what is new of the jobs that run, and the results of those that have ended."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from forge_agent.core.pacing import Retry
from forge_agent.log import Log
from forge_agent.work import files
from forge_agent.work.collector import (
    MAX_INLINE_BYTES,
    Line,
    RefusedError,
    UnansweredError,
    fault_of,
)
from forge_agent.work.heartbeats import Heartbeats
from forge_agent.work.holding import Held, Holding
from forge_agent.work.results import Result, Results

_RESULT_TIMEOUT_S: Final = 15.0
_LAST_NEWS_TIMEOUT_S: Final = 2.0
# A request holds so much of news, beside one checkpoint.
_ROOM_BYTES: Final = MAX_INLINE_BYTES
_HOW_IT_ENDED: Final = ("status", "error", "outcome")


class Reports:
    """A thread that sends results at once, unless the next claim takes them along, and news as soon
    as they are due. ``forget``: called with a lease that is over."""

    def __init__(
        self,
        *,
        line: Line,
        holding: Holding,
        results: Results,
        heartbeats: Heartbeats,
        log: Log,
        forget: Callable[[str], None],
    ) -> None:
        self._line = line
        self._holding = holding
        self._forget = forget
        self._results = results
        self._heartbeats = heartbeats
        self._log = log
        self._retry = Retry()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, patience_s: float) -> None:
        """Send what waits, if that can be done in time, and end."""
        until_s = time.monotonic() + patience_s
        with self._holding.changed:
            while self._has_to_tell() and not self._retry.failures:
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    break
                self._holding.changed.wait(left_s)
            self._stopping = True
            self._holding.changed.notify_all()
        self._line.interrupt()
        self._thread.join(1.0)

    def answered(self, result: Result, refusal: str, words: str) -> None:
        """Note what became of a result; also called from the claims' thread."""
        if refusal:
            self._log.event("result_refused", job=result.job_id, reason=f"{refusal}: {words}")
        replaced = _in_place_of(result, refusal, words)
        if replaced is not None:
            self._results.put(replaced, {})
        else:
            self._forget(result.lease)
        self._results.answered(result)
        self._holding.news()

    def tell(self, held: Held) -> None:
        """Tell now what is new of an attempt, if that can be done; for the attempt's thread."""
        with contextlib.suppress(UnansweredError, RefusedError):
            news = held.tell(room_bytes=0)
            self._heartbeats.beat(self._line, [(held, news)], timeout_s=_LAST_NEWS_TIMEOUT_S)

    # --- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while self._await_turn():
            try:
                result = self._next_result()
                if result is not None:
                    self._send_result(result)
                else:
                    self._send_news()
            except Exception as error:  # noqa: BLE001 without this thread no result arrives
                self._retry.failed(time.monotonic(), 0.0)
                self._log.event("report_failed", reason=fault_of(error))
            self._holding.news()

    def _await_turn(self) -> bool:
        """Wait until there is something to send; return False when it is time to end."""
        with self._holding.changed:
            while not self._stopping:
                now_s = time.monotonic()
                due_s = max(self._due_at_s(now_s), self._retry.not_before_s)
                if due_s <= now_s:
                    return True
                self._holding.changed.wait(min(due_s - now_s, threading.TIMEOUT_MAX))
            return False

    def _has_to_tell(self) -> bool:
        """Tell whether there is anything that the collector should know of a worker that ends."""
        knows_us = self._heartbeats.registered
        return bool(self._results.unanswered or (knows_us and not self._holding.state_is_told))

    def _due_at_s(self, now_s: float) -> float:
        if self._results.waiting and not self._holding.leaves_results_to_the_claim():
            return now_s
        if self._heartbeats.registered and not self._holding.state_is_told:
            return now_s
        told_at_s = [held.tells_at_s() for held in self._holding.running()]
        return min((at_s for at_s in told_at_s if at_s is not None), default=now_s + 3600)

    def _next_result(self) -> Result | None:
        with self._holding.changed:  # in one, or a result that comes in between would be taken
            if self._holding.leaves_results_to_the_claim():
                return None
            taken = self._results.take(1, 0, with_files=True)
        return taken[0] if taken else None

    def _send_result(self, result: Result) -> None:
        message = {name: result.message[name] for name in result.message if name != "id"}
        try:
            for name, path in result.files.items():
                files.upload(self._line, (result.job_id, result.lease), name, path)
            status = self._posted(result.job_id, message)
        except UnansweredError as error:
            self._results.give_back([result])
            self._retry.failed(time.monotonic(), error.retry_after_s)
        except RefusedError as error:
            self._retry.succeeded(time.monotonic())
            self.answered(result, error.code, str(error))
        except OSError as error:  # its file
            self.answered(result, "file_lost", str(error))
        except Exception as error:  # noqa: BLE001 it would be in nobody's hands, and in the way
            self.answered(result, "unsendable", fault_of(error))
        else:
            self._retry.succeeded(time.monotonic())
            self.answered(result, "", status)

    def _posted(self, job_id: str, message: dict[str, Any]) -> str:
        """Send a result, and return what became of the job; raises UnansweredError, also where
        somebody else has answered, RefusedError."""
        path = f"/api/jobs/{quote(job_id, safe='')}/result"
        reply = self._line.post(path, message, timeout_s=_RESULT_TIMEOUT_S)
        status = reply.get("status") if isinstance(reply, dict) else None
        if not isinstance(status, str):
            raise UnansweredError("the answer is not a collector's")
        return status

    def _send_news(self) -> None:
        self._upload_checkpoints()
        told: list[tuple[Held, Mapping[str, Any]]] = []
        room_bytes = _ROOM_BYTES
        now_s = time.monotonic()
        for held in self._holding.running():
            at_s = held.tells_at_s()
            if at_s is not None and at_s <= now_s:
                told.append((held, held.tell(room_bytes=room_bytes)))
                room_bytes = 0  # one checkpoint a heartbeat
        if not told and self._holding.state_is_told:
            return
        state = self._holding.state
        try:
            self._heartbeats.beat(self._line, told)
        except UnansweredError as error:
            for held, news in told:
                held.take_back(news)
            self._retry.failed(time.monotonic(), error.retry_after_s)
        except RefusedError as error:
            # It will never be taken; what comes next may be.
            self._holding.told(state)
            self._log.event("report_failed", reason=str(error))
        else:
            self._retry.succeeded(time.monotonic())

    def _upload_checkpoints(self) -> None:
        for held in self._holding.running():
            path = held.file_to_upload()
            if path is None:
                continue
            done = True
            try:
                files.upload(self._line, (held.job_id, held.lease), "checkpoint", path)
            except UnansweredError as error:
                done = False
                self._retry.failed(time.monotonic(), error.retry_after_s)
            except (RefusedError, OSError) as error:
                self._log.event("report_failed", reason=str(error))
            held.uploaded(path, done=done)


def _in_place_of(result: Result, refusal: str, words: str) -> dict[str, Any] | None:
    """Return what to say instead of a result that the collector will not have as it is, so that its
    job does not go on for ever; None: nothing, the lease is over."""
    if not refusal or refusal == "stale_lease":
        return None
    message: dict[str, Any] = {"id": result.job_id, "lease": result.lease}
    if result.message["status"] != "succeeded":
        # It was the checkpoint; that of before is good still.
        has_checkpoint = "checkpoint" in result.message or "checkpoint" in result.files
        message |= {one: result.message[one] for one in _HOW_IT_ENDED if one in result.message}
        return message if has_checkpoint else None
    error = {"code": "result_refused", "message": f"{refusal}: {words}"[:1024], "retryable": True}
    return {**message, "status": "failed", "error": error, "outcome": "failed"}
