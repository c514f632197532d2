"""Tokens: shown once, kept as a hash, and dead the moment they are revoked."""

from __future__ import annotations

import pytest

from forge_shared import identity
from forge_shared.messages import MintedToken, Role, Token, Tokens, Whoami
from tests.integration.http_api.running import ADMIN, ADMIN_SECRET, Server, bearer


def everything_on_disk(server: Server) -> bytes:
    folder = server.collector.settings.data
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def test_a_nodes_token(server: Server) -> None:
    minted = await server.mint(node_id="n1")
    assert (minted.role, minted.node_id) == (Role.NODE, "n1")
    who = (await server.get("/api/whoami", bearer(minted.token))).as_(Whoami)
    assert (who.role, who.node_id, who.local_node_id) == (Role.NODE, "n1", None)


@pytest.mark.parametrize("role", ["submitter", "viewer", "admin"])
async def test_a_persons_token(server: Server, role: str) -> None:
    minted = await server.mint(role=role, name="Ann")
    assert (minted.role, minted.node_id) == (role, None)
    who = (await server.get("/api/whoami", bearer(minted.token))).as_(Whoami)
    assert who.role == role


async def test_a_list_holds_no_secret(server: Server) -> None:
    minted = [await server.mint(node_id="n1"), await server.mint(role="viewer", name="Ann")]
    answer = await server.get("/api/tokens")
    now = server.clock.now_ms()
    assert answer.as_(Tokens).tokens == [
        Token(minted[0].id, Role.NODE, "n1", None, now),
        Token(minted[1].id, Role.VIEWER, None, "Ann", now),
    ]
    for one in minted:
        parsed = identity.parse(one.token)
        assert parsed is not None
        assert parsed.secret.encode() not in answer.body


async def test_only_hashes_are_on_disk(server: Server) -> None:
    minted = await server.mint(node_id="n1")
    session = await server.sign_in(secret=ADMIN_SECRET)
    link = await server.call("POST", "/api/login-links", ADMIN, json={})
    code = link.body.split(b'"code":"')[1].split(b'"')[0]
    await server.collector.db.tidy()
    kept = everything_on_disk(server)
    for text in (minted.token, session):
        parsed = identity.parse(text)
        assert parsed is not None
        assert parsed.id.encode() in kept
        assert identity.secret_hash(parsed.secret) in kept
        assert parsed.secret.encode() not in kept
        assert bytes.fromhex(parsed.secret) not in kept
    assert code not in kept
    assert ADMIN_SECRET.encode() not in kept


async def test_the_database_is_private(server: Server) -> None:
    assert server.database.stat().st_mode & 0o777 == 0o600


async def test_a_revoked_token_is_refused_at_once(server: Server) -> None:
    minted = await server.mint(node_id="n1")
    token = bearer(minted.token)
    assert (await server.push(token, 0)).status == 200
    assert (await server.call("DELETE", f"/api/tokens/{minted.id}", ADMIN)).status == 204
    answer = await server.push(token, 1)
    assert "revoked" in answer.problem("unauthenticated").detail
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    (await server.call("DELETE", f"/api/tokens/{minted.id}", ADMIN)).problem("not_found")
    assert (await server.get("/api/tokens")).as_(Tokens).tokens == []


async def test_a_nodes_other_token_lives_on(server: Server) -> None:
    one, other = await server.mint(node_id="n1"), await server.mint(node_id="n1")
    await server.call("DELETE", f"/api/tokens/{one.id}", ADMIN)
    assert (await server.push(bearer(other.token))).status == 200


@pytest.mark.parametrize("token_id", ["unknown", "%00", "%ff", "admin-secret", "%27%20OR%201=1"])
async def test_an_unknown_token_is_not_found(server: Server, token_id: str) -> None:
    (await server.call("DELETE", f"/api/tokens/{token_id}", ADMIN)).problem("not_found")
    assert (await server.get("/api/whoami")).status == 200


async def test_a_session_is_no_token_to_revoke(server: Server) -> None:
    parsed = identity.parse(await server.sign_in(secret=ADMIN_SECRET))
    assert parsed is not None
    (await server.call("DELETE", f"/api/tokens/{parsed.id}", ADMIN)).problem("not_found")


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"role": "viewer"},
        {"name": "Ann"},
        {"node_id": "n1", "role": "viewer"},
        {"node_id": "n1", "name": "Ann"},
        {"role": "node", "name": "Ann"},
        {"role": "owner", "name": "Ann"},
        {"role": "viewer", "name": ""},
        {"role": "viewer", "name": "a\x00b"},
        {"node_id": "n1", "roles": "admin"},
        {"node_id": 3},
        [],
    ],
)
async def test_a_token_for_nobody_or_for_two_is_refused(server: Server, wanted: object) -> None:
    answer = await server.call("POST", "/api/tokens", ADMIN, json=wanted)
    assert answer.problem("invalid").errors
    assert (await server.get("/api/tokens")).as_(Tokens).tokens == []


async def test_an_admins_token_mints_and_a_viewers_does_not(server: Server) -> None:
    admin = bearer((await server.mint(role="admin", name="Ann")).token)
    answer = await server.call("POST", "/api/tokens", admin, json={"node_id": "n1"})
    assert answer.as_(MintedToken).node_id == "n1"
    viewer = await server.viewer()
    answer = await server.call("POST", "/api/tokens", viewer, json={"node_id": "n1"})
    assert "role admin" in answer.problem("forbidden").detail


async def test_a_token_survives_a_reload_of_the_keyring(server: Server) -> None:
    assert (await server.get("/api/whoami", await server.viewer())).status == 200
