"""A job followed: on a real terminal, through a pipe, as JSON, and left by Ctrl-C."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.forgectl.jobs import Called, Worker
from tests.integration.forgectl.relay import relay_to
from tests.integration.forgectl.terminal import terminal
from tests.process import ADMIN_SECRET, CollectorProcess, environment


@pytest.fixture
def worker(collector: CollectorProcess) -> Iterator[Worker]:
    with Worker(collector, "attic") as there:
        there.be_there()
        yield there


@contextmanager
def piped(url: str, home: Path, *arguments: str) -> Iterator[Any]:
    """forgectl, read through a pipe."""
    process = subprocess.Popen(
        [sys.executable, "-m", "forgectl", *arguments],
        env=environment(FORGE_URL=url, FORGE_TOKEN=ADMIN_SECRET, HOME=str(home)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # A reader that waits for ever would hold the tests up.
    timer = threading.Timer(20, process.kill)
    timer.start()
    try:
        yield process
    finally:
        timer.cancel()
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)


def line_with(process: Any, text: str) -> str:
    """Return the next line that has this in it."""
    for line in process.stdout:
        if text in line:
            return str(line)
    raise AssertionError(f"it ended without {text!r}: {process.stderr.read()}")


def test_through_a_pipe_each_change_is_a_line(
    collector: CollectorProcess, worker: Worker, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text("{}")
    with piped(
        collector.url, tmp_path, "jobs", "submit", "prodplan", str(plan), "--watch"
    ) as process:
        line_with(process, "pending: A worker can take it")
        job = worker.claim("prodplan")
        line_with(process, "running on attic, attempt 1 of 3")
        worker.report(job, fraction=0.5, objective=58, bound=52, gap=0.1034)
        assert line_with(process, "58").split()[1:] == [
            *("50", "%,", "objective", "58,", "bound", "52,", "gap", "10.3", "%")
        ]
        worker.end(job, "succeeded", result={})
        line_with(process, "succeeded")
        assert process.wait(20) == 0


def test_as_json_each_state_is_a_line_and_a_failure_is_code_3(
    collector: CollectorProcess, called: Called, worker: Worker, tmp_path: Path
) -> None:
    job_id = called("jobs", "submit", "echo").stdout.strip()
    with piped(collector.url, tmp_path, "jobs", "watch", job_id, "--json") as process:
        assert json.loads(process.stdout.readline())["status"] == "pending"
        job = worker.claim("echo")
        worker.end(job, "failed", error={"code": "bad", "retryable": False})
        last = [json.loads(line) for line in process.stdout][-1]
        assert (last["status"], last["error"]["code"]) == ("failed", "bad")
        assert process.wait(20) == 3


def test_on_a_terminal_it_is_drawn_and_ctrl_c_leaves_it_running(
    collector: CollectorProcess, called: Called, worker: Worker, tmp_path: Path
) -> None:
    job_id = called("jobs", "submit", "echo", "--name", "drawn").stdout.strip()
    job = worker.claim("echo")
    with terminal(collector.url, tmp_path, "jobs", "watch", job_id) as shown:
        shown.wait_for(r"drawn")
        shown.wait_for(r"running on attic, attempt 1 of 3")
        worker.report(job, fraction=0.25, message="cutting \x1b[31mwood", objective=57, bound=55)
        shown.wait_for(r"━━ +25 % +cutting \ufffd\[31mwood")
        shown.wait_for(r"objective 57, bound 55")
        assert shown.interrupt() == 130
        shown.wait_for(r"It goes on. `forgectl jobs watch")
        assert b"Traceback" not in shown.written
        assert b"\x1b[31mwood" not in shown.written
    assert json.loads(called("jobs", "show", job_id, "--json").stdout)["status"] == "running"
    worker.end(job, "succeeded")


def test_a_stream_that_breaks_is_found_again(
    collector: CollectorProcess, called: Called, tmp_path: Path
) -> None:
    job_id = called("jobs", "submit", "nobodys").stdout.strip()
    with (
        relay_to(collector.port) as line,
        piped(line.url, tmp_path, "jobs", "watch", job_id) as process,
    ):
        line_with(process, "pending")
        line.break_off()
        assert called("jobs", "cancel", job_id).exit_code == 0
        line_with(process, "cancelled")
        assert process.wait(20) == 4
        assert re.search("ended the stream|broke off", process.stderr.read())
