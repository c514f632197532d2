"""What a restart of the collector leaves as it was."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from tests.process import Client, environment, running_collector, serve_command

CONTENT = b"[%s]" % (b" " * 2046)


def submit(admin: Client, **wanted: object) -> str:
    reply = admin.send("POST", "/api/jobs", {"type": "echo", **wanted})
    assert reply.status == 201, reply
    job_id: str = reply.json()["id"]
    return job_id


def put(admin: Client, job_id: str, first: int, last: int) -> int:
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Range": f"bytes {first}-{last}/{len(CONTENT)}",
    }
    path = f"/api/jobs/{job_id}/files/payload"
    reply = admin.send("PUT", path, CONTENT[first : last + 1], headers)
    assert reply.status == 200, reply
    received: int = reply.json()["received"]
    return received


def test_a_killed_collector_goes_on_with_leases_and_uploads(tmp_path: Path) -> None:
    data = tmp_path / "data"
    claim = {
        "worker_id": "n1.0000",
        "types": ["echo"],
        "claim_id": f"{1:08}-0000-7000-8000-{1:012}",
    }
    with running_collector(data) as collector:
        token = collector.mint(node_id="n1")
        digest = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
        with collector.client() as admin, collector.client(token) as worker:
            job_id = submit(admin, payload=1, resource_class="cpu")
            uploaded = submit(admin, payload_file=digest)
            assert put(admin, uploaded, 0, 999) == 1000
            held = worker.send("POST", "/api/jobs/claim", claim).json()["jobs"]
        collector.kill()
    with (
        running_collector(data, "--worker-slots", "cpu=1") as collector,
        collector.client() as admin,
        collector.client(token) as worker,
    ):
        assert admin.get("/api/jobs")["counts"]["running"] == 1
        # The reply may have been lost: the same claim again has the same leases.
        again = worker.send("POST", "/api/jobs/claim", claim).json()["jobs"]
        assert again == held
        lease = held[0]["lease"]
        beat = {"leases": [{"id": job_id, "lease": lease}]}
        renewed = worker.send("POST", "/api/workers/n1.0000/heartbeat", beat).json()
        assert renewed["renewed"] == [job_id]
        assert put(admin, uploaded, 1000, len(CONTENT) - 1) == len(CONTENT)
        # One slot of the class is all this worker may have.
        further = {**claim, "claim_id": None, "slots": {"cpu": 9}, "max": 9}
        assert worker.send("POST", "/api/jobs/claim", further).status == 204
        result = {"lease": lease, "status": "succeeded", "result": 2}
        reply = worker.send("POST", f"/api/jobs/{job_id}/result", result)
        assert reply.json()["status"] == "succeeded"
        assert len(worker.send("POST", "/api/jobs/claim", further).json()["jobs"]) == 1


def test_slots_that_are_not_understood_are_named(tmp_path: Path) -> None:
    refused = subprocess.run(
        serve_command(tmp_path / "data", "--fleet-slots", "gpu=1"),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "--fleet-slots 'gpu=1'" in refused.stderr
