"""Claims against a simple model: each use lets one machine in, and nobody becomes another."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from forge_collector.access import rules as access_rules
from forge_collector.access import store as access
from forge_collector.access.rules import Credential, Kind
from forge_collector.fleet import store as fleet
from forge_collector.joining import rules, store
from forge_collector.joining.rules import Claim, RefusedError
from forge_shared import identity
from forge_shared.messages import HumanRole, InviteRequest, MintToken, Role
from tests.empty_store import open_empty_store
from tests.unit.joining.claims import HOUR_MS, NOW, Machine, machine

NODE_IDS = ["pc", "pc-2", "nas"]


@dataclass
class Known:
    """An invite as the model sees it."""

    code: str
    node_id: str | None
    left: int
    ends_at: int
    is_revoked: bool = False
    is_forgotten: bool = False
    joined: list[str] = field(default_factory=list)

    def refusal(self, now_ms: int) -> str | None:
        if self.is_forgotten:
            return "invite_unknown"
        if self.is_revoked:
            return "invite_revoked"
        if self.left == 0:
            return "invite_used_up"
        return "invite_expired" if now_ms >= self.ends_at else None


class Joining(RuleBasedStateMachine):
    invites = Bundle("invites")
    machines = Bundle("machines")

    @initialize()
    def open(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._tx = open_empty_store(Path(self._folder.name, "fleet.db"))
        self._tx.execute("PRAGMA synchronous = OFF")  # no power is cut here
        self._tx.begin_write()
        self.now_ms = NOW
        self.known: list[Known] = []
        self.nodes: dict[str, str | None] = {}  # token id -> node id; None: revoked
        self.heard: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "_tx"):
            self._tx.rollback()
            self._tx.close()
            self._folder.cleanup()

    @rule(target=invites, uses=st.integers(1, 3), node_id=st.sampled_from([None, None, *NODE_IDS]))
    def invite(self, uses: int, node_id: str | None) -> Known:
        uses = 1 if node_id is not None else uses
        code, invite = rules.mint(InviteRequest(uses, 3600, node_id), self.now_ms)
        store.add(self._tx, invite)
        known = Known(code, node_id, uses, self.now_ms + HOUR_MS)
        self.known.append(known)
        return known

    @rule(target=machines, hostname=st.sampled_from(["pc", "pc-2", "nas", "\x00", ""]))
    def machine(self, hostname: str) -> Machine:
        return machine(hostname)

    @rule(minutes=st.sampled_from([1, 30, 61, 2 * 60, 8 * 24 * 60, -10]))
    def time_passes(self, minutes: int) -> None:
        self.now_ms += minutes * 60_000

    @rule(invite=invites)
    def revoke(self, invite: Known) -> None:
        found = store.revoke(self._tx, identity.code_id(invite.code), self.now_ms)
        assert found is not invite.is_forgotten
        if invite.refusal(self.now_ms) is None:
            invite.is_revoked = True

    @rule(token=machines)
    def revoke_token(self, token: Machine) -> None:
        removed = access.revoke(self._tx, token.token.id, Kind.TOKEN)
        assert bool(removed) is (self.nodes.get(token.token.id) is not None)
        if removed:
            self.nodes[token.token.id] = None

    @rule(token=machines)
    def push(self, token: Machine) -> None:
        """Whoever joined is heard, and then is there even when its token goes."""
        if (node_id := self.nodes.get(token.token.id)) is not None and node_id not in self.heard:
            self._tx.execute(
                """
                INSERT INTO nodes (id, name, tags, ephemeral, host, first_seen, last_seen, heard_ms)
                VALUES (:id, :id, '[]', 0, '{}', 0, 0, 0)
                """,
                {"id": node_id},
            )
            self.heard.add(node_id)

    @rule(node_id=st.sampled_from(NODE_IDS))
    def forget(self, node_id: str) -> None:
        if node_id not in self.heard:
            return
        fleet.forget(self._tx, node_id)
        self.heard.discard(node_id)
        for token_id, held in self.nodes.items():
            if held == node_id:
                self.nodes[token_id] = None
        for invite in self.known:
            if invite.node_id == node_id:
                invite.is_forgotten = True

    @rule(invite=invites, claimant=machines, asked=st.sampled_from([None, None, *NODE_IDS]))
    def claim(self, invite: Known, claimant: Machine, asked: str | None) -> None:
        taken = {*self.heard, *self.nodes.values()}
        expected = self._refusal(invite, claimant, asked, taken)
        token = self._outcome(claimant.claim(invite.code, asked))
        if isinstance(token, str):
            assert token == expected
            return
        assert expected is None
        assert (token.kind, token.role) == (Kind.TOKEN, Role.NODE)
        if claimant.token.id in self.nodes:  # it had joined: nothing is new
            assert token.node_id == self.nodes[claimant.token.id]
            return
        assert token.node_id is not None
        assert token.node_id == invite.node_id or token.node_id not in taken
        assert asked in {None, token.node_id}
        self.nodes[token.id] = token.node_id
        invite.left -= 1
        invite.joined.insert(0, token.node_id)

    @rule(invite=invites, victim=machines)
    def claim_with_the_token_id_of_another(self, invite: Known, victim: Machine) -> None:
        if victim.token.id not in self.nodes:
            return
        forged = machine("pc").claim(invite.code)._replace(token_id=victim.token.id)
        for claim in (forged, forged._replace(hostname="nas", node_id="nas")):
            assert self._outcome(claim) == "invite_unknown"

    def _outcome(self, claim: Claim) -> Credential | str:
        """Claim in a savepoint of its own, as the Database does; return the token or the code."""
        self._tx.savepoint()
        try:
            token = store.claim(self._tx, claim, self.now_ms, fleet.exists)
        except RefusedError as refused:
            self._tx.rollback_to_savepoint()
            return refused.code
        self._tx.release_savepoint()
        return token

    def _refusal(
        self, invite: Known, claimant: Machine, asked: str | None, taken: set[str | None]
    ) -> str | None:
        if invite.is_forgotten:
            return "invite_unknown"
        contradicts = invite.node_id is not None and asked not in {None, invite.node_id}
        if claimant.token.id in self.nodes:
            return "invite_revoked" if self.nodes[claimant.token.id] is None else None
        if (refusal := invite.refusal(self.now_ms)) is not None:
            return refusal
        is_taken = invite.node_id is None and asked is not None and asked in taken
        return "node_id_taken" if contradicts or is_taken else None

    @invariant()
    def each_use_let_one_machine_in(self) -> None:
        if not hasattr(self, "_tx"):
            return
        listed = {found.invite.id: found for found in store.listed(self._tx)}
        for known in self.known:
            found = listed.pop(identity.code_id(known.code), None)
            assert (found is None) is known.is_forgotten
            if found is not None:
                assert sorted(found.joined) == sorted(known.joined)
                assert found.invite.used == len(known.joined) == found.invite.uses - known.left
        assert listed == {}
        held = {token.id: token.node_id for token in access.load(self._tx)}
        assert held == {key: value for key, value in self.nodes.items() if value is not None}


TestJoining = Joining.TestCase
TestJoining.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_ended_invites_are_told_for_a_week_and_then_dropped(tmp_path: Path) -> None:
    writer = open_empty_store(tmp_path / "fleet.db")
    writer.begin_write()
    minted = [rules.mint(InviteRequest(expires_in_s=30 * 24 * 3600), NOW) for _ in range(3)]
    minted.append(rules.mint(InviteRequest(expires_in_s=60), NOW))
    for _, invite in minted:
        store.add(writer, invite)
    (used_code, used), (_, revoked), (_, still_open), (_, expired) = minted
    joined = store.claim(writer, machine().claim(used_code), NOW, fleet.exists)
    store.revoke(writer, revoked.id, NOW)

    store.prune(writer, NOW + rules.KEPT_ENDED_MS - 1)
    assert len(store.listed(writer)) == 4
    store.prune(writer, NOW + rules.KEPT_ENDED_MS)
    kept = {found.invite.id for found in store.listed(writer)}
    assert kept == {still_open.id, expired.id}
    assert used.id not in kept
    store.prune(writer, NOW + 60_000 + rules.KEPT_ENDED_MS)
    assert [found.invite.id for found in store.listed(writer)] == [still_open.id]
    assert writer.execute("SELECT COUNT(*) FROM invite_claims").fetchone() == (0,)
    assert access.find(writer, joined.id) == joined  # who joined stays
    writer.rollback()
    writer.close()


def test_ids_of_other_credentials_are_refused_without_telling_what_they_are(tmp_path: Path) -> None:
    writer = open_empty_store(tmp_path / "fleet.db")
    writer.begin_write()
    code, invite = rules.mint(InviteRequest(uses=9), NOW)
    store.add(writer, invite)
    admin = access_rules.mint_token(MintToken(role=HumanRole.ADMIN, name="a"), NOW)
    session = access_rules.mint_session(Role.ADMIN, None, NOW)
    login = access_rules.mint_code(HumanRole.ADMIN, NOW)
    told = set()
    for minted in (admin, session, login):
        access.add(writer, minted.credential)
        for secret_hash in (bytes(32), minted.credential.secret_hash):
            claim = machine().claim(code)
            claim = claim._replace(token_id=minted.credential.id, secret_hash=secret_hash)
            with pytest.raises(RefusedError) as refused:
                store.claim(writer, claim, NOW, fleet.exists)
            told.add((refused.value.code, str(refused.value)))
    assert len(told) == 1
    assert told.pop()[0] == "invite_unknown"
    assert store.listed(writer)[0].invite.used == 0
    writer.rollback()
    writer.close()
