"""Takes steps as its payload says, on from its last checkpoint; with a family of processes that do
not want to end, with much to say, or going wrong."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import forge_plugin

# In a session of its own, deaf to TERM, with nothing in its environment by which to be found.
_SURVIVOR = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "time.sleep(float(sys.argv[1]))\n"
)
_LONGER_THAN_ANY_TEST_S = "3600"


def trial(job: forge_plugin.Job) -> dict[str, Any]:
    payload = job.payload
    if "fail" in payload:
        raise forge_plugin.JobError("it was told to", retryable=payload["fail"] != "at once")
    if job.attempt <= payload.get("fails_first", 0):
        raise forge_plugin.JobError("it was told to, at first", code="at_first")
    for _ in range(payload.get("family", 0)):
        subprocess.Popen(
            [sys.executable, "-c", _SURVIVOR, _LONGER_THAN_ANY_TEST_S, payload["mark"]],
            env={},
            start_new_session=True,
        )
    _take_steps(job, payload.get("steps", 0), payload.get("step_s", 0.1))
    told = hashlib.sha256(payload.get("filling", "").encode()).hexdigest()
    return {
        "number": payload["number"],
        "square": payload["number"] ** 2,
        "filling": told,
        "answer": payload.get("letter", "a") * payload.get("answer_bytes", 0),
    }


def _take_steps(job: forge_plugin.Job, steps: int, step_s: float) -> None:
    checkpoint = job.checkpoint
    done = checkpoint["done"] if checkpoint else 0
    assert 0 <= done <= steps
    while done < steps:
        stopped = job.stopping.wait(step_s)
        done += 1
        job.save({"done": done})
        if stopped:
            job.check()
        job.progress(done / steps)


forge_plugin.main(trial)
