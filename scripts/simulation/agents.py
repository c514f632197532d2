"""Simulated agents: each one's identity, its token, and the requests it sends."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult

from forge_shared import codec
from scripts.simulation.figures import Figures, Noise
from scripts.simulation.machines import Machine

_LONGEST_UP_S: Final = 90 * 86_400


class Agent:
    """One agent. ``is_outstanding``: its last push has no outcome yet; ``is_known``: the collector
    acknowledged one, and with it the facts of the host. ``silent_from_s``: seconds since the
    start, None: never. ``values``: how many a snapshot holds."""

    __slots__ = (
        "_boot_id", "_figures", "_head", "_host", "is_known", "is_outstanding", "machine", "seq",
        "silent_from_s", "values",
    )  # fmt: skip

    def __init__(
        self, machine: Machine, token: str, url: SplitResult, interval_s: float, noise: Noise
    ) -> None:
        now_s = time.time()
        up_s = noise.random.uniform(600, _LONGEST_UP_S)
        self.machine = machine
        self.seq = 0
        self.is_outstanding = False
        self.is_known = False
        self.silent_from_s: float | None = None
        self._boot_id = str(uuid.uuid4()).encode()
        self._figures = Figures(machine, noise, now_s, up_s)
        self.values = self._figures.count
        host = machine.host(round((now_s - up_s) * 1000), interval_s)
        self._host = b',"host":' + codec.encode(host)
        self._head = (
            f"POST {url.path.rstrip('/')}/api/ingest/{machine.node_id} HTTP/1.1\r\n"
            f"Host: {url.netloc}\r\n"
            f"Authorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\n"
        ).encode()

    def is_silent(self, elapsed_s: float) -> bool:
        return self.silent_from_s is not None and self.seq > 0 and elapsed_s >= self.silent_from_s

    def request(self) -> bytes:
        """Measure, and return the whole request that pushes it."""
        now_s = time.time()
        now_ms = int(now_s * 1000)
        body = b'{"seq":%d,"boot_id":"%b","ts":%d,"values":{%b}%b}' % (
            self.seq,
            self._boot_id,
            now_ms,
            self._figures.render(now_s),
            b"" if self.is_known else self._host,
        )
        self.seq += 1
        return b"%bForge-Sent-At: %d\r\nContent-Length: %d\r\n\r\n%b" % (
            self._head,
            now_ms,
            len(body),
            body,
        )


@dataclass(slots=True)
class Push:
    """One push on its way. Times are of the monotonic clock."""

    agent: Agent
    due_at: float
    sent_at: float = 0.0
