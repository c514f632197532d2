"""The keyring: who a text proves, until it expires or is revoked."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_collector.access import rules
from forge_collector.access.live import Keyring
from forge_collector.access.rules import ADMIN_SECRET_ID, SESSION_LIFETIME_MS, Kind, Minted
from forge_collector.events import CredentialRevoked, Events, NodeForgotten
from forge_collector.http.auth import Principal
from forge_shared.messages import HumanRole, MintToken, Role
from tests.unit.fleet.manual_clock import START_MS, ManualClock

SECRET = "correct horse battery staple"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def revoked() -> list[str]:
    return []


@pytest.fixture
def keyring(clock: ManualClock, revoked: list[str]) -> Keyring:
    events = Events()
    events.subscribe(CredentialRevoked, lambda event: revoked.append(event.credential_id))
    return Keyring(SECRET, clock, events)


def node_token(node_id: str = "n1") -> Minted:
    return rules.mint_token(MintToken(node_id=node_id), START_MS)


def viewer_token() -> Minted:
    return rules.mint_token(MintToken(role=HumanRole.VIEWER, name="Ann"), START_MS)


def session(role: Role = Role.ADMIN) -> Minted:
    return rules.mint_session(role, None, START_MS)


def valid(keyring: Keyring, principal: Principal | None) -> bool:
    assert principal is not None
    return keyring.is_valid(principal)


def test_the_admin_secret_is_admin(keyring: Keyring) -> None:
    assert keyring.by_token(SECRET) == Principal(
        ADMIN_SECRET_ID, Role.ADMIN, None, owner_id=ADMIN_SECRET_ID, name="admin"
    )


@pytest.mark.parametrize(
    "text", ["", SECRET[:-1], SECRET + " ", SECRET.upper(), "\udcff", "x" * 10**5]
)
def test_another_secret_is_nobody(keyring: Keyring, text: str) -> None:
    assert keyring.by_token(text) is None


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec=None)))
def test_any_text_is_nobody(text: str) -> None:
    keyring = Keyring(SECRET, ManualClock(), Events())
    keyring.add(viewer_token().credential)
    assert keyring.by_token(text) is None
    assert keyring.by_session(text) is None


def test_a_token_proves_what_it_was_minted_for(keyring: Keyring) -> None:
    node, viewer = node_token(), viewer_token()
    keyring.load([node.credential, viewer.credential])
    assert keyring.by_token(node.text) == Principal(
        node.credential.id, Role.NODE, "n1", owner_id=node.credential.id, name="n1"
    )
    assert keyring.by_token(viewer.text) == Principal(
        viewer.credential.id, Role.VIEWER, None, owner_id=viewer.credential.id, name="Ann"
    )


def test_a_session_speaks_for_the_token_it_was_signed_in_with(keyring: Keyring) -> None:
    token = rules.mint_token(MintToken(role=HumanRole.SUBMITTER, name="Ann"), START_MS)
    granted = rules.mint_session(token.credential.role, token.credential.id, START_MS)
    alone = session(Role.SUBMITTER)
    keyring.load([each.credential for each in (token, granted, alone)])
    assert keyring.by_session(granted.text) == Principal(
        granted.credential.id, Role.SUBMITTER, None, owner_id=token.credential.id, name="Ann"
    )
    assert keyring.by_session(alone.text) == Principal(
        alone.credential.id, Role.SUBMITTER, None, owner_id=alone.credential.id, name="submitter"
    )


def test_a_right_id_with_a_wrong_secret_is_nobody(keyring: Keyring) -> None:
    one, other = node_token(), node_token()
    keyring.add(one.credential)
    mixed = "_".join([*one.text.split("_")[:2], other.text.split("_")[2]])
    assert keyring.by_token(mixed) is None


def test_a_token_is_no_session_and_a_session_no_token(keyring: Keyring) -> None:
    token, browser = viewer_token(), session()
    keyring.load([token.credential, browser.credential])
    assert keyring.by_session(token.text) is None
    assert keyring.by_token(browser.text) is None
    assert keyring.by_session(browser.text) is not None


def test_a_session_ends_when_it_expires(keyring: Keyring, clock: ManualClock) -> None:
    browser = session()
    keyring.add(browser.credential)
    clock.advance(SESSION_LIFETIME_MS - 1)
    assert keyring.by_session(browser.text) is not None
    assert keyring.of_kind(Kind.SESSION) == [browser.credential]
    clock.advance(1)
    assert keyring.by_session(browser.text) is None
    assert keyring.of_kind(Kind.SESSION) == []


def test_what_expired_is_dropped_and_said(
    keyring: Keyring, clock: ManualClock, revoked: list[str]
) -> None:
    browser, token = session(), viewer_token()
    keyring.load([browser.credential, token.credential])
    keyring.drop_expired()
    assert revoked == []
    clock.advance(SESSION_LIFETIME_MS)
    keyring.drop_expired()
    keyring.drop_expired()
    assert revoked == [browser.credential.id]
    assert keyring.by_token(token.text) is not None


def test_a_revoked_credential_is_nobody_and_said_once(keyring: Keyring, revoked: list[str]) -> None:
    token = viewer_token()
    keyring.add(token.credential)
    keyring.drop([token.credential.id, "unknown"])
    keyring.drop([token.credential.id])
    assert keyring.by_token(token.text) is None
    assert revoked == [token.credential.id]


def test_a_forgotten_nodes_tokens_end_and_no_others(keyring: Keyring, revoked: list[str]) -> None:
    tokens = [node_token("n1"), node_token("n1"), node_token("n2"), viewer_token()]
    keyring.load(token.credential for token in tokens)
    keyring.drop_of_node(NodeForgotten("n1"))
    assert revoked == [token.credential.id for token in tokens[:2]]
    assert [keyring.by_token(token.text) is None for token in tokens] == [True, True, False, False]


def test_who_was_let_in_stays_valid_until_revoked(keyring: Keyring) -> None:
    one, other = node_token(), node_token()
    keyring.load([one.credential, other.credential])
    principals = [keyring.by_token(text) for text in (one.text, other.text, SECRET)]
    assert [valid(keyring, principal) for principal in principals] == [True, True, True]
    keyring.drop([one.credential.id])
    assert [valid(keyring, principal) for principal in principals] == [False, True, True]
    keyring.drop_of_node(NodeForgotten("n1"))
    assert [valid(keyring, principal) for principal in principals] == [False, False, True]


def test_who_was_let_in_stays_valid_until_the_session_expires(
    keyring: Keyring, clock: ManualClock
) -> None:
    browser = session()
    keyring.add(browser.credential)
    principal = keyring.by_session(browser.text)
    clock.advance(SESSION_LIFETIME_MS - 1)
    assert valid(keyring, principal)
    clock.advance(1)
    assert not valid(keyring, principal)


@pytest.mark.parametrize("credential_id", ["", "unknown"])
def test_whom_the_keyring_never_knew_is_not_valid(keyring: Keyring, credential_id: str) -> None:
    assert not keyring.is_valid(Principal(credential_id, Role.ADMIN, None))


def test_of_kind_lists_that_kind_alone(keyring: Keyring) -> None:
    token, browser = viewer_token(), session()
    keyring.load([token.credential, browser.credential])
    assert keyring.of_kind(Kind.TOKEN) == [token.credential]
    assert keyring.of_kind(Kind.SESSION) == [browser.credential]
