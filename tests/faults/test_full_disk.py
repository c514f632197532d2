"""A full disk: pushes are refused in words an agent understands, nothing is half-stored, and
everything goes on once there is room."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import small_disk
from tests.faults.pushes import new_boot, snapshot
from tests.faults.sealed import identities
from tests.process import Client, Reply, running_collector

LARGE = {f"app.filler/{number}": 0.123456789 + number for number in range(400)}
ENOUGH_TO_FILL_IT = 300


def push_until_refused(client: Client, boot_id: str) -> tuple[list[int], Reply]:
    """Return the acknowledged seqs, and the first other answer."""
    acknowledged: list[int] = []
    for seq in range(1, ENOUGH_TO_FILL_IT):
        reply = client.push("n1", {**snapshot(boot_id, seq), "values": {"cpu.pct": 1, **LARGE}})
        if reply.status != 200:
            return acknowledged, reply
        acknowledged.append(seq)
    raise AssertionError("the disk never was full")


@pytest.mark.parametrize("kind", small_disk.KINDS)
def test_a_full_disk_refuses_pushes_keeps_reads_and_recovers(kind: str, tmp_path: Path) -> None:
    boot_id = new_boot()
    with (
        small_disk.KINDS[kind](tmp_path / "disk") as disk,
        running_collector(disk.path / "data", log_path=tmp_path / "log") as collector,
        collector.client(collector.mint(node_id="n1")) as client,
        collector.client() as admin,
    ):
        assert client.push("n1", snapshot(boot_id, 0)).status == 200
        disk.fill(collector.pid, leave_kib=96)

        acknowledged, refused = push_until_refused(client, boot_id)

        assert refused.status == 503
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert int(refused.headers["Retry-After"]) > 0
        problem = refused.json()
        assert problem["code"] == "storage_full"
        assert "Make room" in problem["detail"]
        # A batch that does not fit is refused whole.
        batch = [
            {**snapshot(boot_id, 1000 + seq), "values": {"cpu.pct": 1, **LARGE}}
            for seq in range(100)
        ]
        assert client.replay("n1", batch).json()["code"] == "storage_full"
        # Reads go on, of what was acknowledged and nothing else.
        assert len(admin.get("/api/nodes/n1/snapshot")["points"]) == 1 + len(acknowledged)
        assert [node["id"] for node in admin.get("/api/fleet")["nodes"]] == ["n1"]
        assert collector.process.poll() is None

        disk.make_room()
        after = 1 + max(acknowledged, default=0)
        assert client.push("n1", snapshot(boot_id, after)).json()["accepted"] == 1
        assert client.replay("n1", batch).json()["accepted"] == len(batch)

        assert collector.stop() == 0
        found = sorted(seq for _, _, seq in identities(disk.path / "data"))
    assert found == [0, *acknowledged, after, *range(1000, 1100)]


@pytest.mark.parametrize("kind", small_disk.KINDS)
def test_a_collector_on_a_full_disk_still_stops_cleanly(kind: str, tmp_path: Path) -> None:
    boot_id = new_boot()
    with (
        small_disk.KINDS[kind](tmp_path / "disk") as disk,
        running_collector(disk.path / "data", log_path=tmp_path / "log") as collector,
        collector.client(collector.mint(node_id="n1")) as client,
    ):
        assert client.push("n1", snapshot(boot_id, 0)).status == 200
        disk.fill(collector.pid, leave_kib=0)  # not even for a note of until when it listened
        refused = client.push("n1", {**snapshot(boot_id, 1), "values": LARGE})
        assert refused.json()["code"] == "storage_full"

        assert collector.stop() == 0, collector.log_path.read_text()

        disk.make_room()
        with running_collector(disk.path / "data", log_path=tmp_path / "log") as again:
            with again.client() as admin:
                points = admin.get("/api/nodes/n1/snapshot")["points"]
            assert len(points) == 1
