"""Signing in: links that work once, cookies scripts cannot read, sessions that end."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from http.cookies import SimpleCookie

import pytest

from forge_collector.access.rules import CODE_LIFETIME_MS, SESSION_LIFETIME_MS
from forge_shared import identity
from forge_shared.messages import HumanRole, LoginLink, Sessions, Whoami
from tests.integration.http_api.running import ADMIN, ADMIN_SECRET, Answer, Server, bearer


async def login(server: Server, **proof: str) -> Answer:
    return await server.call("POST", "/api/login", json=proof)


async def link(server: Server, role: str = "admin") -> LoginLink:
    answer = await server.call("POST", "/api/login-links", ADMIN, json={"role": role})
    assert answer.status == 201
    return answer.as_(LoginLink)


async def who(server: Server, session: str) -> Answer:
    return await server.get("/api/whoami", server.with_session(session))


async def test_a_link_names_the_page_and_its_code(server: Server) -> None:
    made = await link(server, "viewer")
    assert made.url == f"{server.url}/#/login/{made.code}"
    assert made.role is HumanRole.VIEWER
    assert made.expires_at == server.clock.now_ms() + CODE_LIFETIME_MS


@pytest.mark.parametrize("role", ["viewer", "admin"])
async def test_a_link_signs_in_with_its_role(server: Server, role: str) -> None:
    session = await server.sign_in(code=(await link(server, role)).code)
    assert (await who(server, session)).as_(Whoami).role == role


async def test_a_link_works_once(server: Server) -> None:
    made = await link(server)
    await server.sign_in(code=made.code)
    assert (
        "forgectl login-link"
        in (await login(server, code=made.code)).problem("login_failed").detail
    )


async def test_a_link_used_twice_at_once_works_once(server: Server) -> None:
    made = await link(server)
    answers = await asyncio.gather(*(login(server, code=made.code) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [204, 401, 401, 401, 401]


async def test_a_link_lasts_ten_minutes(server: Server) -> None:
    first, second = await link(server), await link(server)
    server.clock.advance(CODE_LIFETIME_MS - 1)
    await server.sign_in(code=first.code)
    server.clock.advance(1)
    (await login(server, code=second.code)).problem("login_failed")


async def test_the_admin_secret_and_peoples_tokens_sign_in(server: Server) -> None:
    viewer = await server.mint(role="viewer", name="Ann")
    for secret, role in [(ADMIN_SECRET, "admin"), (viewer.token, "viewer")]:
        session = await server.sign_in(secret=secret)
        assert (await who(server, session)).as_(Whoami).role == role


async def test_a_nodes_token_does_not(server: Server) -> None:
    token = (await server.mint(node_id="n1")).token
    (await login(server, secret=token)).problem("login_failed")


@pytest.mark.parametrize("secret", ["wrong", "x" * 512, "forge_0_0", "ünïcödé", " " + ADMIN_SECRET])
async def test_a_wrong_secret_does_not(server: Server, secret: str) -> None:
    answer = await login(server, secret=secret)
    answer.problem("login_failed")
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "body", [{}, {"code": "a", "secret": "b"}, {"code": ""}, {"secret": "x" * 513}, {"pw": "x"}, 3]
)
async def test_a_login_without_one_proof_is_invalid(server: Server, body: object) -> None:
    (await server.call("POST", "/api/login", json=body)).problem("invalid")


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(server: Server) -> None:
    answer = await login(server, secret=ADMIN_SECRET)
    (cookie,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
    assert cookie.key == f"forge_session_{server.collector.port}"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/"
    assert int(cookie["max-age"]) * 1000 == SESSION_LIFETIME_MS
    assert not cookie["domain"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.body == b""


async def test_signing_out_ends_the_session(server: Server) -> None:
    session, other = [await server.sign_in(secret=ADMIN_SECRET) for _ in range(2)]
    answer = await server.call("DELETE", "/api/session", server.with_session(session))
    assert answer.status == 204
    assert SimpleCookie(answer.headers["Set-Cookie"])[server.cookie].value == ""
    (await who(server, session)).problem("unauthenticated")
    assert (await who(server, other)).status == 200


async def test_signing_out_leaves_a_token_alone(server: Server) -> None:
    viewer = await server.viewer()
    assert (await server.call("DELETE", "/api/session", viewer)).status == 204
    assert (await server.get("/api/whoami", viewer)).status == 200


async def test_a_session_expires(server: Server) -> None:
    session = await server.sign_in(secret=ADMIN_SECRET)
    server.clock.advance(SESSION_LIFETIME_MS - 1)
    assert (await who(server, session)).status == 200
    server.clock.advance(1)
    (await who(server, session)).problem("unauthenticated")
    assert (await server.get("/api/sessions")).as_(Sessions).sessions == []


async def test_sessions_are_listed_and_revoked(server: Server) -> None:
    mine = await server.sign_in(secret=ADMIN_SECRET)
    theirs = await server.sign_in(code=(await link(server, "viewer")).code)
    headers = server.with_session(mine)
    listed = (await server.get("/api/sessions", headers)).as_(Sessions).sessions
    assert [(one.role, one.current) for one in listed] == [("admin", True), ("viewer", False)]
    assert listed[0].expires_at == server.clock.now_ms() + SESSION_LIFETIME_MS
    answer = await server.call("DELETE", f"/api/sessions/{listed[1].id}", headers)
    assert answer.status == 204
    (await who(server, theirs)).problem("unauthenticated")
    (await server.call("DELETE", f"/api/sessions/{listed[1].id}", headers)).problem("not_found")
    assert (await who(server, mine)).status == 200


async def test_a_list_of_sessions_holds_no_secret(server: Server) -> None:
    parsed = identity.parse(await server.sign_in(secret=ADMIN_SECRET))
    assert parsed is not None
    assert parsed.secret.encode() not in (await server.get("/api/sessions")).body


async def test_revoking_a_token_ends_the_sessions_it_granted(server: Server) -> None:
    token = await server.mint(role="viewer", name="Ann")
    granted = await server.sign_in(secret=token.token)
    other = await server.sign_in(secret=ADMIN_SECRET)
    await server.call("DELETE", f"/api/tokens/{token.id}", ADMIN)
    (await who(server, granted)).problem("unauthenticated")
    assert (await who(server, other)).status == 200


async def test_a_token_revoked_meanwhile_grants_no_session(server: Server) -> None:
    """Whatever the order in which they arrive, no session outlives the token that granted it."""
    for _ in range(5):
        token = await server.mint(role="viewer", name="Ann")
        answers = await asyncio.gather(
            server.call("DELETE", f"/api/tokens/{token.id}", ADMIN),
            *(login(server, secret=token.token) for _ in range(4)),
        )
        assert answers[0].status == 204
        assert (await server.get("/api/sessions")).as_(Sessions).sessions == []


async def test_guessing_is_slowed_down(server: Server) -> None:
    answers = [await login(server, secret=f"guess {n}") for n in range(12)]
    assert [answer.status for answer in answers] == [401] * 10 + [429] * 2
    answers[-1].problem("too_many_attempts")
    assert int(answers[-1].headers["Retry-After"]) > 0
    # Not even the right secret gets in now: it might be the next guess.
    (await login(server, secret=ADMIN_SECRET)).problem("too_many_attempts")
    server.clock.advance(6_001)
    await server.sign_in(secret=ADMIN_SECRET)


async def test_a_failing_database_takes_nobodys_attempts(server: Server) -> None:
    made = await link(server)
    fail = "CREATE TRIGGER fail BEFORE DELETE ON credentials BEGIN SELECT RAISE(ABORT, 'no'); END"
    with closing(sqlite3.connect(server.database)) as database:
        database.execute(fail)
        answers = [await login(server, code=made.code) for _ in range(12)]
        assert {answer.status for answer in answers} == {503}
        database.execute("DROP TRIGGER fail")
    await server.sign_in(code=made.code)


async def test_guesses_all_at_once_are_slowed_down_too(server: Server) -> None:
    answers = await asyncio.gather(*(login(server, code=f"guess {n}") for n in range(30)))
    assert sum(answer.status == 401 for answer in answers) == 10


async def test_signing_in_well_costs_nothing(server: Server) -> None:
    for _ in range(25):
        await server.sign_in(secret=ADMIN_SECRET)
    answers = [await login(server, secret="a slip") for _ in range(9)]
    assert {answer.status for answer in answers} == {401}
    await server.sign_in(secret=ADMIN_SECRET)


async def test_a_wall_clock_set_back_locks_nobody_out(server: Server) -> None:
    await login(server, secret="a slip")
    server.clock.set_wall(server.clock.now_ms() - 86_400_000)
    await server.sign_in(secret=ADMIN_SECRET)


async def test_a_bad_token_is_not_saved_by_a_good_cookie(server: Server) -> None:
    session = await server.sign_in(secret=ADMIN_SECRET)
    headers = {**server.with_session(session), **bearer("wrong")}
    (await server.get("/api/whoami", headers)).problem("unauthenticated")


async def test_another_collectors_cookie_is_nobody(server: Server) -> None:
    session = await server.sign_in(secret=ADMIN_SECRET)
    headers = {"Cookie": f"forge_session_1={session}; session={session}"}
    (await server.get("/api/whoami", headers)).problem("unauthenticated")
