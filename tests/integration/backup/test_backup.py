"""forge-collector backup: beside a collector at work, beside none, and with things in the way."""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from forge_collector import config
from tests.faults.pushes import new_boot, snapshot
from tests.faults.test_kill_9 import Pusher
from tests.integration.backup.commands import Identity, command, names, push_some, run, stored
from tests.process import (
    CollectorProcess,
    environment,
    running_collector,
    start_collector,
    wait_for,
)

PUSHERS = 4


@contextmanager
def pushing(collector: CollectorProcess) -> Iterator[list[Pusher]]:
    """Keep pushing, as fast as it goes; the collector is killed in the end."""
    pushers = [
        Pusher(node_id, collector.mint(node_id=node_id), collector.port)
        for node_id in [f"n{number}" for number in range(PUSHERS)]
    ]
    for pusher in pushers:
        pusher.start()
    try:
        wait_for(lambda: acknowledged(pushers), "the first acknowledgements")
        yield pushers
        assert all(pusher.is_alive() for pusher in pushers)
    finally:
        collector.kill()
        for pusher in pushers:
            pusher.join(10)


def acknowledged(pushers: list[Pusher]) -> set[Identity]:
    return {Identity(*identity) for pusher in pushers for identity in pusher.acknowledged}


def sent(pushers: list[Pusher]) -> set[Identity]:
    return {Identity(*identity) for pusher in pushers for identity in pusher.sent}


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorProcess]:
    """One that runs beside what is refused, or looks at it alone; nothing is pushed to it."""
    with running_collector(tmp_path_factory.mktemp("idle") / "data") as running:
        yield running


def test_beside_a_collector_at_work(collector: CollectorProcess, place: Path) -> None:
    with pushing(collector) as pushers:
        for _ in range(4):
            before = acknowledged(pushers)
            ended = run("backup", place, "--data", collector.data, "--force")
            assert ended.code == 0, ended.err
            assert f"{PUSHERS} nodes" in ended.out

            found = stored(place)
            assert before <= found <= sent(pushers)
            assert names(place.parent) == {"fleet.db"}
            assert stat.S_IMODE(place.stat().st_mode) == 0o600
            assert "backup.draft" not in names(collector.data)
        assert len(acknowledged(pushers)) > len(before)


def test_beside_no_collector(collector: CollectorProcess, place: Path) -> None:
    boot_id = new_boot()
    push_some(collector, "n1", [snapshot(boot_id, seq) for seq in range(300)])
    assert collector.stop() == 0

    ended = run("backup", place, "--data", collector.data)

    assert ended.code == 0, ended.err
    assert len(stored(place)) == 300
    assert names(place.parent) == {"fleet.db"}


def test_what_a_killed_collector_left_in_its_log_is_in_the_backup(
    collector: CollectorProcess, place: Path
) -> None:
    boot_id = new_boot()
    push_some(collector, "n1", [snapshot(boot_id, seq) for seq in range(300)])
    collector.kill()
    assert (collector.data / "fleet.db-wal").stat().st_size > 0

    ended = run("backup", place, "--data", collector.data)

    assert ended.code == 0, ended.err
    assert len(stored(place)) == 300
    started = start_collector(collector.data)  # the backup left its folder in order
    assert started.stop() == 0


def test_a_file_that_is_there_is_kept_unless_forced(idle: CollectorProcess, place: Path) -> None:
    place.write_text("precious")
    refused = run("backup", place, "--data", idle.data)
    assert refused.code == 1
    assert "--force" in refused.err
    assert place.read_text() == "precious"

    assert run("backup", place, "--data", idle.data, "--force").code == 0
    assert stored(place) == set()


@pytest.mark.parametrize("name", ["fleet.db", "another.db"])
def test_the_data_folder_itself_is_no_place_for_it(idle: CollectorProcess, name: str) -> None:
    refused = run("backup", idle.data / name, "--data", idle.data, "--force")
    assert refused.code == 1
    assert "elsewhere" in refused.err
    assert name == "fleet.db" or name not in names(idle.data)


def test_a_place_that_is_none(idle: CollectorProcess, tmp_path: Path) -> None:
    refused = run("backup", tmp_path / "nowhere" / "file", "--data", idle.data)
    assert refused.code == 1
    assert "nowhere" in refused.err


def test_a_pipe_or_a_device_is_not_replaced(idle: CollectorProcess, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    refused = run("backup", pipe, "--data", idle.data, "--force")
    assert refused.code == 1
    assert "no place for a file" in refused.err
    assert pipe.is_fifo()


def test_a_folder_without_a_database(tmp_path: Path, place: Path) -> None:
    refused = run("backup", place, "--data", tmp_path)
    assert refused.code == 1
    assert "--data" in refused.err
    assert names(place.parent) == set()
    assert "lock" not in names(tmp_path)


def test_another_admin_secret_than_the_collectors(idle: CollectorProcess, place: Path) -> None:
    refused = run("backup", place, "--data", idle.data, ADMIN_SECRET="quite another secret")
    assert refused.code == 1
    assert "ADMIN_SECRET" in refused.err
    assert names(place.parent) == set()


def test_the_secret_of_the_data_folder_is_enough(data: Path, place: Path) -> None:
    """As the collector made it, without ADMIN_SECRET in the environment of either."""
    env = {name: value for name, value in environment().items() if name != "ADMIN_SECRET"}
    data.mkdir()
    log_path = data.with_suffix(".log")
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command("serve", "--port", "0", "--data", data, "--no-local-agent"),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        wait_for((data / "address").exists, "the collector to tell its address")
        ended = subprocess.run(
            command("backup", place, "--data", data), env=env, capture_output=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        assert stored(place) == set()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert "address" not in names(data)


def test_a_disk_without_room_for_it_keeps_the_file_that_was_there(
    collector: CollectorProcess, place: Path
) -> None:
    boot_id = new_boot()
    push_some(collector, "n1", [snapshot(boot_id, seq) for seq in range(500)])
    place.write_text("precious")

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))

    refused = run("backup", place, "--data", collector.data, "--force", prepare=small_files)

    assert refused.code == 1
    assert "too large" in refused.err
    assert place.read_text() == "precious"
    assert names(place.parent) == {"fleet.db"}


class StallingCollector(threading.Thread):
    """Holds the folder as a collector does, and sends half of what it announces."""

    def __init__(self, *, then_close: bool) -> None:
        super().__init__()
        self.is_amid = threading.Event()
        self._then_close = then_close
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        with self._listener, self._listener.accept()[0] as connection:
            connection.settimeout(20)
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(50_000))
            self.is_amid.set()
            if not self._then_close:
                with suppress(ConnectionResetError):
                    connection.recv(1)  # until the other side ends


@contextmanager
def stalling(data: Path, *, then_close: bool) -> Iterator[StallingCollector]:
    data.mkdir(exist_ok=True)
    (data / "fleet.db").touch()
    pretended = StallingCollector(then_close=then_close)
    with config.locked(data), config.address_told(data, pretended.url):
        pretended.start()
        yield pretended
        pretended.join(20)
        assert not pretended.is_alive()


def test_a_collector_that_breaks_off_leaves_nothing(data: Path, place: Path) -> None:
    with stalling(data, then_close=True):
        refused = run("backup", place, "--data", data)
    assert refused.code == 1
    assert "broke off" in refused.err
    assert names(place.parent) == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_backup_that_is_stopped_leaves_nothing(
    data: Path, place: Path, number: signal.Signals
) -> None:
    place.write_text("precious")
    with stalling(data, then_close=False) as pretended:
        backup = subprocess.Popen(
            command("backup", place, "--data", data, "--force"),
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert pretended.is_amid.wait(20)
        wait_for(lambda: len(names(place.parent)) > 1, "the draft")
        backup.send_signal(number)
        assert backup.wait(20) != 0
    assert names(place.parent) == {"fleet.db"}
    assert place.read_text() == "precious"


def test_the_next_one_clears_up_after_one_that_was_killed(data: Path, place: Path) -> None:
    with stalling(data, then_close=False) as pretended:
        backup = subprocess.Popen(command("backup", place, "--data", data), env=environment())
        assert pretended.is_amid.wait(20)
        wait_for(lambda: names(place.parent), "the draft")
        backup.kill()
        backup.wait(20)
    assert not place.exists()

    (data / "fleet.db").unlink()
    collector = start_collector(data)
    try:
        assert run("backup", place, "--data", data).code == 0
    finally:
        assert collector.stop() == 0
    assert names(place.parent) == {"fleet.db"}


def test_while_another_command_holds_the_folder(data: Path, place: Path) -> None:
    data.mkdir()
    (data / "fleet.db").touch()
    with config.locked(data):
        refused = run("backup", place, "--data", data)
    assert refused.code == 1
    assert "Try again" in refused.err
    assert names(place.parent) == set()
