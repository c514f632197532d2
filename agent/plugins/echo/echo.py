"""Gives back what was sent: for trying out a fleet, and for looking at how a plugin is made."""

from __future__ import annotations

import time
from typing import Any

import forge_plugin

_STEP_S = 0.2


def echo(job: forge_plugin.Job) -> dict[str, Any]:
    payload = job.payload
    asked = payload if isinstance(payload, dict) else {}
    if "fail" in asked:
        raise forge_plugin.JobError(str(asked["fail"]), code="asked_to_fail", retryable=False)
    slept_s = _sleep(job, float(asked.get("sleep_s", 0)))
    return {"echo": payload, "attempt": job.attempt, "slept_s": round(slept_s, 3)}


def _sleep(job: forge_plugin.Job, wanted_s: float) -> float:
    """Sleep, on from where an earlier attempt was stopped."""
    checkpoint = job.checkpoint
    slept_s = float(checkpoint["slept_s"]) if isinstance(checkpoint, dict) else 0.0
    while slept_s < wanted_s:
        begun = time.monotonic()
        stopped = job.stopping.wait(min(_STEP_S, wanted_s - slept_s))
        slept_s += time.monotonic() - begun
        if stopped:
            job.save({"slept_s": slept_s})
            job.check()
        job.progress(min(1.0, slept_s / wanted_s), f"slept {slept_s:.1f} s")
    return slept_s


forge_plugin.main(echo)
