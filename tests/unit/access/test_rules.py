"""What a request for a credential must say, and how long what it gets will live."""

from __future__ import annotations

import pytest

from forge_collector.access import rules
from forge_collector.access.rules import CODE_LIFETIME_MS, SESSION_LIFETIME_MS, Kind
from forge_shared import identity
from forge_shared.messages import HumanRole, Login, MintToken, Role

NOW_MS = 1_800_000_000_000
VIEWER = HumanRole.VIEWER


def test_a_nodes_token() -> None:
    text, credential = rules.mint_token(MintToken(node_id="n1"), NOW_MS)
    assert text.startswith("forge_")
    assert (credential.kind, credential.role, credential.node_id) == (Kind.TOKEN, Role.NODE, "n1")
    assert (credential.name, credential.expires_at) == (None, None)


@pytest.mark.parametrize("role", HumanRole)
def test_a_persons_token(role: HumanRole) -> None:
    _, credential = rules.mint_token(MintToken(role=role, name="Ann"), NOW_MS)
    assert (credential.role, credential.name, credential.node_id) == (Role(role), "Ann", None)


@pytest.mark.parametrize(
    "wanted",
    [
        MintToken(),
        MintToken(role=VIEWER),
        MintToken(name="Ann"),
        MintToken(node_id="n1", role=VIEWER),
        MintToken(node_id="n1", name="Ann"),
        MintToken(node_id="n1", role=VIEWER, name="Ann"),
    ],
)
def test_a_token_for_nobody_or_for_two_is_refused(wanted: MintToken) -> None:
    with pytest.raises(ValueError, match="give"):
        rules.mint_token(wanted, NOW_MS)


def test_only_the_hash_of_a_secret_is_kept() -> None:
    text, credential = rules.mint_token(MintToken(node_id="n1"), NOW_MS)
    parsed = identity.parse(text)
    assert parsed is not None
    assert parsed.id == credential.id
    assert parsed.secret not in repr(credential)
    assert identity.matches(parsed.secret, credential.secret_hash)


def test_a_session_lives_two_weeks_and_remembers_who_granted_it() -> None:
    text, credential = rules.mint_session(Role.VIEWER, "granter", NOW_MS)
    assert text.startswith("session_")
    assert (credential.kind, credential.granted_by) == (Kind.SESSION, "granter")
    assert credential.expires_at == NOW_MS + SESSION_LIFETIME_MS


def test_a_code_lives_ten_minutes() -> None:
    code, credential = rules.mint_code(VIEWER, NOW_MS)
    assert credential.id == identity.code_id(code)
    assert CODE_LIFETIME_MS == 600_000
    assert not credential.is_expired(NOW_MS + CODE_LIFETIME_MS - 1)
    assert credential.is_expired(NOW_MS + CODE_LIFETIME_MS)


@pytest.mark.parametrize("login", [Login(), Login(code="a", secret="b")])
def test_a_login_has_one_proof(login: Login) -> None:
    with pytest.raises(ValueError, match="either code"):
        rules.check_login(login)


@pytest.mark.parametrize("login", [Login(code="a"), Login(secret="b")])
def test_a_login_with_one_is_fine(login: Login) -> None:
    rules.check_login(login)
