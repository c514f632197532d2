"""What must hold once all jobs are over, as seen from outside."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tests.fleet.api import Admin
from tests.fleet.machines import Fleet
from tests.fleet.mix import Wanted
from tests.fleet.watch import left_over

_CHARGED: Final = frozenset({"succeeded", "failed", "crashed", "timed_out", "lost"})
# Beyond a lease: until the sweep looks, and a worker that was told late.
_SLACK_S: Final = 15.0
_GONE_WITHIN_S: Final = 10.0
# What is said in a log when something is wrong with the program itself, not with its surroundings.
_FAULTS: Final = ("worker_fault", "Traceback", "claim_failed", "report_failed", "result_refused")
_EXPECTED: Final = ("stale_lease", "503", "shutting down")

Job = Mapping[str, Any]


def of_jobs(wanted: Sequence[Wanted], jobs: Mapping[str, Job], fleet: Fleet) -> Iterator[str]:
    """Say what is wrong with the jobs."""
    shots = Counter(fleet.shots)
    for one in wanted:
        for fault in _of_job(one, jobs[one.id], shots[one.id], fleet):
            yield f"{one.body['name']} ({one.id}): {fault}"
    yield from _of_limits(wanted, jobs)


def of_results(wanted: Sequence[Wanted], jobs: Mapping[str, Job], admin: Admin) -> Iterator[str]:
    """Verify each result, by what was asked and not by what the fleet says of it."""
    for one in wanted:
        if jobs[one.id]["status"] == "succeeded":
            try:
                fault = one.judge(admin.result(dict(jobs[one.id])))
            except (KeyError, TypeError, AssertionError) as error:
                fault = f"the result cannot be judged: {error!r}"
            if fault:
                yield f"{one.body['name']} ({one.id}): {fault}"


def is_for_review(job: Job) -> bool:
    return bool(job["status"] == "failed" and job["attempt_count"] >= job["max_attempts"])


def of_counts(admin: Admin, jobs: Mapping[str, Job]) -> Iterator[str]:
    """Compare what the collector keeps in memory with what is so."""
    counts = admin.get("/api/jobs?limit=1")["counts"]
    found = Counter(job["status"] for job in jobs.values())
    if {name: count for name, count in counts.items() if count} != dict(found):
        yield f"the collector counts {counts}, and there are {dict(found)}"
    for node in admin.get("/api/fleet")["nodes"]:
        if node.get("jobs"):
            yield f"{node['id']} is said to work on {node['jobs']} jobs, and all are over"
    for worker in admin.get("/api/workers")["workers"]:
        if worker.get("running"):
            yield f"worker {worker['id']} is said to hold {worker['running']}"


def of_machines(fleet: Fleet) -> Iterator[str]:
    """Look, once all have stopped, for what they left."""
    for machine in fleet.machines:
        work = machine.state / "work"
        for name in ("results", "checkpoints", "files", "jobs"):
            left = [path.name for path in (work / name).glob("*")]
            if left:
                yield f"{machine.node_id} left {name}: {left}"
        leases = _leases_left(work / "journal.ndjson")
        if leases:
            yield f"{machine.node_id}'s journal has leases left: {leases}"
        for line in machine.log.read_text().splitlines():
            if any(word in line for word in _FAULTS) and not any(ok in line for ok in _EXPECTED):
                yield f"{machine.node_id} said: {line[:500]}"


def of_processes(fleet: Fleet, mark: str) -> Iterator[str]:
    """Look for processes that outlived their jobs."""
    until_s = time.monotonic() + _GONE_WITHIN_S
    while (left := left_over(fleet.folder, mark)) and time.monotonic() < until_s:
        time.sleep(0.2)
    yield from (f"left over: {one[:300]}" for one in left)


def of_collector(fleet: Fleet, jobs: Mapping[str, Job]) -> Iterator[str]:
    """Look, once it has stopped, at its data and its logs."""
    for said, times in Counter(_errors(fleet.logs)).items():
        yield f"the collector said {times} times: {said}"
    with sqlite3.connect(f"file:{fleet.data / 'fleet.db'}?mode=ro", uri=True) as db:
        (whole,) = db.execute("PRAGMA integrity_check").fetchone()
        if whole != "ok":
            yield f"the database: {whole}"
        for table in ("job_attempts WHERE ended_at IS NULL", "job_queue WHERE lane IS NOT NULL"):
            (count,) = db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
            if count:
                yield f"{count} rows in {table}"
        known = {
            (job_id, f"{name}.{sha256}" if is_whole else f"{name}.{sha256}.draft")
            for job_id, name, is_whole, sha256 in db.execute(
                "SELECT job_id, name, is_whole, sha256 FROM job_files"
            )
        }
    db.close()
    there = {(path.parent.name, path.name) for path in (fleet.data / "jobs").glob("*/*")}
    for job_id, name in sorted(there ^ known):
        yield f"{name} of {job_id} is {'a file' if (job_id, name) in there else 'a row'} alone"
    for job_id, name in sorted(there & known):
        if name.endswith(".draft") and jobs[job_id]["status"] == "succeeded":
            yield f"{name} of {job_id}, which has succeeded, is there still"


def _errors(logs: Sequence[Path]) -> Iterator[str]:
    for path in logs:
        for line in path.read_text().splitlines():
            if not line.startswith("{"):
                yield line[:300]
            elif line.endswith("}") and (told := json.loads(line))["level"] in {
                "error",
                "critical",
            }:
                yield f"{told['event']}: {told.get('exception', '').rpartition(chr(10))[2]}"


# --- a job ------------------------------------------------------------------------------------


def _of_job(wanted: Wanted, job: Job, shots: int, fleet: Fleet) -> Iterator[str]:
    attempts = job["attempts"]
    charged = [attempt for attempt in attempts if attempt.get("outcome") in _CHARGED]
    succeeded = [attempt for attempt in attempts if attempt.get("outcome") == "succeeded"]
    if job["status"] not in wanted.ends and not (is_for_review(job) and "succeeded" in wanted.ends):
        yield f"it is {job['status']}: {job.get('error')}, {_told(attempts)}"
    if len(charged) != job["attempt_count"] or len(charged) > job["max_attempts"]:
        yield f"{job['attempt_count']} attempts count of {job['max_attempts']}: {_told(attempts)}"
    if (job["status"] == "succeeded") != bool(succeeded) or len(succeeded) > 1:
        yield f"it is {job['status']}, with {_told(attempts)}"
    if succeeded and attempts[-1] is not succeeded[0]:
        yield f"it went on after its success: {_told(attempts)}"
    if any(attempt.get("ended_at") is None for attempt in attempts):
        yield f"an attempt goes on: {_told(attempts)}"
        return
    if any(after["started_at"] < before["ended_at"] for before, after in pairwise(attempts)):
        yield f"two attempts at once: {_told(attempts)}"
    if [attempt.get("outcome") for attempt in attempts].count("crashed") > shots:
        yield f"it crashed, and was killed {shots} times: {_told(attempts)}"
    for attempt in charged:
        yield from _of_charged(wanted, attempt, fleet)


def _of_charged(wanted: Wanted, attempt: Job, fleet: Fleet) -> Iterator[str]:
    outcome, code = attempt["outcome"], (attempt.get("error") or {}).get("code")
    if outcome == "timed_out":
        yield f"it was too slow: {attempt}"
    if outcome == "failed" and code not in wanted.fails:
        yield f"it failed with {code}: {attempt}"
    if outcome == "lost" and not _was_silent(attempt, fleet):
        yield f"it was lost on {attempt['node_id']}, to which nothing had happened: {attempt}"


def _was_silent(attempt: Job, fleet: Fleet) -> bool:
    until = attempt["ended_at"] / 1000
    since = until - fleet.lease_ttl_s - _SLACK_S
    return any(
        one.node_id == attempt["node_id"] and one.since < until and one.until > since
        for one in fleet.silences
    )


def _told(attempts: Sequence[Job]) -> str:
    return ", ".join(f"{one.get('outcome')} {one.get('error', '')}" for one in attempts)


def _of_limits(wanted: Sequence[Wanted], jobs: Mapping[str, Job]) -> Iterator[str]:
    """One model at a time in the fleet, and on each worker no more than it may hold."""
    models = [jobs[one.id] for one in wanted if one.kind == "model"]
    if _most_at_once(attempt for job in models for attempt in job["attempts"]) > 1:
        yield "two jobs of the class llm ran at the same time"
    for resource_class, most in (("io", 10), ("cpu", 4)):
        by_worker: defaultdict[str, list[Job]] = defaultdict(list)
        for job in jobs.values():
            if job["resource_class"] == resource_class:
                for attempt in job["attempts"]:
                    by_worker[attempt["worker_id"]].append(attempt)
        for worker_id, attempts in by_worker.items():
            if _most_at_once(attempts) > most:
                yield f"{worker_id} held more than {most} jobs of the class {resource_class}"


def _most_at_once(attempts: Iterator[Job] | Sequence[Job]) -> int:
    # Of a moment at which one ends and another begins, the end comes first.
    moments = sorted(
        moment for one in attempts for moment in ((one["started_at"], 1), (one["ended_at"], -1))
    )
    most = now = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


def _leases_left(journal: Path) -> list[str]:
    leases: set[str] = set()
    for line in journal.read_text().splitlines() if journal.exists() else ():
        told = json.loads(line)
        leases |= {lease for _, lease in told.get("leased", [])}
        leases.discard(told.get("ended"))
    return sorted(leases)
