"""A worker takes up plugins that come, change and go while it runs."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.integration.work.working import PLUGINS, Jobs, RunningWorker, ended
from tests.process import Client, CollectorProcess, wait_for


def offered(admin: Client) -> list[str]:
    """Return what the collector knows of n1's plugins."""
    workers = admin.get("/api/workers")["workers"]
    types = [one["types"] for one in workers if one["node_id"] == "n1" and not one.get("silent")]
    return sorted(f"{each['name']} {each['version']}" for each in types[0]) if types else []


def test_plugins_that_come_change_and_go_are_taken_up(
    collector: CollectorProcess, admin: Client, tmp_path: Path
) -> None:
    plugins = tmp_path / "plugins"
    shutil.copytree(PLUGINS / "steps", plugins / "steps")
    jobs = Jobs(admin, "n1")
    waiting = jobs.submit({"number": 7}, type="checked")
    with ended(RunningWorker(collector, "n1", tmp_path / "n1", plugins=plugins)) as worker:
        running = jobs.submit({"steps": 200})
        jobs.until_it_gets_on(running)
        assert offered(admin) == ["steps 1.0"]
        shutil.copytree(PLUGINS / "checked", plugins / "checked")
        manifest = plugins / "steps" / "plugin.toml"
        manifest.write_text(manifest.read_text().replace('"1.0"', '"1.1"'))
        # What waited for it is done, and the collector has heard of it.
        jobs.until(waiting, "succeeded")
        assert offered(admin) == ["checked 1.0", "steps 1.1"]
        shutil.rmtree(plugins / "checked")
        wait_for(lambda: offered(admin) == ["steps 1.1"], "the plugin to be gone")
        said = worker.events("plugins_changed")
        assert [one["types"] for one in said] == ["checked@1.0, steps@1.1", "steps@1.1"]
        # What ran was left alone.
        job = jobs.until(running, "succeeded")
        assert (job["attempt_count"], job["result"]["begun_at"]) == (1, 0)
