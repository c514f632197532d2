"""The frozen agent at work, against a real collector: it joins, pushes, spools and replays."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import trustme

from tests.frozen.building import Frozen
from tests.frozen.running import Agent, ended, running
from tests.integration.agent.fake_collector import FakeCollector
from tests.integration.work.working import ALLOWED
from tests.process import CollectorProcess, running_collector, wait_for

# Two seconds are what it takes on a machine that does nothing else.
_FIRST_PUSH_WITHIN_S: Final = 10.0
_LONGEST_GAP_MS: Final = 2_900
# What `run` has no use for, and would hold in memory.
_HEAVY: Final = re.compile(
    r"_ssl\.|libssl|libcrypto|_asyncio|_multiprocessing|_sodium|_cffi|zeroconf|_pickle|_hashlib"
)


def test_it_joins_pushes_spools_and_replays(program: Path, tmp_path: Path) -> None:
    with running_collector(tmp_path / "data") as collector:
        config = joined(program, collector, tmp_path)
        started_s = time.monotonic()
        with running(program, tmp_path, "--config", str(config), FORGE_INTERVAL_S="1") as agent:
            agent.said("connected")
            assert time.monotonic() - started_s < _FIRST_PUSH_WITHIN_S
            holds_nothing_heavy(agent)

            collector.kill()
            wait_for(lambda: spooled(tmp_path) >= 2, "snapshots in the spool")
            with running_collector(
                collector.data, "--port", str(collector.port), log_path=tmp_path / "second.log"
            ) as again:
                agent.said("replayed", patience_s=45)  # the longest pause, and another try
                assert has_no_gaps(again)
                # Before it stops: what is on its way then goes to the spool again.
                wait_for(lambda: spooled(tmp_path) == 0, "an empty spool")
                wait_for(lambda: facts(again).get("cpu_model"), "the processor's name")
                family = agent.family()
                assert agent.stop() == 0
        assert not any(process.is_running() for process in family)
        assert list(agent.temp.iterdir()) == []


def test_a_single_file_that_was_killed_starts_again(frozen: Frozen, tmp_path: Path) -> None:
    """Its folder of temporary files stays then: nobody is left to remove it."""
    with running_collector(tmp_path / "data") as collector:
        config = str(joined(frozen.single, collector, tmp_path))
        with running(frozen.single, tmp_path, "--config", config) as agent:
            agent.said("connected")
            for process in reversed(agent.family()):
                process.kill()
            agent.process.wait()
        with running(frozen.single, tmp_path, "--config", config) as again:
            again.said("connected")


def test_the_launcher_becomes_an_installed_version(frozen: Frozen, tmp_path: Path) -> None:
    """Nothing of the launcher's own folder may reach the version that takes its place."""
    program_dir = tmp_path / "program"
    launcher, version = program_dir / "launcher", program_dir / "versions" / "999.0.0"
    for folder in (launcher, version):
        shutil.copytree(frozen.folder.parent, folder)
    (program_dir / "release.json").write_text(json.dumps({"current": version.name}))
    with running_collector(tmp_path / "data") as collector:
        config = joined(frozen.folder, collector, tmp_path)
        with running(
            launcher / frozen.folder.name,
            tmp_path,
            *("--config", str(config)),
            command=("launch", "--program-dir", str(program_dir), "--"),
        ) as agent:
            agent.said("connected")
            (process,) = agent.running("run")
            assert process.exe() == str(version / frozen.folder.name)
            if sys.platform == "linux":
                own = str(version / "_internal")
                assert process.environ()["LD_LIBRARY_PATH"] == own
                mapped = [row.path for row in process.memory_maps()]
                assert [path for path in mapped if path.startswith(str(launcher))] == []
            assert agent.stop() == 0


def test_it_checks_the_collectors_certificate(frozen: Frozen, tmp_path: Path) -> None:
    """Once against the file in the settings, once against what stands for the system's store."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    identity = tmp_path / "collector.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(identity)
    collector = FakeCollector(identity)
    settings = {"NODE_ID": "n1", "CENTRAL_URL": collector.url, "BEARER_TOKEN": "a-token"}
    try:
        for number, trusting in enumerate(("FORGE_CA_FILE", "SSL_CERT_FILE")):
            trust = {trusting: str(tmp_path / "ca.pem")}
            with running(frozen.folder, tmp_path / str(number), **settings, **trust) as agent:
                agent.said("connected")
        pushed = len(collector.pushes)
        with running(frozen.folder, tmp_path / "none", **settings) as agent:
            assert "authority" in agent.said("offline")["reason"]
        assert len(collector.pushes) == pushed
    finally:
        collector.die()


def test_it_does_a_job_of_the_plugin_that_comes_with_it(frozen: Frozen, tmp_path: Path) -> None:
    with running_collector(tmp_path / "data") as collector, collector.client() as admin:
        config = joined(frozen.folder, collector, tmp_path)
        (tmp_path / "state").mkdir()
        # macOS has nothing to confine it with.
        allowed = {**ALLOWED, "trust_plugins": True}
        (tmp_path / "state" / "work.json").write_text(json.dumps(allowed))
        reply = admin.send("POST", "/api/jobs", {"type": "echo", "payload": {"text": "ü"}})
        assert reply.status == 201, reply
        path = f"/api/jobs/{reply.json()['id']}"
        python = str(Path(sys.executable).parent)
        with running(frozen.folder, tmp_path, "--config", str(config), PATH=python):
            wait_for(lambda: admin.get(path)["status"] in {"succeeded", "failed"}, "the job's end")
        job = admin.get(path)
        assert (job["status"], job["result"]["echo"]) == ("succeeded", {"text": "ü"}), job


def joined(program: Path, collector: CollectorProcess, folder: Path) -> Path:
    """Have it join, and return its settings."""
    with collector.client() as admin:
        minted = admin.send("POST", "/api/invites", {})
    assert minted.status == 201, minted
    config = folder / "agent.toml"
    said = ended(
        program, "join", minted.json()["join_string"], "--config", str(config), "--node-id", "n1"
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert config.stat().st_mode & 0o077 == 0
    return config


def spooled(folder: Path) -> int:
    files = (folder / "state" / "spool").glob("*.ndjson")
    return sum(path.read_bytes().count(b"\n") for path in files)


def has_no_gaps(collector: CollectorProcess) -> bool:
    """Tell whether what was measured meanwhile is all there."""
    with collector.client() as admin:
        points = admin.get("/api/nodes/n1/snapshot")["points"]
    times: list[int] = [point["ts"] for point in points]
    assert len(times) >= 4
    return max(later - earlier for earlier, later in pairwise(times)) < _LONGEST_GAP_MS


def facts(collector: CollectorProcess) -> dict[str, Any]:
    found: dict[str, Any] = collector.node("n1").get("host") or {}
    return found


def holds_nothing_heavy(agent: Agent) -> None:
    """test_light.py holds the modules of `run`; the frozen program must add none to them."""
    if sys.platform == "linux":
        for process in agent.running("run"):
            files = {row.path for row in process.memory_maps()}
            assert [path for path in files if _HEAVY.search(path)] == []
