"""Joining looks everything up: it costs the same with thousands of tokens, nodes and invites."""

from __future__ import annotations

import pytest

from forge_collector.access import store as access
from forge_collector.db import Tx
from forge_collector.fleet import store as fleet
from forge_collector.joining import rules, store
from forge_shared.messages import InviteRequest
from tests.unit.db.conftest import tx as tx  # noqa: PLC0414  a fixture that is used here too
from tests.unit.db.test_query_plans import NotingTx
from tests.unit.joining.claims import NOW, machine


def mint(tx: Tx) -> str:
    code, invite = rules.mint(InviteRequest(uses=1000), NOW)
    store.add(tx, invite)
    return code


@pytest.fixture(params=["empty", "filled"])
def noting(request: pytest.FixtureRequest, tx: Tx) -> NotingTx:
    if request.param == "filled":
        for code in [mint(tx) for _ in range(20)]:
            for number in range(20):
                store.claim(tx, machine(f"pc{number}").claim(code), NOW, fleet.exists)
        tx.execute("ANALYZE")
    return NotingTx(tx)


def test_no_statement_of_a_claim_scans(noting: NotingTx) -> None:
    code = mint(noting)
    for _ in range(3):
        claim = machine("pc1").claim(code)
        for _ in range(2):
            store.claim(noting, claim, NOW, fleet.exists)
    access.revoke_of_node(noting, "pc1")
    assert noting.statements
    for statement in noting.statements:
        assert not any(step.startswith("SCAN") for step in statement.plan), statement
