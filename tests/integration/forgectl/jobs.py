"""forgectl's commands about jobs, called in this process, and a worker played by plain requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, Self

from click.testing import Result

from forge_shared import identity
from tests.process import Client, CollectorProcess

Called = Callable[..., Result]
TYPES: Final = [
    {"name": "echo", "version": "1.0", "resource_class": "io"},
    {"name": "prodplan", "version": "1.4", "title": "Production planning"},
]


class Worker:
    """A worker of one node, as far as the collector can tell."""

    def __init__(self, collector: CollectorProcess, node_id: str) -> None:
        self.node_id = node_id
        self.id = f"{node_id}.0badcafe"
        self._client: Client = collector.client(collector.mint(node_id=node_id))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def be_there(self, **changes: object) -> None:
        beat = {"plugins": TYPES, "slots": {"cpu": 4, "io": 10}, **changes}
        self._post(f"/api/workers/{self.id}/heartbeat", beat)

    def claim(self, *types: str) -> dict[str, Any]:
        """Take the job that waits, and return it."""
        asked = {"worker_id": self.id, "types": types or ["echo", "prodplan"]}
        (job,) = self._post("/api/jobs/claim", asked)["jobs"]
        return dict(job)

    def report(self, job: dict[str, Any], **progress: object) -> None:
        held = {"id": job["id"], "lease": job["lease"], "progress": progress}
        self._post(f"/api/workers/{self.id}/heartbeat", {"leases": [held]})

    def end(self, job: dict[str, Any], status: str, **more: object) -> None:
        result = {"lease": job["lease"], "status": status, **more}
        self._post(f"/api/jobs/{job['id']}/result", result)

    def upload(self, job: dict[str, Any], name: str, body: bytes, sha256: str) -> None:
        headers = {
            "Content-Type": "application/octet-stream",
            "Forge-Lease": job["lease"],
            "Forge-Sha256": sha256,
        }
        reply = self._client.send("PUT", f"/api/jobs/{job['id']}/files/{name}", body, headers)
        assert reply.status == 200, reply

    def payload_file(self, job: dict[str, Any]) -> bytes:
        headers = {"Forge-Lease": job["lease"]}
        reply = self._client.send("GET", f"/api/jobs/{job['id']}/files/payload", None, headers)
        assert reply.status == 200, reply
        return reply.body

    def _post(self, path: str, message: object) -> Any:
        reply = self._client.send("POST", path, message)
        assert reply.status == 200, reply
        return json.loads(reply.body)


def a_job_id() -> str:
    return identity.uuid7(1_800_000_000_000)
