"""A node's history over HTTP: pushed, replayed and read through the API alone."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import msgspec
import pytest

from forge_collector.fleet.routes import SENT_AT_HEADER
from forge_collector.history import tasks
from forge_shared.messages import History, IngestReply
from tests.integration.http_api.running import BOOT, Headers, Server, bearer
from tests.unit.fleet.manual_clock import START_MS
from tests.unit.history import reference
from tests.unit.history.reference import STEPS_S, Sent

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
PATH = "/api/nodes/n1/history"


async def history(server: Server, node_id: str = "n1", **parameters: object) -> History:
    query = "&".join(f"{name.rstrip('_')}={value}" for name, value in parameters.items())
    answer = await server.get(f"/api/nodes/{node_id}/history?{query}")
    assert answer.status == 200, answer.body
    return answer.as_(History)


async def replay(
    server: Server, token: Headers, sent: Sequence[Sent], *, node_id: str = "n1"
) -> int:
    """Replay snapshots in full batches; return how many were new."""
    accepted = 0
    for first in range(0, len(sent), 500):
        lines = [
            msgspec.json.encode(
                {
                    "boot_id": snapshot.boot,
                    "seq": snapshot.seq,
                    "ts": snapshot.ts,
                    "values": snapshot.values,
                }
            )
            for snapshot in sent[first : first + 500]
        ]
        answer = (await server.replay(token, lines, node_id=node_id)).as_(IngestReply)
        assert not answer.rejected
        accepted += answer.accepted
    return accepted


def boots(draw: random.Random, number: int, *, until: int) -> Iterator[list[Sent]]:
    """Runs of an agent one after the other: irregular, with gaps, some under a wrong clock, and
    with disks and interfaces that come and go."""
    ts = until - 14 * HOUR_MS
    for _ in range(number):
        boot, offset_ms = (
            str(uuid.UUID(int=draw.getrandbits(128))),
            draw.choice([0, -HOUR_MS, 8000]),
        )
        there = {"cpu.pct", "load.1m", "mem.used_bytes"}
        run: list[Sent] = []
        for seq in range(draw.randrange(400, 900)):
            ts += draw.choices(
                [1000, 5000, 5200, 10_000, draw.randrange(20_000, 2_000_000)],
                [20, 60, 15, 4.5, 0.5],
            )[0]
            if draw.random() < 0.02:
                there ^= {draw.choice(["disk.pct//mnt/a,b", "net.rx_bytes_per_s/eth0", "x.new"])}
            values = {key: draw.randrange(1000) / 10 for key in sorted(there)}
            run.append(Sent(boot, seq, ts - offset_ms, values, offset_ms))
        yield [snapshot for snapshot in run if snapshot.at < until]


@pytest.fixture
async def recorded(server: Server) -> list[Sent]:
    """A node with a lively past, some of which was sent twice, or out of order."""
    token = await server.node()
    draw = random.Random(4)
    sent: list[Sent] = []
    for run in boots(draw, 5, until=START_MS):
        first, *others = run
        # The boot's clock is measured as its first snapshot is pushed live.
        sent_at = {SENT_AT_HEADER: str(server.clock.now_ms() - first.offset_ms)}
        pushed = await server.push(
            token,
            first.seq,
            boot_id=first.boot,
            ts=first.ts,
            values=first.values,
            headers=sent_at,
        )
        assert pushed.status == 200, pushed.body
        draw.shuffle(others)
        assert await replay(server, token, others + others[:50]) == len(others)
        assert await replay(server, token, run[:120]) == 0
        sent += run
    return sent


async def test_every_point_is_as_the_reference_tells_it(
    server: Server, recorded: list[Sent]
) -> None:
    steps = set()
    for to_ms, minutes, points in product(
        (START_MS, START_MS - 3 * HOUR_MS - 77_777),
        (5, 20, 60, 200, 600),
        (1, 3, 40, 300, 1000, 3600),
    ):
        from_ms = to_ms - minutes * MINUTE_MS
        found = await history(server, from_=from_ms, to=to_ms, points=points)
        reference.check(found, reference.history(recorded, from_ms, to_ms, points=points))
        steps.add(found.step_ms)
    assert len(steps) > 10


async def test_every_step_there_is(server: Server) -> None:
    sent = [
        Sent(BOOT, second, START_MS - HOUR_MS + second * 1000, {"cpu.pct": second % 97})
        for second in range(3600)
    ]
    await replay(server, await server.node(), sent)
    for step_s in STEPS_S:
        points = 3600 // step_s
        found = await history(server, from_=START_MS - HOUR_MS, to=START_MS, points=points)
        assert found.step_ms == step_s * 1000
        reference.check(found, reference.history(sent, START_MS - HOUR_MS, START_MS, points=points))


async def test_sealing_changes_nothing_and_what_comes_late_takes_its_place(
    server: Server, recorded: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third snapshot is not there when the others are sealed: it comes late, by replay."""
    monkeypatch.setattr(tasks, "_SHARE", 1.0)  # nobody pushes meanwhile
    token = bearer((await server.mint(node_id="n2")).token)
    early = [snapshot for snapshot in recorded if snapshot.seq % 3]
    late = [snapshot for snapshot in recorded if snapshot.seq % 3 == 0]
    for sent, new in ((early, len(early)), (late + early[:700], len(late)), (recorded, 0)):
        assert await replay(server, token, sent, node_id="n2") == new
        await server.collector.sealer.catch_up()
    for node_id, minutes, points in product(("n1", "n2"), (7, 100, 700), (3, 300, 3600)):
        sent = recorded
        if node_id == "n2":  # a replay says nothing about the clock
            sent = [snapshot._replace(offset_ms=0) for snapshot in recorded]
        to_ms = START_MS - 100_000
        from_ms = to_ms - minutes * MINUTE_MS
        found = await history(server, node_id, from_=from_ms, to=to_ms, points=points)
        told = reference.history(sent, from_ms, to_ms, points=points)
        reference.check(found, told, roundings=2)


@pytest.mark.parametrize(
    ("metrics", "wanted"),
    [
        ("metrics=cpu.pct", {"cpu.pct"}),
        ("metrics=cpu.pct,mem.used_bytes", {"cpu.pct", "mem.used_bytes"}),
        ("metrics=cpu.pct&metrics=net.rx_bytes_per_s", {"cpu.pct", "net.rx_bytes_per_s"}),
        ("metrics=disk.pct", {"disk.pct//mnt/a,b"}),
        ("metrics=load.1m,disk.pct//mnt/a%252Cb", {"load.1m", "disk.pct//mnt/a,b"}),
        ("metrics=disk.pct%2F%2Fmnt%2Fa,b", {"disk.pct//mnt/a,b"}),
        ("metrics=disk.pct//mnt,no.such,NOT+A+NAME,%252", set()),
        ("metrics=", None),
        ("metrics=,", None),
    ],
)
async def test_metrics_are_asked_for_by_name_or_key(
    server: Server, recorded: list[Sent], metrics: str, wanted: set[str] | None
) -> None:
    from_ms = START_MS - 12 * HOUR_MS
    for points in (20, 3600):
        answer = await server.get(f"{PATH}?{metrics}&from={from_ms}&points={points}")
        told = reference.history(recorded, from_ms, START_MS, wanted=wanted, points=points)
        reference.check(answer.as_(History), told)


async def test_by_default_it_is_all_that_is_kept_up_to_now(server: Server) -> None:
    token = await server.node()
    await server.push(token)
    server.clock.advance(5000)
    found = await history(server)
    assert (found.node_id, found.to) == ("n1", server.clock.now_ms())
    assert found.from_ == found.raw_since == server.clock.now_ms() - 48 * HOUR_MS
    assert (found.step_ms, found.ts) == (1, [START_MS])
    assert found.series["mem.pct"].avg == [42]


async def test_a_span_before_what_is_kept_comes_in_ten_minutes(
    server: Server, recorded: list[Sent]
) -> None:
    server.clock.advance(44 * HOUR_MS)
    raw_since = server.clock.now_ms() - 48 * HOUR_MS
    from_ms, to_ms = raw_since - HOUR_MS, raw_since + HOUR_MS
    found = await history(server, from_=from_ms, to=to_ms, points=3600)
    assert found.step_ms == 600_000
    told = reference.history(recorded, from_ms, to_ms, points=3600, raw_since=raw_since)
    reference.check(found, told)


async def test_a_span_of_nothing_holds_nothing(server: Server, recorded: list[Sent]) -> None:
    assert recorded
    for from_ms, to_ms in ((START_MS, START_MS), (0, 0), (0, 1), (START_MS, START_MS + 1)):
        found = await history(server, from_=from_ms, to=to_ms)
        assert (found.ts, found.series) == ([], {})


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        (f"from={START_MS + 1}", "from", f"not be later than 'to', which is {START_MS}"),
        (f"from={START_MS}&to={START_MS - 1}", "from", "not be later than 'to'"),
        ("from=yesterday", "from", "a whole number from 0"),
        ("from=-1", "from", "a whole number from 0"),
        ("from=", "from", "a whole number from 0"),
        ("to=1e12", "to", "a whole number from 0"),
        ("to=1.5", "to", "a whole number from 0"),
        ("to=99999999999999999999", "to", "a whole number from 0"),
        ("to=%D9%A1", "to", "a whole number from 0"),
        ("from=1&from=2", "from", "given once"),
        ("points=0", "points", "a whole number from 1 to 3600"),
        ("points=3601", "points", "a whole number from 1 to 3600"),
        ("points=many", "points", "a whole number from 1 to 3600"),
    ],
)
async def test_a_wrong_parameter_is_named(
    server: Server, query: str, field: str, said: str
) -> None:
    await server.push(await server.node())
    problem = (await server.get(f"{PATH}?{query}")).problem("invalid")
    assert [error.field for error in problem.errors] == [field]
    assert said in problem.detail


async def test_a_gap_is_longer_than_three_of_the_owners_own_intervals(server: Server) -> None:
    token = await server.node()
    minutely = [
        Sent(BOOT, seq, START_MS - (20 - seq) * MINUTE_MS, {"cpu.pct": 1}) for seq in range(20)
    ]
    await replay(server, token, minutely)
    assert None in (await history(server)).series["cpu.pct"].avg
    await server.push(token, 20, values={"cpu.pct": 1}, host={"interval_s": 60})
    server.clock.advance(1)
    found = await history(server)
    assert found.series["cpu.pct"].avg == [1] * 21


async def test_there_is_no_history_of_nobody(server: Server) -> None:
    (await server.get(PATH)).problem("not_found")


async def test_history_is_as_the_document_says(server: Server, recorded: list[Sent]) -> None:
    """Every field is of its type, in either kind of answer: decoded as the message, strictly."""
    assert recorded
    for points in (5, 3600):
        answer = await server.get(f"{PATH}?from={START_MS - HOUR_MS}&points={points}")
        plain: dict[str, Any] = msgspec.json.decode(answer.body)
        assert plain.keys() == {"node_id", "from", "to", "step_ms", "raw_since", "ts", "series"}
        for line in answer.as_(History).series.values():
            assert len(line.avg) == len(line.min) == len(line.max) == len(plain["ts"])
