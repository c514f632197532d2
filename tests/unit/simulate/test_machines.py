from __future__ import annotations

from forge_shared import codec, names
from forge_shared.messages import Host, NodeEdit
from scripts.simulation.machines import fleet


def test_every_machine_has_a_name_of_its_own_that_a_node_may_have() -> None:
    ids = [machine.node_id for machine in fleet(10_000)]
    assert len(set(ids)) == 10_000
    assert all(names.is_node_id(node_id) for node_id in ids)


def test_a_larger_fleet_begins_with_the_smaller_one() -> None:
    assert fleet(100)[:40] == fleet(40)


def test_forty_machines_are_a_mixed_lot() -> None:
    machines = fleet(40)
    assert {m.family.system.platform for m in machines} == {"linux", "windows", "darwin"}
    assert any(machine.family.ephemeral for machine in machines)
    assert {tag for m in machines for tag in m.tags} >= {"lab", "rack-a", "gpu"}
    assert any(not machine.tags for machine in machines)


def test_facts_and_tags_are_what_the_collector_accepts() -> None:
    for machine in fleet(40):
        host = machine.host(1_795_258_874_823, 5)
        assert codec.decode(codec.encode(host), Host) == host
        edit = NodeEdit(tags=list(machine.tags), ephemeral=machine.family.ephemeral)
        assert codec.decode(codec.encode(edit), NodeEdit) == edit
