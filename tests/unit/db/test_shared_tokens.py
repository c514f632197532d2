"""A token that several machines use at once, as clones of one disk do: each gets a node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_collector.access import store as access
from forge_collector.access.rules import Credential
from forge_collector.db import Tx
from forge_collector.events import NodeTokenShared
from forge_collector.fleet import rules, store
from forge_collector.fleet.rules import Push
from forge_collector.history import store as history
from forge_shared.messages import NodeEdit, Snapshot, Status
from tests.unit.db.cloned_machines import NODE, World, opened
from tests.unit.db.receipts import NOW, TOKEN, receipt
from tests.unit.fleet.feeding import boot_id


@contextmanager
def world(machines: int, *, same_hostname: bool = False) -> Iterator[World]:
    with TemporaryDirectory() as folder:
        writer = opened(Path(folder) / "fleet.db")
        try:
            yield World(writer, machines, same_hostname=same_hostname)
        finally:
            writer.close()


def test_two_boots_that_both_go_on_become_two_nodes_and_say_so() -> None:
    with world(2) as two:
        two.switch_on(0)
        two.advance(30)
        two.switch_on(1)
        two.advance(30)

        assert [two.node_of(machine) for machine in two.machines] == [NODE, "n1.2"]
        assert two.shared == [NodeTokenShared(NODE, "n1.2")]
        shown = {node.id: node for node in two.live.nodes()}
        assert {node.shares_token_of for node in shown.values()} == {NODE}
        assert {node.status for node in shown.values()} == {Status.ONLINE}
        # Each shows its own machine again, facts too, though an agent tells them once.
        assert [shown[node].host.hostname for node in (NODE, "n1.2")] == ["pc0", "pc1"]
        two.check()


def test_history_of_the_time_before_it_was_known_is_told_apart_as_well() -> None:
    with world(2) as two:
        two.switch_on(0)
        two.switch_on(1)
        two.advance(60)
        for number, node_id in enumerate([NODE, "n1.2"]):
            recorded = history.recent(two.tx, node_id, 300)
            assert len(recorded) == 12
            assert {each.body for each in recorded} == {b'{"cpu.pct":%d}' % number}


def test_statuses_are_each_ones_own() -> None:
    with world(2) as two:
        two.switch_on(0)
        two.switch_on(1)
        two.advance(60)
        two.switch_off(1)
        two.advance(70)
        statuses = {node.id: node.status for node in two.live.nodes()}
        assert statuses == {NODE: Status.ONLINE, "n1.2": Status.OFFLINE}


def test_a_lab_imaged_from_one_disk_gets_a_card_each() -> None:
    with world(12, same_hostname=True) as lab:
        for number in range(12):
            lab.switch_on(number)
        lab.advance(120)
        found = {lab.node_of(machine) for machine in lab.machines}
        assert found == {NODE, *(f"n1.{number}" for number in range(2, 13))}
        lab.check()


@pytest.mark.parametrize("late_s", [0, 1, 4, 9])
def test_a_restart_is_no_clone_whatever_was_still_on_its_way(late_s: int) -> None:
    with world(1) as one:
        one.switch_on(0)
        for _ in range(5):
            one.advance(20)
            one.restart_agent(0, late_s)
        one.advance(60)
        assert set(one.nodes()) == {NODE}
        assert one.node_of(one.machines[0]) == NODE
        assert one.shared == []


def test_a_laptop_that_resumes_is_no_clone() -> None:
    with world(1) as one:
        one.switch_on(0)
        one.advance(20)
        one.machines[0].runs = False  # asleep: the same process goes on afterwards
        one.advance(8 * 3600 // 100)
        one.machines[0].runs = True
        one.advance(60)
        assert set(one.nodes()) == {NODE}
        assert one.shared == []


def test_a_replay_of_an_old_boot_by_the_new_one_is_no_clone() -> None:
    with world(1) as one:
        one.switch_on(0)
        one.advance(30)
        old = one.machines[0].boot
        one.restart_agent(0)
        one.advance(3)
        for begin in range(100, 400, 100):
            one.replay(0, old, range(begin, begin + 100))
            one.advance(10)
        assert set(one.nodes()) == {NODE}
        assert one.node_of(one.machines[0]) == NODE


def test_an_agent_that_ran_beside_for_a_moment_gives_way_again() -> None:
    """Somebody tried the token by hand; the service went on all the time."""
    with world(2) as two:
        two.switch_on(0)
        two.advance(30)
        two.switch_on(1)
        two.advance(7)
        two.switch_off(1)
        two.advance(40)
        assert set(two.nodes()) == {NODE}
        assert two.node_of(two.machines[0]) == NODE
        assert two.live.nodes()[0].host.hostname == "pc0"
        assert two.live.nodes()[0].status is Status.ONLINE


def test_machines_that_take_turns_are_two_as_well() -> None:
    """Cloned laptops that are never awake together."""
    with world(2) as two:
        two.switch_on(0)
        two.advance(30)
        two.machines[0].runs = False
        two.switch_on(1)
        for asleep, awake in ((1, 0), (0, 1), (1, 0)):
            two.advance(60)
            two.machines[asleep].runs, two.machines[awake].runs = False, True
        two.advance(60)
        assert set(two.nodes()) == {NODE, "n1.2"}


def test_restarts_and_reboots_of_clones_breed_no_cards() -> None:
    with world(3) as three:
        for number in range(3):
            three.switch_on(number)
        three.advance(60)
        before = [three.node_of(machine) for machine in three.machines]
        assert len(set(before)) == 3
        for number in (1, 2, 0, 1):
            three.restart_agent(number)
            three.advance(40)
            three.reboot(number)
            three.advance(40)
        assert [three.node_of(machine) for machine in three.machines] == before
        assert len(three.nodes()) == 3


def test_clones_by_one_name_are_found_by_their_silence() -> None:
    with world(3, same_hostname=True) as three:
        for number in range(3):
            three.switch_on(number)
            three.advance(7)
        three.advance(60)
        before = [three.node_of(machine) for machine in three.machines]
        for number in (1, 0, 2):
            three.reboot(number)
            three.advance(60)
        assert [three.node_of(machine) for machine in three.machines] == before


def test_a_collectors_restart_forgets_nothing_of_it() -> None:
    with world(2) as two:
        two.switch_on(0)
        two.advance(20)
        two.switch_on(1)
        two.advance(8)
        two.restart_collector()  # amid the doubt
        two.advance(30)
        assert set(two.nodes()) == {NODE, "n1.2"}
        two.restart_collector()
        two.check()
        two.advance(30)
        assert [two.node_of(machine) for machine in two.machines] == [NODE, "n1.2"]
        assert len(two.shared) == 1


def test_what_a_sibling_spooled_is_replayed_to_it() -> None:
    with world(2) as two:
        two.switch_on(0)
        two.switch_on(1)
        two.advance(60)
        two.replay(1, two.machines[1].boot, range(1000, 1010))
        two.replay(1, 99, range(10))  # a boot of it that was never heard live
        assert two.owner(two.machines[1].boot) == two.owner(99) == "n1.2"
        assert two.owner(two.machines[0].boot) == NODE


def test_a_siblings_replay_is_no_sign_of_life_of_the_origin() -> None:
    with world(2) as two:
        two.switch_on(0)
        two.switch_on(1)
        two.advance(60)
        two.switch_off(0)
        two.advance(100)
        two.replay(1, two.machines[1].boot, range(1000, 1010))
        statuses = {node.id: node.status for node in two.live.nodes()}
        assert statuses == {NODE: Status.OFFLINE, "n1.2": Status.ONLINE}
        two.check()


def test_a_replay_of_one_that_was_followed_is_no_sign_of_life_of_the_other() -> None:
    with world(2) as two:
        two.switch_on(0)
        two.advance(30)
        two.switch_on(1)
        two.advance(2)
        two.switch_off(1)
        two.machines[0].runs = False
        two.advance(100)
        two.replay(0, two.machines[0].boot, range(1000, 1010))
        assert [node.status for node in two.live.nodes()] == [Status.OFFLINE]
        two.check()


def test_ids_that_are_taken_are_left_alone() -> None:
    with world(2) as two:
        access.add(two.tx, Credential(**{**TOKEN._asdict(), "id": "other", "node_id": "n1.2"}))
        two.switch_on(0)
        two.switch_on(1)
        two.advance(60)
        assert set(two.nodes()) == {NODE, "n1.3"}


def test_a_sibling_with_a_token_of_its_own_is_one_no_more(tx: Tx) -> None:
    with world(2) as two:
        two.switch_on(0)
        two.switch_on(1)
        two.advance(60)
        two.switch_off(1)
        token = Credential(**{**TOKEN._asdict(), "id": "other", "node_id": "n1.2"})
        access.add(two.tx, token)
        came_in = receipt(two.clock.now_ms(), two.live.listened_ms(), credential_id="other")
        push = Push([Snapshot(0, boot_id(77), NOW, {"cpu.pct": 1})], [], is_live=True)
        two.live.heard("n1.2", push, store.ingest(two.tx, "n1.2", push, came_in), came_in)
        assert [node.shares_token_of for node in two.live.nodes()] == [None, None]
        assert len(history.recent(two.tx, "n1.2", 300)) > 1  # its history goes on
        two.check()


def test_forgetting_the_origin_leaves_siblings_to_themselves() -> None:
    with world(2) as two:
        two.switch_on(0)
        two.switch_on(1)
        two.advance(60)
        store.forget(two.tx, NODE)
        two.live.forgotten(NODE)
        assert [(node.id, node.shares_token_of) for node in two.live.nodes()] == [("n1.2", None)]
        with pytest.raises(store.RevokedError):
            two.advance(10)
        # Under a token of its own the id begins anew, and nothing of it is the sibling's.
        access.add(two.tx, TOKEN)
        two.advance(10)
        assert two.nodes()["n1.2"].sibling_of is None


def test_a_forgotten_sibling_that_still_pushes_comes_back_flagged() -> None:
    with world(2) as two:
        two.switch_on(0)
        two.switch_on(1)
        two.advance(60)
        store.forget(two.tx, "n1.2")
        two.live.forgotten("n1.2")
        assert [node.shares_token_of for node in two.live.nodes()] == [None]
        two.advance(60)
        assert set(two.nodes()) == {NODE, "n1.2"}
        two.check()


def test_a_sibling_takes_after_its_origin() -> None:
    with world(2) as two:
        two.switch_on(0)
        two.advance(10)
        edit = NodeEdit(name="Lab", tags=["lab"], ephemeral=True)
        store.edit(two.tx, NODE, edit)
        two.live.edited(NODE, edit)
        two.switch_on(1)
        two.advance(60)
        sibling = two.nodes()["n1.2"]
        assert (sibling.name, sibling.tags, sibling.ephemeral) == ("Lab (2)", ["lab"], True)
        two.check()


def test_one_token_does_not_fill_the_fleet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "SIBLING_NUMBERS", range(2, 4))
    with world(5) as five:
        for number in range(5):
            five.switch_on(number)
        five.advance(120)
        assert set(five.nodes()) == {NODE, "n1.2", "n1.3"}
        five.check()


MOVES = st.one_of(
    st.tuples(st.just("on"), st.integers(0, 2), st.integers(1, 40)),
    st.tuples(st.just("off"), st.integers(0, 2), st.integers(1, 40)),
    st.tuples(st.just("restart"), st.integers(0, 2), st.integers(1, 40)),
    st.tuples(st.just("reboot"), st.integers(0, 2), st.integers(1, 40)),
    st.tuples(st.just("collector"), st.just(0), st.integers(1, 10)),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(MOVES, max_size=10), st.booleans(), st.integers(0, 9))
def test_whatever_happens_each_machine_that_stays_gets_a_card(
    moves: list[tuple[str, int, int]], same_hostname: bool, late_s: int
) -> None:
    with world(3, same_hostname=same_hostname) as three:
        three.switch_on(0)
        for move, number, seconds in moves:
            match move:
                case "on":
                    three.switch_on(number)
                case "off":
                    three.switch_off(number, late_s)
                case "restart":
                    three.restart_agent(number, late_s)
                case "reboot":
                    three.reboot(number)
                case "collector":
                    three.restart_collector()
            three.advance(seconds)
            three.check()
        three.advance(100)

        running = [machine for machine in three.machines if machine.runs]
        homes = [three.node_of(machine) for machine in running]
        assert None not in homes
        assert len(set(homes)) == len(running)
        assert len(three.nodes()) <= 3
        three.check()
        # The history of what runs is its own node's, and of no other.
        for machine, home in zip(running, homes, strict=True):
            assert three.owner(machine.boot) == home
        statuses = {node.id: node.status for node in three.live.nodes()}
        assert all(statuses[home] is Status.ONLINE for home in homes if home is not None)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 30), st.booleans()), max_size=8))
def test_one_machine_alone_is_never_flagged(restarts: list[tuple[int, int, bool]]) -> None:
    with world(1) as one:
        one.switch_on(0)
        for late_s, seconds, is_reboot in restarts:
            one.advance(seconds)
            if is_reboot:
                one.reboot(0)
            else:
                one.restart_agent(0, late_s)
        one.advance(60)
        assert set(one.nodes()) == {NODE}
        assert one.node_of(one.machines[0]) == NODE
        assert one.shared == []
