"""forge-collector restore: the restored collector equals the original, and nothing unsound is put
in place."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from forge_collector import config
from tests.faults.pushes import new_boot, snapshot
from tests.integration.backup.commands import Folder, command, names, push_some, run, stored
from tests.process import Client, CollectorProcess, environment, running_collector, start_collector

HOUR_MS = 3_600_000


def told(collector: CollectorProcess, nodes: list[str]) -> dict[str, Any]:
    """Return what a collector tells of itself, but for statuses, which go by the time of day."""
    with collector.client() as admin:
        fleet = admin.get("/api/fleet")
        for node in fleet["nodes"]:
            del node["status"]
        until = max(node["last_seen"] for node in fleet["nodes"])
        span = f"from={until - 30 * HOUR_MS}&to={until + 1000}"
        return {
            "fleet": fleet,
            "tokens": admin.get("/api/tokens"),
            "nodes": [
                {
                    "snapshot": admin.get(f"/api/nodes/{node}/snapshot"),
                    "history": history(admin, f"/api/nodes/{node}/history?{span}&points=3600"),
                    "coarse": history(admin, f"/api/nodes/{node}/history?{span}&points=40"),
                }
                for node in nodes
            ],
        }


def history(admin: Client, path: str) -> dict[str, Any]:
    told: dict[str, Any] = admin.get(path)
    del told["raw_since"]  # it goes by the time of day
    return told


def with_a_past(collector: CollectorProcess, node_id: str) -> str:
    """Give a node a day of history and a minute that is live; return its token."""
    token = collector.mint(node_id=node_id)
    now_ms = int(time.time() * 1000)
    boots = [new_boot(), new_boot()]
    with collector.client(token) as client:
        for part, boot_id in enumerate(boots):
            begins_ms = now_ms - (24 - part * 8) * HOUR_MS
            past = [
                snapshot(boot_id, seq, ts=begins_ms + seq * HOUR_MS // 100, cpu=seq % 7)
                for seq in range(400)
            ]
            reply = client.replay(node_id, past)
            assert reply.json()["accepted"] == 400, reply
        live = new_boot()
        for seq in range(12):
            ts = now_ms - (12 - seq) * 5000
            assert client.push(node_id, snapshot(live, seq, ts=ts, cpu=seq)).status == 200
        assert client.push(
            node_id, {**snapshot(live, 12, cpu=12), "host": {"os": "Debian GNU/Linux 12"}}
        ).json()["accepted"]
    return token


def test_a_restored_collector_equals_the_original(
    collector: CollectorProcess, place: Path, tmp_path: Path
) -> None:
    nodes = ["n1", "n2", "nas-3"]
    tokens = {node: with_a_past(collector, node) for node in nodes}
    with collector.client() as admin:
        assert admin.send("PATCH", "/api/nodes/n2", {"name": "Nummer zwei", "tags": ["a"]})
    assert run("backup", place, "--data", collector.data).code == 0
    before = told(collector, nodes)
    assert len(before["nodes"][0]["snapshot"]["points"]) == 300
    assert any(before["nodes"][0]["history"]["ts"])

    elsewhere = tmp_path / "elsewhere"
    restored = run("restore", place, "--data", elsewhere)

    assert restored.code == 0, restored.err
    assert "3 nodes" in restored.out
    assert names(elsewhere) == {"fleet.db", "lock"}
    assert stat.S_IMODE((elsewhere / "fleet.db").stat().st_mode) == 0o600
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o700
    with running_collector(elsewhere) as again:
        assert told(again, nodes) == before
        # Its agents go on with the tokens they have.
        with again.client(tokens["n1"]) as client:
            assert client.push("n1", snapshot(new_boot(), 0)).json()["accepted"] == 1
    with running_collector(elsewhere) as again, again.client() as admin:
        assert len(admin.get("/api/fleet")["nodes"]) == 3
    assert told(collector, nodes) == before


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a backup of 300 snapshots, and the data folder of its collector, which then
    went on to 500 and was killed."""
    folder = tmp_path_factory.mktemp("made")
    boot_id = new_boot()
    with running_collector(folder / "data") as collector:
        push_some(collector, "n1", [snapshot(boot_id, seq) for seq in range(300)])
        assert run("backup", folder / "fleet.db", "--data", collector.data).code == 0
        push_some(collector, "n1", [snapshot(boot_id, seq) for seq in range(300, 500)])
        collector.kill()
    return folder


@pytest.fixture
def backup(made: Path, data: Path, place: Path) -> Path:
    """A copy of that backup; and of the data folder, in its place."""
    shutil.copytree(made / "data", data)
    shutil.copy(made / "fleet.db", place)
    return place


def test_a_database_that_is_there_is_kept_unless_forced(backup: Path, folder: Folder) -> None:
    refused = run("restore", backup, "--data", folder.data)
    assert refused.code == 1
    assert "--force" in refused.err
    assert (folder.data / "fleet.db-wal").stat().st_size > 0

    assert run("restore", backup, "--data", folder.data, "--force").code == 0

    # The log of the one before is gone with it.
    assert names(folder.data).isdisjoint({"fleet.db-wal", "fleet.db-shm"})
    assert len(stored(folder.database)) == 300
    with running_collector(folder.data) as again:
        assert again.node("n1")


def test_not_under_a_running_collector(collector: CollectorProcess, place: Path) -> None:
    assert run("backup", place, "--data", collector.data).code == 0
    refused = run("restore", place, "--data", collector.data, "--force")
    assert refused.code == 1
    assert "Another collector is running" in refused.err
    with collector.client() as admin:
        assert admin.get("/api/fleet") == {"nodes": []}


def cut_off(backup: Path) -> None:
    os.truncate(backup, backup.stat().st_size // 2)


def no_database(backup: Path) -> None:
    backup.write_bytes(b"this is no database" * 1000)


def empty(backup: Path) -> None:
    backup.write_bytes(b"")


def another_programs(backup: Path) -> None:
    backup.unlink()
    with closing(sqlite3.connect(backup)) as raw:
        raw.execute("CREATE TABLE mine (x)")


def of_a_later_release(backup: Path) -> None:
    with closing(sqlite3.connect(backup, isolation_level=None)) as raw:
        raw.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('forge_fleet', '9999_much_later', '')"
        )


def page_overwritten(backup: Path) -> None:
    with backup.open("rb+") as file:
        file.seek(backup.stat().st_size // 4096 // 2 * 4096)
        file.write(random.Random(1).randbytes(4096))


def index_entry_lost(backup: Path) -> None:
    with closing(sqlite3.connect(backup, isolation_level=None)) as raw:
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute(
            "UPDATE sqlite_master SET sql = 'CREATE INDEX snapshots_by_observed_at ON snapshots "
            "(seq, boot)' WHERE name = 'snapshots_by_observed_at'"
        )


def chunk_damaged(backup: Path) -> None:
    with closing(sqlite3.connect(backup, isolation_level=None)) as raw:
        raw.execute(
            "INSERT INTO chunks (boot, span_ms, begins, snapshots, first_seq, last_seq, first_ts, "
            "last_ts, damaged, body) SELECT boot, 300000, strftime('%s') / 300 * 300000, 1, 0, 0, "
            "1795258874823, 1795258934823, 0, x'0102030405060708' FROM boots"
        )


DAMAGES: dict[Callable[[Path], None], str] = {
    cut_off: "damaged",
    no_database: "not a database",
    empty: "no Forge Fleet collector's",
    another_programs: "no Forge Fleet collector's",
    of_a_later_release: "9999_much_later",
    page_overwritten: "damaged",
    index_entry_lost: "snapshots_by_observed_at",
    chunk_damaged: "chunk of n1",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_what_is_not_sound_is_not_put_in_place(
    backup: Path, folder: Folder, damage: Callable[[Path], None]
) -> None:
    damage(backup)
    before = contents(folder.data)

    refused = run("restore", backup, "--data", folder.data, "--force")

    assert refused.code == 1
    assert DAMAGES[damage] in refused.err or "malformed" in refused.err, refused.err
    assert contents(folder.data) == before


def contents(data: Path) -> dict[str, bytes]:
    """Return all that a killed collector left, to the byte, but where it was to be reached."""
    return {path.name: path.read_bytes() for path in data.iterdir() if path.name != "address"}


def test_all_but_damaged_history_can_be_had(backup: Path, folder: Folder) -> None:
    chunk_damaged(backup)
    accepted = run("restore", backup, "--data", folder.data, "--force", "--accept-damage")
    assert accepted.code == 0, accepted.err
    assert len(stored(folder.database)) == 300


def test_a_damaged_database_can_be_replaced(backup: Path, folder: Folder) -> None:
    no_database(folder.database)
    assert run("restore", backup, "--data", folder.data, "--force").code == 0
    assert len(stored(folder.database)) == 300


def test_a_collectors_own_database_is_no_backup(backup: Path, folder: Folder) -> None:
    refused = run("restore", folder.database, "--data", backup.parent / "new")
    assert refused.code == 1
    assert "no backup" in refused.err
    assert not (backup.parent / "new").exists()


def test_a_disk_without_room_leaves_the_folder_as_it_was(backup: Path, folder: Folder) -> None:
    import resource  # noqa: PLC0415  beside what it is for

    before = names(folder.data) - {"address"}  # of the killed one
    refused = run(
        *("restore", backup, "--data", folder.data, "--force"),
        prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY)),
    )
    assert refused.code == 1
    assert names(folder.data) == before
    with running_collector(folder.data) as again:
        assert again.stop() == 0
    assert len(stored(folder.database)) == 500


def test_one_that_is_killed_leaves_the_old_or_the_new(
    backup: Path, folder: Folder, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.db"
    with config.locked(folder.data):
        pass
    assert run("backup", kept, "--data", folder.data).code == 0  # 500 snapshots
    took_s = _seconds(lambda: run("restore", kept, "--data", folder.data, "--force"))
    found = [500]
    for part in range(4):
        if found[-1] != 500:
            run("restore", kept, "--data", folder.data, "--force")
        restoring = subprocess.Popen(
            command("restore", backup, "--data", folder.data, "--force"),
            env=environment(),
            stdout=subprocess.DEVNULL,
        )
        time.sleep(took_s * (0.6 + part / 10))
        restoring.kill()
        restoring.wait(20)
        collector = start_collector(folder.data)
        assert collector.stop() == 0
        found.append(len(stored(folder.database)))
    assert set(found) <= {300, 500}
    assert run("restore", backup, "--data", folder.data, "--force").code == 0
    assert not {name for name in names(folder.data) if "draft" in name}


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started
