"""forge-collector check: names what is damaged, whether the collector runs or not."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.pushes import new_boot, snapshot
from tests.integration.backup.commands import Folder, push_some, run
from tests.process import CollectorProcess, running_collector

# first_ts and last_ts: 2026-11-21 11:01:14 to 11:02:14.
DAMAGED_CHUNK = """
    INSERT INTO chunks (boot, span_ms, begins, snapshots, first_seq, last_seq, first_ts, last_ts,
                        damaged, body)
    SELECT boot, 300000, strftime('%s') / 300 * 300000, 1, 0, 0, 1795258874823, 1795258934823,
           0, x'0102030405060708' FROM boots
"""
DAMAGED_ROLLUP = """
    INSERT INTO rollups (boot, span_ms, begins, correction_ms, first_ts, last_ts, aside,
                         body)
    SELECT boot, 3600000, strftime('%s') / 3600 * 3600000, 0, 1795258874823, 1795258934823, 0,
           x'0102030405060708' FROM boots
"""


@pytest.fixture(scope="module")
def boot_id() -> str:
    return new_boot()


@pytest.fixture
def filled(collector: CollectorProcess, boot_id: str) -> CollectorProcess:
    fill(collector, boot_id)
    return collector


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory, boot_id: str) -> Path:
    """The data folder that a filled collector left as it stopped."""
    with running_collector(tmp_path_factory.mktemp("left") / "data") as collector:
        fill(collector, boot_id)
        assert collector.stop() == 0
    return collector.data


@pytest.fixture
def at_rest(left: Path, folder: Folder) -> Folder:
    """A copy of that."""
    shutil.copytree(left, folder.data)
    return folder


def fill(collector: CollectorProcess, boot_id: str) -> None:
    push_some(collector, "n1", [snapshot(boot_id, seq) for seq in range(450)])


def test_a_sound_database_in_use(filled: CollectorProcess) -> None:
    ended = run("check", "--data", filled.data)
    assert ended.code == 0, ended
    assert "no damage found among 450 snapshots" in ended.out
    assert "chunks" in ended.out  # what was left out is told
    assert filled.stop() == 0


def test_a_sound_database_at_rest(at_rest: Folder) -> None:
    ended = run("check", "--data", at_rest.data)
    assert (ended.code, ended.out) == (0, "✓ no damage found among 450 snapshots\n")


def test_a_sound_database_that_was_left_with_its_log(filled: CollectorProcess) -> None:
    filled.kill()
    ended = run("check", "--data", filled.data)
    assert ended.code == 0
    assert "450 snapshots" in ended.out
    with running_collector(filled.data) as again:
        assert again.node("n1")


def test_a_backup(filled: CollectorProcess, place: Path) -> None:
    assert run("backup", place, "--data", filled.data).code == 0
    assert run("check", place).code == 0
    overwrite_a_page(place)
    ended = run("check", place)
    assert ended.code == 1
    assert "✗" in ended.out


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize(("kind", "sql"), [("chunk", DAMAGED_CHUNK), ("rollup", DAMAGED_ROLLUP)])
def test_damaged_history_is_named(
    at_rest: Folder, boot_id: str, kind: str, sql: str, is_running: bool
) -> None:
    at_rest.execute(sql)
    if is_running:
        with running_collector(at_rest.data):
            ended = run("check", "--data", at_rest.data)
    else:
        ended = run("check", "--data", at_rest.data)

    assert ended.code == 1
    (line,) = [line for line in ended.out.splitlines() if line.startswith("✗")]
    assert f"{kind} of n1, boot {boot_id}, 2026-11-21 11:01:14+00:00 to 2026" in line


def test_a_snapshot_that_cannot_be_decoded(at_rest: Folder) -> None:
    at_rest.execute("UPDATE snapshots SET body = 'torn{' WHERE seq = 7")
    ended = run("check", "--data", at_rest.data)
    assert ended.code == 1
    assert "snapshot of n1" in ended.out


def test_a_snapshot_of_no_boot(at_rest: Folder) -> None:
    at_rest.execute("UPDATE snapshots SET boot = 77 WHERE seq = 7")
    ended = run("check", "--data", at_rest.data)
    assert ended.code == 1
    assert "boot number 77" in ended.out


@pytest.mark.parametrize("is_running", [True, False])
def test_a_damaged_page(at_rest: Folder, is_running: bool) -> None:
    overwrite_a_page(at_rest.database)
    if is_running:
        with running_collector(at_rest.data):
            ended = run("check", "--data", at_rest.data)
    else:
        ended = run("check", "--data", at_rest.data)
    assert ended.code == 1, ended
    assert "✗" in ended.out


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: folder.database.unlink(),
        lambda folder: folder.execute("UPDATE _sqlite_migrations SET name = name || '_later'"),
    ],
    ids=["there is none", "it is of a later release"],
)
def test_what_it_cannot_tell_is_another_exit_code(
    at_rest: Folder, spoil: Callable[[Folder], None]
) -> None:
    spoil(at_rest)
    ended = run("check", "--data", at_rest.data)
    assert ended.code == 2
    assert ended.out == ""


def overwrite_a_page(database: Path) -> None:
    with database.open("rb+") as file:
        file.seek(database.stat().st_size // 4096 // 2 * 4096)
        file.write(random.Random(1).randbytes(4096))
