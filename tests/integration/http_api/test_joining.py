"""Invites and joining: a machine comes in with a token of its own making, once, as itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from forge_shared import identity, joining
from forge_shared.messages import Invite, Invites, InviteStatus, Joined, MintedInvite
from tests.integration.http_api.running import ADMIN, Answer, Server, bearer
from tests.process import Client, CollectorProcess, running_collector, start_collector, wait_for

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Machine:
    """A machine that makes its own token before it claims."""

    def __init__(self, hostname: str = "nas", now_ms: int = 1_800_000_000_000) -> None:
        self.hostname = hostname
        self.token = identity.mint("forge", now_ms)
        self.headers = bearer(str(self.token))

    def request(self, code: str, **changes: Any) -> dict[str, Any]:
        return {
            "code": code,
            "token_id": self.token.id,
            "secret_hash": identity.secret_hash(self.token.secret).hex(),
            "hostname": self.hostname,
            **changes,
        }


async def invite(server: Server, **wanted: Any) -> MintedInvite:
    answer = await server.call("POST", "/api/invites", ADMIN, json=wanted)
    assert answer.status == 201, answer.body
    return answer.as_(MintedInvite)


def code_of(minted: MintedInvite) -> str:
    return joining.parse(minted.join_string).code


async def claim(server: Server, machine: Machine, code: str, **changes: Any) -> Answer:
    return await server.call("POST", "/api/join", json=machine.request(code, **changes))


async def listed(server: Server) -> list[Invite]:
    return (await server.get("/api/invites")).as_(Invites).invites


async def test_a_machine_joins_and_pushes_with_the_token_it_made(server: Server) -> None:
    minted = await invite(server)
    machine = Machine("nas")
    assert (await server.push(machine.headers)).status == 401
    joined = await claim(server, machine, code_of(minted))
    assert joined.as_(Joined).node_id == "nas"
    assert (await server.get("/api/fleet")).body == b'{"nodes":[]}'  # it comes with its first push
    assert (await server.push(machine.headers, node_id="nas")).status == 200
    (await server.push(machine.headers, node_id="n1")).problem("foreign_node")
    (await server.get("/api/fleet", machine.headers)).problem("forbidden")
    (found,) = await listed(server)
    assert (found.status, found.used, found.joined) == (InviteStatus.USED_UP, 1, ["nas"])


async def test_the_join_string_holds_what_the_machine_needs(server: Server) -> None:
    minted = await invite(server, uses=3, expires_in_s=60, node_id=None)
    parsed = joining.parse(minted.join_string)
    assert parsed.url == minted.url == server.url
    assert parsed.ca_fingerprint is None
    assert minted.ca_fingerprint is None
    assert minted.invite.id == identity.code_id(parsed.code)
    assert (minted.invite.uses, minted.invite.used) == (3, 0)
    assert minted.invite.expires_at == server.clock.now_ms() + 60_000
    listing = (await server.get("/api/invites")).body
    assert parsed.code.encode() not in listing
    store = b"".join(path.read_bytes() for path in server.database.parent.glob("fleet.db*"))
    assert parsed.code.encode() not in store
    assert identity.secret_hash(parsed.code) in store


async def test_whoever_called_by_another_address_invites_to_that_address(server: Server) -> None:
    host = "192.168.7.9:8750"
    answer = await server.call("POST", "/api/invites", {**ADMIN, "Host": host}, json={})
    assert answer.as_(MintedInvite).url == f"http://{host}"
    odd = {**ADMIN, "Host": "192.168.7.9:99999"}
    answer = await server.call("POST", "/api/invites", odd, json={})
    assert "--public-url" in answer.problem("invalid").detail
    assert len(await listed(server)) == 1


async def test_the_same_claim_has_the_same_answer_whatever_became_of_the_invite(
    server: Server,
) -> None:
    minted = await invite(server, uses=2)
    machine = Machine("nas")
    for _ in range(2):
        assert (await claim(server, machine, code_of(minted))).as_(Joined).node_id == "nas"
    assert (await server.call("DELETE", f"/api/invites/{minted.invite.id}", ADMIN)).status == 204
    server.clock.advance(2 * HOUR_MS)
    assert (await claim(server, machine, code_of(minted))).as_(Joined).node_id == "nas"
    for changes in ({"hostname": "x"}, {"node_id": "x"}):
        again = await claim(server, machine, code_of(minted), **changes)
        assert again.as_(Joined).node_id == "nas"
    (found,) = await listed(server)
    assert (found.status, found.used, found.joined) == (InviteStatus.REVOKED, 1, ["nas"])
    assert (await server.push(machine.headers, node_id="nas")).status == 200


async def test_a_machine_that_joined_uses_up_no_other_invite(server: Server) -> None:
    machine = Machine("nas")
    await claim(server, machine, code_of(await invite(server)))
    other = await invite(server, node_id="n1")
    assert (await claim(server, machine, code_of(other))).as_(Joined).node_id == "nas"
    assert [one.used for one in await listed(server) if one.id == other.invite.id] == [0]


async def test_invites_that_ended_say_how(server: Server) -> None:
    used, expired, revoked = [await invite(server) for _ in range(3)]
    await claim(server, Machine(), code_of(used))
    await server.call("DELETE", f"/api/invites/{revoked.invite.id}", ADMIN)
    answer = await claim(server, Machine(), code_of(used))
    assert "as it is for" in answer.problem("invite_used_up").detail
    answer = await claim(server, Machine(), code_of(revoked))
    assert "revoked" in answer.problem("invite_revoked").detail
    assert (await claim(server, Machine(), "a" * 26)).status == 403
    server.clock.advance(HOUR_MS)
    answer = await claim(server, Machine(), code_of(expired))
    assert "expired" in answer.problem("invite_expired").detail
    statuses = {one.id: one.status for one in await listed(server)}
    assert statuses == {
        used.invite.id: InviteStatus.USED_UP,
        expired.invite.id: InviteStatus.EXPIRED,
        revoked.invite.id: InviteStatus.REVOKED,
    }


async def test_machines_at_once_share_what_uses_there_are_and_no_id(server: Server) -> None:
    minted = await invite(server, uses=7)
    machines = [Machine("pc") for _ in range(12)]
    answers = await asyncio.gather(
        *(claim(server, machine, code_of(minted)) for machine in machines)
    )
    ids = [answer.as_(Joined).node_id for answer in answers if answer.status == 200]
    assert sorted(ids) == ["pc", *(f"pc-{number}" for number in range(2, 8))]
    for answer in answers:
        if answer.status != 200:
            answer.problem("invite_used_up")
    for machine, answer in zip(machines, answers, strict=True):
        expected = 200 if answer.status == 200 else 401
        assert (await server.get("/api/whoami", machine.headers)).status == expected


async def test_a_revocation_at_the_same_moment_wins_or_comes_after(server: Server) -> None:
    for _ in range(5):
        minted = await invite(server, uses=10)
        machines = [Machine("pc") for _ in range(6)]
        claims = [claim(server, machine, code_of(minted)) for machine in machines]
        revoking = server.call("DELETE", f"/api/invites/{minted.invite.id}", ADMIN)
        answers = await asyncio.gather(*claims[:3], revoking, *claims[3:])
        joined = [answer for answer in answers if answer.status == 200]
        (found,) = [one for one in await listed(server) if one.id == minted.invite.id]
        assert found.used == len(joined) == len(found.joined)
        assert found.status is InviteStatus.REVOKED
        (await claim(server, Machine("pc"), code_of(minted))).problem("invite_revoked")


async def test_a_nodes_id_is_its_own_unless_the_invite_says_otherwise(server: Server) -> None:
    await server.push(await server.node("n1"))
    minted = await invite(server, uses=5)
    taken = await claim(server, Machine("x"), code_of(minted), node_id="n1")
    assert "forgectl invite --node n1" in taken.problem("node_id_taken").detail
    assert (await claim(server, Machine("n1"), code_of(minted))).as_(Joined).node_id == "n1-2"
    asked = await claim(server, Machine("x"), code_of(minted), node_id="n7")
    assert asked.as_(Joined).node_id == "n7"

    bound = await invite(server, node_id="n1")
    other = await claim(server, Machine("x"), code_of(bound), node_id="n8")
    assert "n1 alone" in other.problem("node_id_taken").detail
    again = Machine("whatever")
    assert (await claim(server, again, code_of(bound))).as_(Joined).node_id == "n1"
    assert (await server.push(again.headers, 1)).status == 200
    used = {one.id: one.used for one in await listed(server)}
    assert used == {bound.invite.id: 1, minted.invite.id: 2}  # what was refused used nothing


async def test_a_token_that_was_minted_but_never_used_holds_its_id(server: Server) -> None:
    await server.mint(node_id="nas")
    joined = await claim(server, Machine("nas"), code_of(await invite(server)))
    assert joined.as_(Joined).node_id == "nas-2"


async def test_a_revoked_token_does_not_come_back_by_its_claim(server: Server) -> None:
    minted = await invite(server, uses=5)
    machine = Machine("nas")
    await claim(server, machine, code_of(minted))
    path = f"/api/tokens/{machine.token.id}"
    assert (await server.call("DELETE", path, ADMIN)).status == 204
    assert (await server.push(machine.headers, node_id="nas")).status == 401
    for code in (code_of(minted), code_of(await invite(server))):
        answer = await claim(server, machine, code)
        assert "revoked since" in answer.problem("invite_revoked").detail
    assert (await server.push(machine.headers, node_id="nas")).status == 401
    assert (await claim(server, Machine("nas"), code_of(minted))).as_(Joined).node_id == "nas"


async def test_forgetting_a_node_takes_its_token_and_its_invites(server: Server) -> None:
    machine = Machine("nas")
    first = await invite(server)
    await claim(server, machine, code_of(first))
    await server.push(machine.headers, node_id="nas")
    bound = await invite(server, node_id="nas")
    assert (await server.call("DELETE", "/api/nodes/nas", ADMIN)).status == 204
    assert (await server.push(machine.headers, 1, node_id="nas")).status == 401
    (await claim(server, machine, code_of(first))).problem("invite_revoked")
    (await claim(server, Machine("nas"), code_of(bound))).problem("invite_unknown")
    assert [one.id for one in await listed(server)] == [first.invite.id]


async def test_a_token_id_that_exists_opens_nothing(server: Server) -> None:
    minted = await invite(server, uses=5)
    victim = await server.mint(role="admin", name="Ann")
    session = identity.parse(await server.sign_in(secret=ADMIN["Authorization"][7:]))
    assert session is not None
    node = Machine("n1")
    await claim(server, node, code_of(minted))
    for token_id in (victim.id, session.id, node.token.id):
        machine = Machine()
        answer = await claim(server, machine, code_of(minted), token_id=token_id)
        assert "does not know the invite" in answer.problem("invite_unknown").detail
        mine = bearer(str(machine.token._replace(id=token_id)))
        assert (await server.get("/api/whoami", mine)).status == 401
    assert (await server.get("/api/tokens", bearer(victim.token))).status == 200
    assert (await server.push(node.headers)).status == 200


async def test_guesses_are_bounded_and_good_claims_are_not(server: Server) -> None:
    minted = await invite(server, uses=60)
    for _ in range(40):
        assert (await claim(server, Machine(), code_of(minted))).status == 200
    statuses = [(await claim(server, Machine(), "a" * 26)).status for _ in range(31)]
    assert statuses == [403] * 30 + [429]
    answer = await claim(server, Machine(), code_of(minted))
    answer.problem("too_many_attempts")
    assert answer.headers["Retry-After"] == "60"
    server.clock.advance(60_000)
    assert (await claim(server, Machine(), code_of(minted))).status == 200


@pytest.mark.parametrize(
    "wanted",
    [
        {"uses": 0},
        {"uses": 10_001},
        {"expires_in_s": 59},
        {"expires_in_s": 31 * 24 * 3600},
        {"node_id": "a b"},
        {"node_id": "n1", "uses": 2},
        {"role": "admin"},
    ],
)
async def test_an_invite_for_nothing_sensible_is_refused(
    server: Server, wanted: Mapping[str, object]
) -> None:
    answer = await server.call("POST", "/api/invites", ADMIN, json=wanted)
    assert answer.problem("invalid").errors
    assert await listed(server) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"secret_hash": "00"},
        {"secret_hash": "0" * 63 + "\n"},
        {"secret_hash": "G" * 64},
        {"token_id": "admin-secret"},
        {"node_id": "../x"},
        {"hostname": "h" * 257},
        {"role": "admin"},
    ],
)
async def test_a_claim_that_is_none_is_refused(server: Server, changes: dict[str, str]) -> None:
    minted = await invite(server)
    answer = await claim(server, Machine(), code_of(minted), **changes)
    assert answer.problem("invalid").errors
    assert (await listed(server))[0].used == 0


@pytest.mark.parametrize("invite_id", ["unknown", "%00", "%ff", "%27%20OR%201=1"])
async def test_an_unknown_invite_is_not_found(server: Server, invite_id: str) -> None:
    (await server.call("DELETE", f"/api/invites/{invite_id}", ADMIN)).problem("not_found")


async def test_revoking_twice_is_no_error_and_leaves_what_ended_as_it_ended(server: Server) -> None:
    used, opened = await invite(server), await invite(server)
    await claim(server, Machine(), code_of(used))
    for minted in (used, opened, opened):
        path = f"/api/invites/{minted.invite.id}"
        assert (await server.call("DELETE", path, ADMIN)).status == 204
    statuses = {one.id: one.status for one in await listed(server)}
    assert statuses[used.invite.id] is InviteStatus.USED_UP
    assert statuses[opened.invite.id] is InviteStatus.REVOKED


# --- a collector that is killed ------------------------------------------------------------------


class Claimer(threading.Thread):
    """Machines that claim one after the other until the collector is gone."""

    def __init__(self, code: str, port: int) -> None:
        super().__init__()
        self.sent: list[Machine] = []
        self.answered: dict[str, str] = {}
        self._code = code
        self._client = Client(port, "nobody")

    def run(self) -> None:
        with closing(self._client):
            while len(self.sent) < 500:
                machine = Machine("pc")
                self.sent.append(machine)
                try:
                    reply = self._client.send("POST", "/api/join", machine.request(self._code))
                except (OSError, HTTPException):
                    return
                assert reply.status == 200, reply
                self.answered[machine.token.id] = reply.json()["node_id"]


def test_a_claim_whose_answer_was_lost_is_answered_the_same_after_a_kill(tmp_path: Path) -> None:
    collector = start_collector(tmp_path / "data")
    with collector.client() as admin:
        minted = admin.send("POST", "/api/invites", {"uses": 5000}).json()
    code = joining.parse(minted["join_string"]).code
    claimers = [Claimer(code, collector.port) for _ in range(3)]
    for claimer in claimers:
        claimer.start()
    wait_for(lambda: sum(len(one.answered) for one in claimers) >= 30, "claims to be answered")
    collector.kill()
    for claimer in claimers:
        claimer.join()
    with running_collector(tmp_path / "data") as again:
        ids = claimed_again(again, code, claimers)
        assert len(set(ids)) == len(ids)
        with again.client() as admin:
            (found,) = admin.get("/api/invites")["invites"]
        assert found["used"] == len(ids)


def claimed_again(collector: CollectorProcess, code: str, claimers: list[Claimer]) -> list[str]:
    """Send every claim once more; return the ids, after holding them to those answered before."""
    ids = []
    with collector.client("nobody") as client:
        for claimer in claimers:
            for machine in claimer.sent:
                reply = client.send("POST", "/api/join", machine.request(code))
                assert reply.status == 200, reply
                node_id = reply.json()["node_id"]
                assert claimer.answered.get(machine.token.id, node_id) == node_id
                ids.append(node_id)
    return ids
