from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_agent.core.replies import Action, judge

WORDS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)


def accepted(**changes: object) -> bytes:
    reply = {"accepted": 3, "duplicates": 1, "rejected": [], "interval_s": 5}
    return json.dumps(reply | changes).encode()


def test_a_reply_that_adds_up_is_believed() -> None:
    judgement = judge(status=200, body=accepted(), lines=4)
    assert judgement.action is Action.DONE
    assert judgement.interval_s == 5


def test_rejected_lines_are_counted_and_quoted() -> None:
    rejected = [{"line": 2, "code": "invalid", "detail": "seq: no"}]
    judgement = judge(status=200, body=accepted(rejected=rejected), lines=5)
    assert (judgement.action, judgement.rejected) == (Action.DONE, 1)
    assert judgement.reason == "invalid: seq: no"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b"\xff\xfe",
        b'{"accepted": 4}',
        b"[" * 100_000,
        accepted(accepted=2),
        accepted(accepted=-1, duplicates=5),
        accepted(accepted="3"),
        accepted(accepted=True, duplicates=3),
        accepted(rejected=None),
        accepted(interval_s=None),
        accepted(interval_s=1.5),
    ],
)
def test_a_200_that_does_not_add_up_keeps_the_spool(body: bytes) -> None:
    assert judge(status=200, body=body, lines=4).action is Action.KEEP


@pytest.mark.parametrize(
    ("status", "lines", "action"),
    [
        (400, 5, Action.DROP),
        (422, 5, Action.DROP),
        (413, 5, Action.HALVE),
        (413, 1, Action.DROP),
        *((status, 1, Action.KEEP) for status in (204, 301, 307, 401, 403, 404, 405, 408, 421)),
        *((status, 1, Action.KEEP) for status in (429, 500, 502, 503, 504, 599)),
    ],
)
def test_what_a_status_means(status: int, lines: int, action: Action) -> None:
    assert judge(status=status, body=b"", lines=lines).action is action


def test_a_proxys_400_is_not_the_collectors() -> None:
    page = b"<html>The plain HTTP request was sent to HTTPS port</html>"
    assert judge(status=400, body=page, lines=1).action is Action.KEEP


def test_a_token_refused_is_told_apart() -> None:
    assert judge(status=401, body=b"", lines=1).refused
    assert judge(status=403, body=b"", lines=1).refused
    assert not judge(status=500, body=b"", lines=1).refused


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 0), ("7", 7), ("999999", 300), ("9" * 50, 300), ("-1", 0), ("soon", 0), ("²", 0)],
)
def test_retry_after_is_honoured_within_bounds(header: str | None, seconds: int) -> None:
    judgement = judge(status=503, body=b"", lines=1, retry_after=header)
    assert judgement.retry_after_s == seconds
    assert judge(status=500, body=b"", lines=1, retry_after="7").retry_after_s == 0


def test_a_redirect_says_where_to() -> None:
    judgement = judge(status=308, body=b"", lines=1, location="https://x/")
    assert "https://x/" in judgement.reason
    assert "CENTRAL_URL" in judgement.reason


@given(st.integers(100, 599), st.one_of(st.binary(), WORDS.map(lambda w: json.dumps(w).encode())))
def test_no_answer_makes_it_fail_or_forget(status: int, body: bytes) -> None:
    judgement = judge(status=status, body=body, lines=3)
    if status not in {400, 413, 422}:
        assert judgement.action is Action.KEEP
