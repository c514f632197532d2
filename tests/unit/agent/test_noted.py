"""What an agent notes about itself, who reads it, and how it is told."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from forge_agent import config, noted, status, whereabouts
from forge_agent.lock import FileLock, LockedError, is_held
from forge_agent.log import NEUTRAL
from forge_agent.noted import Spooled
from forge_agent.places import Places
from forge_agent.service.described import Report
from forge_agent.standing import Standing, StatusFile
from forge_agent.status import Status
from forge_agent.work import noted as work_noted

NOTE: dict[str, Any] = {
    "version": "0.1.0",
    "pid": 712,
    "boot_id": "b",
    "node_id": "nas-2",
    "url": "http://192.168.1.10:8750",
    "started_at": 1_000_000,
    "noted_at": 8_000_000,
    "connection": "online",
    "reason": "",
    "since": 7_000_000,
    "last_push_at": 7_990_000,
    "spool_bytes": 0,
    "dropped": 0,
    "interval_s": 5,
}
SETTINGS = 'NODE_ID = "n1"\nCENTRAL_URL = "http://h:1"\nBEARER_TOKEN = "t"\n'


def places(base: Path) -> Places:
    return Places(
        base / "agent.toml", base / "ca.pem", base / "state", base / "program", base / "launcher"
    )


# --- writing ------------------------------------------------------------------------------------


def test_a_standing_lasts_while_only_its_reason_changes() -> None:
    online = Standing("starting", "", 1).now("online", "", 2)
    offline = online.now("offline", "no route", 3).now("offline", "timed out", 4)
    assert (online.since, offline.since, offline.reason) == (2, 3, "timed out")


def test_a_note_is_its_owners_alone_and_replaced_whole(tmp_path: Path) -> None:
    file = StatusFile(tmp_path)
    for pid in (1, 2):
        file.write({**NOTE, "pid": pid})
    note = noted.read(tmp_path)
    assert note is not None
    assert note.pid == 2
    assert note._asdict() == {**NOTE, "pid": 2}
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    StatusFile(tmp_path / "gone").write(NOTE)


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"[" * 100_000,
        json.dumps({**NOTE, "pid": "712"}).encode(),
        json.dumps({**NOTE, "pid": True}).encode(),
        json.dumps({**NOTE, "dropped": None}).encode(),
        json.dumps({**NOTE, "connection": "fine"}).encode(),
    ],
)
def test_what_is_no_note_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "status.json").write_bytes(content)
    assert noted.read(tmp_path) is None
    assert noted.read(tmp_path / "none") is None


def test_a_later_versions_note_may_say_more(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(json.dumps({**NOTE, "more": 1, "last_push_at": None}))
    note = noted.read(tmp_path)
    assert note is not None
    assert note.last_push_at is None


def test_what_waits_in_the_spool(tmp_path: Path) -> None:
    assert noted.spooled(tmp_path) == Spooled()
    spool = tmp_path / "spool"
    spool.mkdir()
    lines = [json.dumps({"seq": seq, "ts": 1000 + seq}) + "\n" for seq in range(100, 300)]
    (spool / "0000000001.ndjson").write_text("".join(lines[:150]))
    (spool / "0000000002.ndjson").write_text("".join(lines[150:]))
    (spool / "0000000003.ndjson").touch()
    found = noted.spooled(tmp_path)
    assert found.bytes == sum(map(len, lines))
    assert found.snapshots == 200
    assert (found.oldest_ts, found.newest_ts) == (1100, 1299)
    (spool / "0000000001.ndjson").write_text("damaged\n")
    assert noted.spooled(tmp_path).oldest_ts is None


def test_whether_a_lock_is_held(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    assert not path.exists()
    lock = FileLock(path)
    assert is_held(path)
    with pytest.raises(LockedError):
        FileLock(path)
    lock.release()
    assert not is_held(path)
    FileLock(path).release()  # to look has not kept it


# --- whose agent --------------------------------------------------------------------------------


def find(
    base: Path, *, config_file: Path | None = None, state_dir: str | None = None, **environ: str
) -> whereabouts.Whereabouts:
    (base / "cwd").mkdir(exist_ok=True)
    return whereabouts.find(
        config_file=config_file,
        state_dir=state_dir,
        environ=environ,
        folder=base / "cwd",
        machine=places(base / "machine"),
        user=places(base / "user"),
    )


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("machine", "user"):
        monkeypatch.setattr(f"forge_agent.places.{name}", lambda name=name: places(tmp_path / name))
        (tmp_path / name).mkdir()
    return tmp_path


def test_the_machines_agent_goes_first(base: Path) -> None:
    (base / "machine/agent.toml").write_text(SETTINGS)
    (base / "user/agent.toml").write_text(SETTINGS.replace("n1", "users"))
    found = find(base, FORGE_INTERVAL_S="7")
    assert found.settings is not None
    assert (found.settings.node_id, found.settings.interval_s) == ("n1", 0)
    assert found.state_dir == base / "machine/state"


def test_the_machines_agent_may_have_been_started_by_hand(base: Path) -> None:
    (base / "machine/agent.toml").write_text(SETTINGS)
    by_hand = base / "user/state/n1"
    assert find(base).state_dir == base / "machine/state"
    by_hand.mkdir(parents=True)
    assert find(base).state_dir == by_hand  # no service has a folder
    (base / "machine/state").mkdir()
    assert find(base).state_dir == base / "machine/state"
    lock = FileLock(by_hand / "lock")
    found = find(base)
    assert found.state_dir == by_hand
    assert found.settings is not None
    assert found.settings.state_dir == by_hand
    service = FileLock(base / "machine/state/lock")
    assert find(base).state_dir == base / "machine/state"
    for each in (lock, service):
        each.release()


def test_where_root_runs_the_machines_agent_is_where_it_is_looked_for(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def works_in(**environ: str) -> Path:
        return config.load(flags={}, environ=environ, folder=None).state_dir

    monkeypatch.setattr("forge_agent.places.may_use_the_machines", lambda: True)
    (base / "machine/agent.toml").write_text(SETTINGS)
    machines, own = base / "machine/state", base / "user/state/n1"
    assert works_in() == find(base).state_dir == machines
    assert works_in(NODE_ID="n2") == base / "user/state/n2"  # which is not the machine's agent
    own.mkdir(parents=True)
    assert works_in() == find(base).state_dir == own  # it was run so before
    machines.mkdir()
    assert works_in() == find(base).state_dir == machines
    # A service that is a user of its own could not use what root leaves in its folder.
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    assert works_in() == own
    monkeypatch.setattr("forge_agent.places.may_use_the_machines", lambda: False)
    assert works_in() == own


def test_then_the_users(base: Path) -> None:
    (base / "user/agent.toml").write_text(SETTINGS)
    found = find(base)
    assert found.settings is not None
    assert found.state_dir == base / "user/state/n1"


def test_what_was_named_goes_before_both(base: Path) -> None:
    (base / "machine/agent.toml").write_text(SETTINGS)
    (base / "own.toml").write_text(SETTINGS.replace("n1", "own"))
    assert find(base, config_file=base / "own.toml").state_dir == base / "user/state/own"
    assert find(base, state_dir="/elsewhere").state_dir == Path("/elsewhere")
    assert find(base, NODE_ID="env", CENTRAL_URL="http://h", BEARER_TOKEN="t").state_dir == (
        base / "user/state/env"
    )
    machines = find(base, config_file=base / "machine/agent.toml")
    assert machines.state_dir == base / "machine/state"


def test_an_agent_whose_settings_are_not_known_is_found_by_its_trace(base: Path) -> None:
    assert find(base).state_dir is None
    for age_s, node_id in ((100, "old"), (1, "new")):
        path = base / "user/state" / node_id / "status.json"
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (1e9 - age_s, 1e9 - age_s))
    found = find(base)
    assert found.state_dir == base / "user/state/new"
    assert found.settings is None
    assert found.problems


def test_a_file_that_was_named_and_is_no_use_stands_for_no_other(base: Path) -> None:
    path = base / "user/state/other/status.json"
    path.parent.mkdir(parents=True)
    path.touch()
    (base / "broken.toml").write_text("=")
    # The machine's own is no exception.
    for named in (base / "nope.toml", base / "broken.toml", base / "machine/agent.toml"):
        found = find(base, config_file=named)
        assert (found.settings, found.state_dir) == (None, None)
        assert str(named) in found.problems[0]
    (base / "machine/agent.toml").write_text("=")
    assert find(base, config_file=base / "machine/agent.toml").state_dir == base / "machine/state"


def test_what_is_closed_to_us_is_said(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (base / "machine/agent.toml").write_text(SETTINGS)
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = find(base)
    assert found.hidden == base / "machine/agent.toml"
    assert found.state_dir == base / "machine/state"


# --- telling ------------------------------------------------------------------------------------

SERVICE = Report("systemd", user=False, installed=True, running=True, pid=712)


def told(note: dict[str, Any] | None, **changes: Any) -> list[str]:
    given: dict[str, Any] = {
        "reports": (SERVICE,),
        "state_dir": Path("/state"),
        "running": True,
        "note": noted.Note(**note) if note else None,
        "spool": Spooled(),
        **changes,
    }
    return status.lines(Status(**given), 8_010_000)


def test_an_agent_that_does_well() -> None:
    assert told(NOTE) == [
        "service     ✓ the machine's, by systemd: runs, pid 712",
        "node        nas-2 → http://192.168.1.10:8750",
        "agent       ✓ running for 116 min, pid 712, version 0.1.0",
        "connection  ✓ online for 16 min",
        "last push   at most 20 s ago, every 5 s",
        "spool       empty",
        "dropped     0 snapshots since it started",
    ]


@pytest.mark.parametrize(
    ("taken_up", "line"),
    [
        (True, "work        ✓ ready"),
        (False, f"work        {NEUTRAL} the owner's last word is not taken up yet; so far ready"),
    ],
)
def test_what_the_worker_does_is_told_as_far_as_it_is_still_so(taken_up: bool, line: str) -> None:
    worker = work_noted.Note(
        pid=713,
        worker_id="nas-2.00c0ffee",
        noted_at=8_000_000,
        state="ready",
        reason="",
        online=True,
        plugins=["echo@1.0"],
        unavailable={},
        slots={"io": 10},
        jobs=[],
        results_waiting=0,
        goes_by=[],
    )
    work = work_noted.Work(enabled=True, worker=worker, taken_up=taken_up)
    assert told(NOTE, work=work)[-1] == f"{line}, 0 jobs run"


def test_an_agent_that_is_offline() -> None:
    lines = told(
        {**NOTE, "connection": "offline", "reason": "timed\x1b[31m out", "since": 10_000},
        spool=Spooled(3 * 1024 * 1024, 6100, 8_010_000 - 50 * 3_600_000, 8_000_000),
    )
    assert (
        lines[3] == "connection  ✗ offline for 2 h 13 min: timed\N{REPLACEMENT CHARACTER}[31m out"
    )
    assert lines[4] == "last push   20 s ago, every 5 s"
    assert (
        lines[5] == "spool       3.0 MiB, about 6100 snapshots, of 2 d 1 h, the oldest 2 d 2 h old"
    )


def test_an_agent_that_is_gone() -> None:
    stopped = SERVICE._replace(running=False, pid=None)
    lines = told(NOTE, running=False, reports=(stopped,))
    assert lines[0] == "service     ✗ the machine's, by systemd: does not run"
    assert lines[2] == "agent       ✗ not running; its last note is 10 s old"
    assert not any(line.startswith("connection") for line in lines)


def test_no_agent_at_all() -> None:
    lines = told(None, running=False, reports=(SERVICE._replace(installed=False),))
    assert "none is installed" in lines[0]
    assert "does not run" in lines[1]


def test_only_who_runs_and_is_online_is_online() -> None:
    note = noted.Note(**NOTE)
    for running, connection, online in (
        (True, "online", True),
        (False, "online", False),
        (None, "online", False),
        (True, "offline", False),
        (True, "starting", False),
    ):
        found = Status((), Path("/s"), running, note._replace(connection=connection), Spooled())
        assert found.online is online
        assert status.as_json(found)["online"] is online
