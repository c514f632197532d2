"""Real collectors to join, and what they know of those who did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from forge_agent.transport import Connection, Reply
from tests.process import ADMIN_SECRET, CollectorProcess, running_collector


class Fleet:
    """A running collector; ``ca_file``: the authority of its certificate, None without TLS."""

    def __init__(self, process: CollectorProcess, ca_file: Path | None) -> None:
        self.process = process
        self.ca_file = ca_file
        self.url = f"{'http' if ca_file is None else 'https'}://127.0.0.1:{process.port}"

    def ask(self, path: str, body: object = None, *, token: str = ADMIN_SECRET) -> Reply:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with closing(Connection(self.url, ca_file=self.ca_file)) as connection:
            if body is None:
                return connection.get(path, headers)
            return connection.post(path, json.dumps(body).encode(), headers)

    def invite(self, **wanted: object) -> str:
        """Return the join string of a new invite."""
        reply = self.ask("/api/invites", wanted)
        assert reply.status == 201, reply
        string: str = json.loads(reply.body)["join_string"]
        return string

    def invites(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(self.ask("/api/invites").body)["invites"]
        return listed

    def token_ids(self, node_id: str) -> list[str]:
        """Return the ids of the tokens that speak for a node."""
        tokens = json.loads(self.ask("/api/tokens").body)["tokens"]
        return [token["id"] for token in tokens if token["node_id"] == node_id]

    def remove(self, path: str) -> None:
        """Send a DELETE, which agents never do."""
        with closing(Connection(self.url, ca_file=self.ca_file)) as connection:
            headers = {"Authorization": f"Bearer {ADMIN_SECRET}"}
            assert connection._request("DELETE", path, None, headers).status == 204


@contextmanager
def running_fleet(data: Path, *, with_tls: bool) -> Iterator[Fleet]:
    with running_collector(data, *(["--tls", "auto"] if with_tls else [])) as process:
        yield Fleet(process, process.data / "tls" / "ca.pem" if with_tls else None)
