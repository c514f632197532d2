"""What answers workers in a collector's place, and means no good."""

from __future__ import annotations

import json
import threading
import uuid
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class HostileCollector:
    """Listens on loopback. ``jobs``: what the next claim brings, whatever it asks for; the others
    bring nothing, at once. ``is_deaf``: all that is well is its answer to results, which are in
    ``results``. ``asked``: how often for each path's last part; ``offered``: what for, last."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.is_deaf = False
        self.asked: Counter[str] = Counter()
        self.offered: set[str] = set()
        self.results: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def mint(self, **_: str) -> str:
        return "a-token"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        self.asked[path] += 1
        match path:
            case "heartbeat":
                renewed = [lease["id"] for lease in body["leases"]]
                return {"renewed": renewed, "lost": [], "cancel": [], "lease_ttl_s": 300}
            case "claim":
                self.offered = {offer.partition("@")[0] for offer in body["types"]}
                jobs, self.jobs = self.jobs, []
                return {"jobs": jobs}
        self.results.append(body)
        return None if self.is_deaf else {"status": body["status"]}


def a_job(payload: dict[str, object], **more: object) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "type": "steps",
        "lease": uuid.uuid4().hex,
        "lease_ttl_s": 300,
        "attempt": 1,
        "resource_class": "io",
        "payload": payload,
        **more,
    }


def _handler(collector: HostileCollector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = collector.answer(self.path.rpartition("/")[2], body)
            content = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
