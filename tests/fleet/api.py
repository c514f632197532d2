"""An administrator who does not give up: what got no answer is asked again."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
from typing import Any, Final

from tests.process import Client, Reply

_PATIENCE_S: Final = 120.0
_PAUSE_S: Final = 0.25
_PART_BYTES: Final = 1024 * 1024


class UnansweredError(Exception):
    """There was no answer in all that time."""


class Admin:
    """For one thread."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._client: Client | None = None

    def send(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """Return the answer, whatever it says; raises UnansweredError."""
        until_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until_s:
            try:
                if self._client is None:
                    self._client = Client(self._port)
                reply = self._client.send(method, path, body, headers)
                if reply.status < 500:
                    return reply
            except (OSError, http.client.HTTPException):
                self.close()
            time.sleep(_PAUSE_S)
        raise UnansweredError(f"{method} {path}")

    def get(self, path: str) -> Any:
        reply = self.send("GET", path)
        assert reply.status == 200, (path, reply)
        return reply.json()

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/api/jobs/{job_id}")
        return {"attempts": [], **found}

    def submit(self, wanted: dict[str, Any]) -> str:
        """Submit a job; return its id, which is another's where it is deduplicated. A deadline
        (`deadline_in_s`) is from when it was sent last."""
        in_s = wanted.get("deadline_in_s")
        body = {name: wanted[name] for name in wanted if name != "deadline_in_s"}
        while True:
            if in_s is not None:
                body["deadline"] = int((time.time() + in_s) * 1000)
            reply = self.send("POST", "/api/jobs", body)
            if reply.status != 422 or reply.json()["code"] != "deadline_passed":
                break
        assert reply.status in {200, 201}, (wanted, reply)
        job_id: str = reply.json()["id"]
        return job_id

    def upload(self, job_id: str, content: bytes) -> None:
        """Upload a payload in parts, on from where it was interrupted."""
        path = f"/api/jobs/{job_id}/files/payload"
        received = 0
        while received < len(content):
            part = content[received : received + _PART_BYTES]
            last = received + len(part) - 1
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Range": f"bytes {received}-{last}/{len(content)}",
            }
            reply = self.send("PUT", path, part, headers)
            assert reply.status == 200, reply
            received = reply.json()["received"]

    def cancel(self, job_id: str) -> None:
        """Cancel a job, unless it is over."""
        reply = self.send("POST", f"/api/jobs/{job_id}/cancel")
        assert reply.status == 200 or reply.json()["code"] == "job_finished", reply

    def retry(self, job_id: str) -> None:
        """Have a job done again that has failed; an answer that was lost may have done it."""
        reply = self.send("POST", f"/api/jobs/{job_id}/retry")
        assert reply.status == 200 or reply.json()["code"] == "job_unfinished", reply

    def result(self, job: dict[str, Any]) -> Any:
        """Return a result, also one that is a file."""
        for file in job.get("files", []):
            if file["name"] == "result" and job["result"] is None:
                reply = self.send("GET", f"/api/jobs/{job['id']}/files/result")
                assert reply.status == 200, reply
                assert hashlib.sha256(reply.body).hexdigest() == file["sha256"]
                return json.loads(reply.body)
        return job["result"]

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
