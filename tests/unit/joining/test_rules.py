"""Which machine an invite lets in, for how long, and who it becomes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_collector.joining import rules
from forge_collector.joining.rules import Invite, RefusedError
from forge_shared import identity, names
from forge_shared.messages import InviteRequest, InviteStatus
from tests.unit.joining.claims import HOUR_MS, NOW, machine


def invite(node_id: str | None = None, *, uses: int = 1) -> Invite:
    return rules.mint(InviteRequest(uses=uses, node_id=node_id), NOW)[1]


def test_an_invite_keeps_its_codes_hash_alone() -> None:
    code, kept = rules.mint(InviteRequest(uses=3, expires_in_s=60), NOW)
    assert identity.matches(code, kept.code_hash)
    assert kept.id == identity.code_id(code)
    assert code not in repr(kept)
    assert (kept.uses, kept.used, kept.expires_at) == (3, 0, NOW + 60_000)


def test_an_invite_for_one_node_is_for_one_machine() -> None:
    with pytest.raises(ValueError, match="for one machine"):
        rules.mint(InviteRequest(uses=2, node_id="n1"), NOW)


@pytest.mark.parametrize(
    ("changes", "after_ms", "status"),
    [
        ({}, 0, InviteStatus.OPEN),
        ({}, HOUR_MS - 1, InviteStatus.OPEN),
        ({}, HOUR_MS, InviteStatus.EXPIRED),
        ({"used": 1}, 0, InviteStatus.USED_UP),
        ({"used": 1}, HOUR_MS, InviteStatus.USED_UP),
        ({"revoked_at": NOW}, 0, InviteStatus.REVOKED),
        ({"revoked_at": NOW}, HOUR_MS, InviteStatus.REVOKED),
    ],
)
def test_the_status_of_an_invite(
    changes: dict[str, Any], after_ms: int, status: InviteStatus
) -> None:
    assert invite()._replace(**changes).status(NOW + after_ms) is status


@pytest.mark.parametrize(
    ("changes", "after_ms", "code"),
    [
        ({}, HOUR_MS, "invite_expired"),
        ({"used": 1}, 0, "invite_used_up"),
        ({"revoked_at": NOW}, 0, "invite_revoked"),
    ],
)
def test_an_invite_that_ended_says_how(changes: dict[str, Any], after_ms: int, code: str) -> None:
    with pytest.raises(RefusedError, match="Make another") as refused:
        rules.check_open(invite()._replace(**changes), NOW + after_ms)
    assert refused.value.code == code
    rules.check_open(invite(), NOW)


@pytest.mark.parametrize("spelled", ["{}", " {} \n", "{0}\t", "{upper}", "{groups}", "{dashes}"])
def test_a_code_may_be_typed_by_hand(spelled: str) -> None:
    code = identity.mint_code()
    groups = [code[start : start + 4] for start in range(0, len(code), 4)]
    typed = spelled.format(
        code, upper=code.upper(), groups=" ".join(groups), dashes="-".join(groups)
    )
    assert rules.code_from(typed) == code


@pytest.mark.parametrize("typed", ["", "abc", "a" * 27, "0" * 26, "é" * 26, "forge_join_abc"])
def test_what_is_no_code_is_an_unknown_one(typed: str) -> None:
    with pytest.raises(RefusedError) as refused:
        rules.code_from(typed)
    assert refused.value.code == rules.UNKNOWN


@pytest.mark.parametrize(
    ("hostname", "taken", "expected"),
    [
        ("nas", set(), "nas"),
        ("nas", {"nas"}, "nas-2"),
        ("nas", {"nas", "nas-2", "nas-4"}, "nas-3"),
        ("nas-2", {"nas-2"}, "nas-2-2"),
        ("", {"node"}, "node-2"),
        ("../../etc/passwd", set(), "etc-passwd"),
        ("Größe's PC", set(), "Gr-e-s-PC"),
        ("\x1b[2J<script>", set(), "2J-script"),
        ("a" * 70, {"a" * 64}, "a" * 62 + "-2"),
    ],
)
def test_who_a_machine_becomes_by_its_host_name(
    hostname: str, taken: set[str], expected: str
) -> None:
    claim = machine(hostname).claim("code")
    assert rules.chosen_id(invite(), claim, taken.__contains__) == expected


@given(st.text(max_size=256), st.integers(0, 30))
def test_whatever_a_machine_is_called_its_id_is_one_and_free(hostname: str, others: int) -> None:
    taken: set[str] = set()
    for _ in range(others + 1):
        chosen = rules.chosen_id(invite(), machine(hostname).claim("code"), taken.__contains__)
        assert names.is_node_id(chosen)
        assert chosen not in taken
        taken.add(chosen)


def test_when_every_id_of_a_name_is_taken_it_is_said_and_not_looked_for_forever() -> None:
    with pytest.raises(RefusedError, match="--node-id") as refused:
        rules.chosen_id(invite(), machine("pc").claim("code"), lambda _: True)
    assert refused.value.code == rules.NODE_ID_TAKEN


@pytest.mark.parametrize(
    ("bound", "asked", "is_taken", "expected"),
    [
        (None, "n1", False, "n1"),
        (None, "n1", True, None),
        ("n1", None, False, "n1"),
        ("n1", None, True, "n1"),
        ("n1", "n1", True, "n1"),
        ("n1", "n2", False, None),
    ],
)
def test_only_an_invite_makes_a_machine_somebody_who_is_there(
    bound: str | None, asked: str | None, is_taken: bool, expected: str | None
) -> None:
    claim = machine().claim("code", asked)
    if expected is not None:
        assert rules.chosen_id(invite(bound), claim, lambda _: is_taken) == expected
        return
    with pytest.raises(RefusedError, match=r"--node-id") as refused:
        rules.chosen_id(invite(bound), claim, lambda _: is_taken)
    assert refused.value.code == rules.NODE_ID_TAKEN
