"""What got a 2xx is there after kill -9, exactly once."""

from __future__ import annotations

import http.client
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from tests.faults.conftest import Start
from tests.faults.pushes import new_boot, snapshot
from tests.faults.sealed import identities
from tests.process import Client, CollectorProcess, wait_for

ROUNDS = 4
PUSHERS = 6
ENOUGH = 150  # acknowledgements a round, at least


class Identity(NamedTuple):
    node_id: str
    boot_id: str
    seq: int


class Pusher(threading.Thread):
    """An agent that pushes as fast as it can, and notes what was acknowledged."""

    def __init__(self, node_id: str, token: str, port: int) -> None:
        super().__init__(name=node_id)
        self.acknowledged: list[Identity] = []
        self.sent: list[Identity] = []
        self._node_id = node_id
        self._boot_id = new_boot()
        self._client = Client(port, token)

    def run(self) -> None:
        with closing(self._client):
            while True:
                identity = Identity(self._node_id, self._boot_id, len(self.sent))
                self.sent.append(identity)
                try:
                    reply = self._client.push(
                        self._node_id, snapshot(self._boot_id, identity.seq, cpu=identity.seq % 100)
                    )
                except (OSError, http.client.HTTPException):
                    return  # the collector is gone, as it should be
                assert reply.status == 200, reply
                assert reply.json()["accepted"] == 1, reply
                self.acknowledged.append(identity)


def push_until_killed(collector: CollectorProcess, tokens: dict[str, str]) -> list[Pusher]:
    pushers = [Pusher(node_id, token, collector.port) for node_id, token in tokens.items()]
    for pusher in pushers:
        pusher.start()
    wait_for(
        lambda: sum(len(pusher.acknowledged) for pusher in pushers) >= ENOUGH, "acknowledgements"
    )
    collector.kill()
    for pusher in pushers:
        pusher.join(10)
        assert not pusher.is_alive()
    return pushers


def stored(data: Path) -> list[Identity]:
    return [Identity(*identity) for identity in identities(data)]


def test_every_acknowledged_snapshot_survives_being_killed_again_and_again(
    data: Path, start: Start
) -> None:
    started = time.monotonic()
    collector = start()
    tokens = {f"n{number}": collector.mint(node_id=f"n{number}") for number in range(PUSHERS)}
    acknowledged: list[Identity] = []
    sent: list[Identity] = []

    for _ in range(ROUNDS):
        for pusher in push_until_killed(collector, tokens):
            acknowledged += pusher.acknowledged
            sent += pusher.sent
        collector = start()  # on what the kill left
        found = stored(data)
        assert len(found) == len(set(found))
        assert set(acknowledged) <= set(found)
        assert set(found) <= set(sent)
        with collector.client() as admin:
            assert admin.get("/api/nodes/n0/snapshot")["points"]

    # A resend of what was acknowledged, and lost on the way back, changes nothing.
    again = acknowledged[-1]
    with collector.client(tokens[again.node_id]) as client:
        reply = client.push(again.node_id, snapshot(again.boot_id, again.seq)).json()
    assert (reply["accepted"], reply["duplicates"]) == (0, 1)
    assert collector.stop() == 0
    assert len(stored(data)) == len(found)
    assert time.monotonic() - started < 25
