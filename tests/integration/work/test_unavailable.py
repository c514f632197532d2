"""A worker takes no jobs of a plugin whose programs could not be started, and says so."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.integration.work import jobs as making
from tests.integration.work.working import PLUGINS, Jobs, RunningWorker, ended
from tests.process import Client, CollectorProcess, wait_for

NEEDS = 'modules = ["no_such_one"]\ninstall = "pip install such"\n'


def test_jobs_that_could_not_be_started_here_are_left_to_others(
    collector: CollectorProcess, admin: Client, tmp_path: Path
) -> None:
    jobs = Jobs(admin, "n1")
    plugins = tmp_path / "plugins"
    making.make_plugin(plugins / "needy", "", NEEDS)
    shutil.copytree(PLUGINS / "steps", plugins / "steps")
    left = jobs.submit({}, type="tried")
    with ended(RunningWorker(collector, "n1", tmp_path / "n1", plugins=plugins)) as worker:
        # Its turn came first, had it been taken.
        jobs.until(jobs.submit({"steps": 1}), "succeeded")
        job = jobs.look(left)
        assert (job["status"], job["attempt_count"]) == ("pending", 0)
        assert job["waits_because"] == "No worker offers tried."
        reason = f"{sys.executable} has no no_such_one: pip install such"
        said = worker.said("plugin_unavailable")
        assert (said["plugin"], said["reason"]) == ("tried", reason)
        assert f"not tried: {reason}" in worker.work("status")
        [told] = admin.get("/api/workers")["workers"]
        assert [one["name"] for one in told["types"]] == ["steps"]
        assert told["state"] == "ready"
        assert told["reason"] == "without tried: see `forge-agent plugins list`"


def test_a_worker_with_nothing_else_says_so(
    collector: CollectorProcess, admin: Client, tmp_path: Path
) -> None:
    making.make_plugin(tmp_path / "plugins" / "needy", "", NEEDS)
    worker = RunningWorker(collector, "n2", tmp_path / "n2", plugins=tmp_path / "plugins")

    def reason() -> str | None:
        found = admin.get("/api/workers")["workers"]
        return next((one["reason"] for one in found if one["node_id"] == "n2"), None)

    with ended(worker):
        wait_for(lambda: "without tried" in (reason() or ""), "its reason to be told")
        assert "paused: without tried" in worker.work("status")
