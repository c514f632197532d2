"""`forge-agent status`: how the agent of this machine is doing."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from forge_agent import noted, places, whereabouts
from forge_agent.core.untrusted import printable
from forge_agent.log import NEUTRAL
from forge_agent.noted import Note, Spooled
from forge_agent.service import managers
from forge_agent.service.carrying_out import Tools
from forge_agent.service.described import Report
from forge_agent.work import noted as work_noted
from forge_agent.work.noted import Work

_MARKS: Final = {"online": "✓", "starting": NEUTRAL, "offline": "✗", "refused": "✗"}


class Status(NamedTuple):
    """All that can be told. ``running``: None when we may not look; ``problem``: why not more."""

    reports: tuple[Report, ...]
    state_dir: Path | None
    running: bool | None
    note: Note | None
    spool: Spooled | None
    problem: str = ""
    work: Work | None = None

    @property
    def online(self) -> bool:
        return bool(self.running and self.note and self.note.connection == "online")


def main(given: argparse.Namespace) -> int:
    """Print how it does; return the exit code: 0 it runs and is online, 1 otherwise."""
    found = gather(given)
    now_ms = int(time.time() * 1000)
    if given.json:
        print(json.dumps(as_json(found)))  # noqa: T201
    else:
        print("\n".join(lines(found, now_ms)))  # noqa: T201
    return 0 if found.online else 1


def gather(given: argparse.Namespace) -> Status:
    machine, user = places.machine(), places.user()
    where = whereabouts.here(given.config, given.state_dir)
    reports = tuple(managers.reports(machine, user, Tools()))
    if given.config is not None and where.state_dir is None:
        return Status(reports, None, None, None, None, where.problems[0])
    setting = where.settings is not None and where.settings.work
    return look(where.state_dir, reports, work_setting=setting)


def look(
    state_dir: Path | None, reports: tuple[Report, ...], *, work_setting: bool = False
) -> Status:
    """Look into a state folder."""
    if state_dir is None:
        return Status(reports, None, False, None, None)
    try:
        return Status(
            reports,
            state_dir,
            noted.is_running(state_dir),
            noted.read(state_dir),
            noted.spooled(state_dir),
            work=work_noted.look(state_dir, setting=work_setting),
        )
    except OSError as error:
        who = "sudo " if os.name == "posix" else "as an administrator: "
        problem = (
            f"{state_dir} cannot be read ({error.strerror}): ask with its owner's rights,"
            f" {who}forge-agent status"
        )
        return Status(reports, state_dir, None, None, None, problem)


def as_json(status: Status) -> dict[str, Any]:
    """Return the status for programs; times in Unix ms."""
    return {
        "online": status.online,
        "running": status.running,
        "state_dir": str(status.state_dir) if status.state_dir else None,
        "problem": status.problem or None,
        "services": [report._asdict() for report in status.reports],
        "agent": status.note._asdict() if status.note else None,
        "spool": status.spool._asdict() if status.spool else None,
        "work": _work_as_json(status.work),
    }


def lines(status: Status, now_ms: int) -> list[str]:
    """Return the status for people, a line a subject."""
    told = [_service_line(report) for report in status.reports if report.installed]
    if not told:
        told = [f"service     {NEUTRAL} none is installed: `forge-agent install`"]
    note = status.note
    if status.problem:
        return [*told, f"agent       {NEUTRAL} {status.problem}"]
    if note is None:
        running = "✓ runs" if status.running else "✗ does not run, and has left no note"
        where = f" ({status.state_dir})" if status.state_dir else ""
        return [*told, f"agent       {running}{where}"]
    told.append(f"node        {printable(note.node_id)} → {printable(note.url)}")
    if not status.running:
        ago = _span(now_ms - note.noted_at)
        told.append(f"agent       ✗ not running; its last note is {ago} old")
    else:
        age = _span(now_ms - note.started_at)
        told.append(
            f"agent       ✓ running for {age}, pid {note.pid}, version {printable(note.version)}"
        )
        told.append(_connection_line(note, now_ms))
        told.append(_push_line(note, now_ms))
    told.append(_spool_line(status.spool or Spooled(), now_ms))
    told.append(f"dropped     {note.dropped} snapshots since it started")
    if status.work is not None:
        told.append(_work_line(status.work))
    return told


def _service_line(report: Report) -> str:
    whose = "this user's" if report.user else "the machine's"
    state = "runs" if report.running else "does not run"
    mark = "✓" if report.running else "✗"
    pid = f", pid {report.pid}" if report.pid else ""
    return f"service     {mark} {whose}, by {report.manager}: {state}{pid}"


def _connection_line(note: Note, now_ms: int) -> str:
    mark = _MARKS[note.connection]
    reason = f": {printable(note.reason)}" if note.reason else ""
    return f"connection  {mark} {note.connection} for {_span(now_ms - note.since)}{reason}"


def _push_line(note: Note, now_ms: int) -> str:
    if note.last_push_at is None:
        return f"last push   {NEUTRAL} none yet"
    # Between two notes there may have been others.
    ago = _span(now_ms - note.last_push_at)
    bound = "at most " if note.connection == "online" else ""
    return f"last push   {bound}{ago} ago, every {note.interval_s} s"


def _spool_line(spool: Spooled, now_ms: int) -> str:
    if not spool.bytes:
        return "spool       empty"
    of = ""
    if spool.oldest_ts is not None and spool.newest_ts is not None:
        span = _span(spool.newest_ts - spool.oldest_ts)
        of = f", of {span}, the oldest {_span(now_ms - spool.oldest_ts)} old"
    return f"spool       {_size(spool.bytes)}, about {spool.snapshots} snapshots{of}"


def _work_line(work: Work) -> str:
    worker = work.worker
    if worker is None:
        off = "its settings cannot be used" if work.enabled is None else "off"
        state = "on, but no worker runs" if work.enabled else off
        return f"work        {'✗' if work.enabled is not False else NEUTRAL} {state}"
    reason = f": {printable(worker.reason)}" if worker.reason else ""
    mark = "✓" if worker.state == "ready" and work.taken_up else NEUTRAL
    so_far = "" if work.taken_up else "the owner's last word is not taken up yet; so far "
    state = printable(worker.state)
    return f"work        {mark} {so_far}{state}{reason}, {len(worker.jobs)} jobs run"


def _work_as_json(work: Work | None) -> dict[str, Any] | None:
    if work is None:
        return None
    return {"enabled": work.enabled, "worker": work.worker._asdict() if work.worker else None}


def _span(duration_ms: int) -> str:
    """Put a duration into words, rounded to its two largest units at most."""
    seconds = max(0, duration_ms // 1000)
    if seconds < 120:
        return f"{seconds} s"
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 120:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _size(size_bytes: int) -> str:
    if size_bytes < 1024:
        return f"{size_bytes} B"
    size_kib = size_bytes / 1024
    return f"{size_kib:.0f} KiB" if size_kib < 1024 else f"{size_kib / 1024:.1f} MiB"
