"""Whose snapshots a spool holds: what one node measured is never sent as another's."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from forge_agent import spool_owner
from forge_agent.log import Log
from forge_agent.spool import Spool

LIMIT_BYTES = 1 << 20


class State:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = io.StringIO()
        self.log = Log(self.said, human=False)

    def started_as(self, node_id: str, line: bytes | None = None) -> list[bytes]:
        """Start as this node; return what waits to be sent. Leave a line behind."""
        spool_owner.settle(self.folder, node_id, self.log)
        spool = Spool(self.folder / "spool", LIMIT_BYTES, self.log)
        batch = spool.next_batch(500)
        if line is not None:
            spool.append(line + b"\n")
        spool.close()
        return [] if batch is None else batch.body.splitlines()

    def set_aside(self) -> list[tuple[str, str]]:
        said = [json.loads(text) for text in self.said.getvalue().splitlines()]
        return [(one["owner"], one["folder"]) for one in said if one["event"] == "spool_set_aside"]


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path)


def test_a_spool_stays_its_nodes(state: State) -> None:
    assert state.started_as("n1", b"1") == []
    assert state.started_as("n1", b"2") == [b"1"]
    assert state.started_as("n1") == [b"1"]
    assert state.set_aside() == []


def test_another_nodes_spool_is_set_aside_said_and_kept(state: State) -> None:
    state.started_as("n1", b"of n1")
    assert state.started_as("n2", b"of n2") == []
    assert state.set_aside() == [("n1", "spool-of-n1")]
    (kept,) = (state.folder / "spool-of-n1").glob("*.ndjson")
    assert kept.read_bytes() == b"of n1\n"
    assert state.started_as("n2") == [b"of n2"]


def test_it_is_taken_up_again_when_the_id_comes_back(state: State) -> None:
    state.started_as("n1", b"of n1")
    state.started_as("n2", b"of n2")
    assert state.started_as("n1") == [b"of n1"]
    assert state.started_as("n2") == [b"of n2"]


def test_it_is_taken_up_when_an_agent_died_in_between(state: State) -> None:
    state.started_as("n1", b"of n1")
    state.started_as("n2", b"of n2")
    (state.folder / "spool").rename(state.folder / "spool-of-n2")
    assert state.started_as("n1") == [b"of n1"]


def test_a_spool_that_does_not_say_whose_it_is_is_the_first_nodes(state: State) -> None:
    spool = Spool(state.folder / "spool", LIMIT_BYTES, state.log)  # as an older agent left it
    spool.append(b"old\n")
    spool.close()
    assert state.started_as("n1") == [b"old"]
    assert state.started_as("n2") == []


@pytest.mark.parametrize("damaged", [b"", b"../../etc", b"n1\nn2", b"\xff\xfe", b"n" * 65])
def test_what_is_no_id_is_no_owner_and_no_path(state: State, damaged: bytes) -> None:
    state.started_as("n1", b"1")
    (state.folder / "spool" / "node-id").write_bytes(damaged)
    assert state.started_as("n2") == [b"1"]
    assert sorted(path.name for path in state.folder.iterdir()) == ["spool"]


def test_nothing_that_was_set_aside_before_is_lost(state: State) -> None:
    state.started_as("n1", b"1")
    (state.folder / "spool-of-n1").mkdir()
    state.started_as("n2")
    assert state.set_aside() == [("n1", "spool-of-n1~2")]
