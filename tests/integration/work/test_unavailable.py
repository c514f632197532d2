"""A worker takes no jobs of a plugin whose programs could not be started, and says so."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.integration.work import jobs as making
from tests.integration.work.working import ALLOWED, PLUGINS, Jobs, RunningWorker, ended
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
        reason = f"{sys.executable} has no no_such_one: pip install such"
        in_vain = f"No worker offers tried: n1 has it in vain ({reason})."
        assert job["waits_because"] == in_vain
        said = worker.said("plugin_unavailable")
        assert (said["plugin"], said["reason"]) == ("tried", reason)
        assert f"not tried: {reason}" in worker.work("status")
        [told] = admin.get("/api/workers")["workers"]
        assert [one["name"] for one in told["types"]] == ["steps"]
        assert told["state"] == "ready"
        listing = f"`forge-agent plugins list --state-dir {worker.state}`"
        assert told["reason"] == f"without tried: see {listing}"


def test_a_plugin_takes_no_jobs_until_it_was_granted_what_it_asks_for(
    collector: CollectorProcess, admin: Client, open_path: Path
) -> None:
    jobs = Jobs(admin, "n3")
    plugins = open_path / "plugins"
    media = open_path / "of the owner"
    media.mkdir()
    (media / "film").write_text("abc")
    needs = f'[needs]\nread = ["{media}"]\n'
    reading = (
        'printf \'{"type": "result", "result": "%s"}\\n\' "$(cat ' + f"'{media / 'film'}')\"\n"
    )
    making.make_plugin(plugins / "reading", reading, needs, name="main.sh")
    worker = RunningWorker(collector, "n3", open_path / "n3", plugins=plugins)
    left = jobs.submit({}, type="tried", max_attempts=1)

    def reason() -> str:
        return str(jobs.look(left).get("waits_because"))

    with ended(worker):
        command = f"work on --grant 'tried:read:{media}' --state-dir {worker.state}"
        not_granted = f"it was not granted read:{media}: `forge-agent {command}`"
        wait_for(lambda: not_granted[:200] in reason(), "what it lacks to be told")
        assert f"not tried: {not_granted}" in worker.work("status")
        worker.work(*shlex.split(command)[1:])
        assert jobs.until(left, "succeeded")["result"] == "abc"
        # What is taken back counts at once as well.
        worker.work("on", "--revoke", "tried")
        worker.said("plugin_unavailable", times=2)
        later = jobs.submit({}, type="tried", max_attempts=1)
        # A claim may be on its way yet; what it brings is given back.
        wait_for(
            lambda: "n3 has it in vain" in jobs.look(later).get("waits_because", ""),
            "it to be told",
        )


@pytest.mark.skipif(making.ANOTHER_USER not in making.WAYS, reason="jobs are no other users here")
def test_a_plugin_takes_no_jobs_while_what_it_was_granted_is_closed_to_them(
    collector: CollectorProcess, admin: Client, open_path: Path
) -> None:
    jobs = Jobs(admin, "n4")
    plugins = open_path / "plugins"
    table = open_path / "table"
    table.write_text("abc")
    table.chmod(0o600)
    needs = f'[needs]\nread = ["{table}"]\n'
    making.make_plugin(plugins / "reading", "echo '{}'", needs, name="main.sh")
    worker = RunningWorker(collector, "n4", open_path / "n4", plugins=plugins)
    with ended(worker):
        closed = f"{table} is closed to jobs, which are users of their own here: chmod o+r {table}"
        said = worker.work("on", "--grant", f"tried:read:{table}")
        assert f"! tried takes no jobs: {closed}" in said
        wait_for(lambda: f"not tried: {closed}" in worker.work("status"), "it to be told")
        job_id = jobs.submit({}, type="tried", max_attempts=1)
        table.chmod(0o644)
        assert jobs.until(job_id, "failed")["attempt_count"] == 1  # it gives no result
        table.chmod(0o600)
        wait_for(lambda: f"not tried: {closed}" in worker.work("status"), "it to be told again")


def test_a_plugin_that_would_be_shown_the_agents_own_files_takes_no_jobs(
    collector: CollectorProcess, admin: Client, tmp_path: Path
) -> None:
    jobs = Jobs(admin, "n5")
    worker = RunningWorker(collector, "n5", tmp_path / "n5", plugins=tmp_path / "plugins")
    needs = f'[needs]\nread = ["{worker.state}"]\n'
    making.make_plugin(tmp_path / "plugins" / "prying", "", needs)
    # As an owner could say before it was refused.
    worker.allow(**ALLOWED, grants={"tried": [f"read:{worker.state}"]})
    left = jobs.submit({}, type="tried")
    with ended(worker):
        reason = f"{worker.state} is given to no plugin"
        assert reason in worker.said("plugin_unavailable")["reason"]
        wait_for(lambda: reason in str(jobs.look(left).get("waits_because")), "it to be told")
        assert jobs.look(left)["attempt_count"] == 0


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
