"""What the agent says: sentences on a terminal, one JSON object a line otherwise.

Not the standard library's logging, which holds 0.8 MB for what is 60 lines here.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import Final, NamedTuple, TextIO

from forge_agent.core import sparse
from forge_agent.core.untrusted import printable

_FIELD_LENGTH: Final = 400
NEUTRAL: Final = "\N{EN DASH}"  # before a line that is neither good news nor bad

Field = str | int | float | None


class Event(NamedTuple):
    """One thing worth saying. ``sentence`` is what a terminal shows, with the event's fields."""

    level: str
    sentence: str


EVENTS: Final[Mapping[str, Event]] = {
    "started": Event("info", "Forge agent {version}: {node_id} → {url}"),
    "setting_unsafe": Event("warning", "! {detail}"),
    "connected": Event("info", ""),
    "offline": Event("warning", "✗ offline: {reason}. Spooling to disk ({spool_bytes} B)."),
    "token_refused": Event(
        "error",
        "✗ {reason}. The collector does not take this node's token: mint a new one on the page"
        ' "Add a machine" or with `forgectl tokens mint {node_id}`, put it into BEARER_TOKEN and'
        " start the agent again. Until then snapshots are spooled to disk.",
    ),
    "recovered": Event("info", "✓ back online after {offline_s} s, {spool_bytes} B to replay"),
    "replay_paused": Event("warning", "✗ replay paused: {reason}"),
    "replayed": Event("info", "✓ replayed {snapshots} snapshots; the spool is empty"),
    "snapshots_refused": Event(
        "warning", "✗ the collector refused {snapshots} snapshots for good: {reason}"
    ),
    "spool_full": Event(
        "warning", "! the spool is full ({limit_bytes} B): the oldest snapshots are being dropped"
    ),
    "disk_full": Event(
        "error", "✗ cannot write to the spool: {reason}. Free some room; snapshots are being lost."
    ),
    "disk_recovered": Event("info", "✓ the spool can be written again"),
    "spool_unreadable": Event("error", "✗ a part of the spool was given up: {reason}"),
    "spool_set_aside": Event(
        "warning",
        "! the spool holds snapshots of {owner}: set aside in {folder}, and sent when NODE_ID is"
        " that again",
    ),
    "boot_taken": Event(
        "warning",
        "! another agent sends as this one does, a copy of this machine or what it was before it"
        " was set back: going on as {boot_id}",
    ),
    "torn_line": Event("warning", "! cut {bytes} B of an unfinished line off {file}"),
    "sampling_failed": Event("warning", "! cannot measure {family}: {reason}"),
    "file_system_silent": Event(
        "warning", "! {file_system} does not answer: its figures are left out until it does"
    ),
    "file_system_answers": Event("info", "✓ {file_system} answers again"),
    "update_tried": Event("info", "→ trying {version}, start {starts}"),
    "update_proved": Event("info", "✓ {version} works, and stays"),
    "update_rejected": Event(
        "error", "✗ {version} was given up: {reason}. The version before it goes on."
    ),
    "update_waiting": Event("info", "{version} is installed: ending, so that it is started."),
    "update_failed": Event("warning", "✗ no update: {reason}"),
    "worker_started": Event("info", "work is on: the worker runs, pid {pid}"),
    "worker_stopped": Event("info", "the worker has stopped"),
    "worker_ended": Event("warning", "✗ the worker: {reason}. Again in {again_s} s."),
    "worker_ready": Event("info", "✓ taking jobs: {types}"),
    "worker_paused": Event("info", "no jobs now: {reason}"),
    "worker_resumed": Event("info", "the machine slept for {slept_s} s: asking what is left"),
    "plugins_changed": Event("info", "✓ plugins have changed: {types}"),
    "plugin_unusable": Event("warning", "! the plugin in {folder} is left out: {reason}"),
    "plugin_unavailable": Event("info", "no jobs of {plugin} here: {reason}"),
    "work_unreadable": Event("error", "✗ {path} cannot be used: {reason}. No jobs until then."),
    "collector_silent": Event("warning", "✗ no answer for the worker: {reason}"),
    "collector_answers": Event("info", "✓ the collector answers the worker again"),
    "claim_failed": Event("warning", "✗ no jobs could be claimed: {reason}"),
    "report_failed": Event("warning", "✗ the collector was not told of the jobs: {reason}"),
    "job_started": Event("info", "→ {type} {job}, attempt {attempt}"),
    "job_stopped": Event("info", "{job} is stopped: {reason}"),
    "job_ended": Event("info", "{job} {status} {reason}"),
    "job_given_back": Event(
        "info", "{job} is given back: an earlier worker had it, or there is no room"
    ),
    "result_refused": Event("warning", "✗ the result of {job} was refused: {reason}"),
    "parent_gone": Event("info", "The process that started this agent is gone."),
    "stopped": Event("info", "Stopped; {spool_bytes} B are in the spool."),
}


class Log:
    """Writes events to one stream; usable from several threads.

    ``human`` chooses sentences over JSON lines.
    """

    def __init__(self, stream: TextIO, *, human: bool) -> None:
        self._stream = stream
        self._human = human
        self._lock = threading.Lock()

    def event(self, event: str, **fields: Field) -> None:
        """Say that something happened; ``event`` is a key of EVENTS."""
        level, sentence = EVENTS[event]
        if not self._human:
            record = {"ts": int(time.time() * 1000), "level": level, "event": event, **fields}
            # Escaping all but ASCII also keeps other people's control characters out.
            self._write(json.dumps(record, ensure_ascii=True, separators=(",", ":")))
        elif sentence:
            self._write(sentence.format_map({name: _clean(fields[name]) for name in fields}))

    def pushed(self, values: Mapping[str, float], interval_s: int) -> None:
        """Show that a live push arrived: on a terminal only, a journal has no use for it."""
        if self._human:
            cpu, mem = values.get("cpu.pct"), values.get("mem.pct")
            figures = f"cpu={cpu:.1f}%  " if cpu is not None else ""
            figures += f"mem={mem:.0f}%  " if mem is not None else ""
            self._write(f"✓ pushed  {figures}(every {interval_s}s)")

    def _write(self, line: str) -> None:
        with self._lock:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                # A full disk under the log, or a reader that is gone, must not stop the agent.
                return


class Trouble:
    """Something that goes wrong and on and on: said when it begins or changes, then each minute."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._sparse = sparse.Sparse()

    def persists(self, event: str, key: str, **fields: Field) -> None:
        """Say the event unless one with this key was just said."""
        if self._sparse.due(key, time.monotonic()):
            self._log.event(event, **fields)

    def over(self) -> bool:
        """Return whether the condition had been said to exist."""
        return self._sparse.over()


def _clean(value: Field) -> Field:
    return printable(value, _FIELD_LENGTH) if isinstance(value, str) else value
