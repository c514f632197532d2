"""What the collector's answers mean to a worker, and files that come in parts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from forge_agent.transport import Reply, TransportError
from forge_agent.work import collector, files
from forge_agent.work.collector import Line, Peer, RefusedError, UnansweredError
from forge_agent.work.files import BrokenFileError

PEER = Peer("http://127.0.0.1:1", "secret", None)
HELD = ("job-1", "lease-1")


def reply(status: int, body: object = None, retry_after: str | None = None) -> Reply:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, content, retry_after, "")


class Answers:
    """Stands in for a connection, and answers as a test wants."""

    def __init__(self, *answers: Reply | Exception) -> None:
        self.left = list(answers)
        self.asked: list[tuple[bytes, Mapping[str, str]]] = []

    def get(self, path: str, headers: Mapping[str, str], **more: float) -> Reply:
        return self.put(path, b"", headers, **more)

    def put(self, _path: str, body: bytes, headers: Mapping[str, str], **_: float) -> Reply:
        self.asked.append((body, headers))
        answer = self.left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    post = put


def always() -> bool:
    return True


def line(monkeypatch: pytest.MonkeyPatch, answers: Answers) -> Line:
    monkeypatch.setattr(collector, "Connection", lambda *_, **__: answers)
    return Line(PEER)


@pytest.mark.parametrize(
    "answer",
    [
        TransportError("nothing listens there"),
        reply(500, {"code": "fault", "detail": "x"}),
        reply(503, {"code": "overloaded"}, "7"),
        reply(401, {"code": "unauthorized"}),
        reply(404, {"code": "not_found"}),
        reply(400, b"<html>a proxy</html>"),
        reply(409, {"detail": "without a code"}),
        reply(302),
        reply(200, b"no JSON"),
    ],
)
def test_what_says_nothing_of_the_matter_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, answer: Reply | Exception
) -> None:
    with pytest.raises(UnansweredError) as caught:
        line(monkeypatch, Answers(answer)).post("/x", {})
    assert caught.value.retry_after_s == (7 if "503" in str(caught.value) else 0)


def test_a_refusal_has_the_code_of_its_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = reply(409, {"code": "stale_lease", "detail": "It is another's."})
    with pytest.raises(RefusedError, match="409 It is another's") as caught:
        line(monkeypatch, Answers(stale)).post("/x", {})
    assert caught.value.code == "stale_lease"


def test_the_token_is_in_no_text_of_ours() -> None:
    assert "secret" not in repr(PEER)


def test_a_download_goes_on_where_it_broke_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 40_000
    wanted: dict[str, Any] = {
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    first, rest = content[: files.PART_BYTES], content[files.PART_BYTES :]
    answers = Answers(reply(206, first), TransportError("cut"))
    path = tmp_path / "payload"
    with pytest.raises(UnansweredError):
        files.download(line(monkeypatch, answers), HELD, "payload", wanted, path, goes_on=always)
    answers = Answers(reply(206, rest[: files.PART_BYTES]), reply(206, rest[files.PART_BYTES :]))
    files.download(line(monkeypatch, answers), HELD, "payload", wanted, path, goes_on=always)
    assert path.read_bytes() == content
    assert [asked["Range"].partition("-")[0] for _, asked in answers.asked] == [
        f"bytes={files.PART_BYTES}",
        f"bytes={2 * files.PART_BYTES}",
    ]


def test_a_download_that_is_another_file_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted = {"size": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    path = tmp_path / "payload"
    answers = Answers(reply(206, b"abd"))
    with pytest.raises(BrokenFileError):
        files.download(line(monkeypatch, answers), HELD, "payload", wanted, path, goes_on=always)
    assert not path.exists()


def test_a_download_ends_when_it_is_time_to_stop_and_takes_no_more_than_a_file_may_have(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted: dict[str, Any] = {"size": 2 * files.PART_BYTES, "sha256": "0" * 64}
    answers = Answers(reply(206, b"x" * files.PART_BYTES))
    path, turns = tmp_path / "payload", iter([True, False])
    files.download(
        line(monkeypatch, answers), HELD, "payload", wanted, path, goes_on=lambda: next(turns)
    )
    assert path.stat().st_size == files.PART_BYTES
    wanted["size"] = 2**50
    with pytest.raises(BrokenFileError, match="larger than files may be"):
        files.download(line(monkeypatch, Answers()), HELD, "payload", wanted, path, goes_on=always)


def test_an_upload_sends_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.write_bytes(b"x" * 100)
    answers = Answers(reply(200, {"received": 60}), reply(200, {"received": 100}))
    files.upload(line(monkeypatch, answers), HELD, "result", path)
    assert [(len(body), asked["Content-Range"]) for body, asked in answers.asked] == [
        (0, "bytes */100"),
        (40, "bytes 60-99/100"),
    ]
    conflict = Answers(reply(409, {"code": "range_mismatch", "detail": "40 are there"}))
    with pytest.raises(UnansweredError):
        files.upload(line(monkeypatch, conflict), HELD, "result", path)
    stale = Answers(reply(409, {"code": "stale_lease"}))
    with pytest.raises(RefusedError):
        files.upload(line(monkeypatch, stale), HELD, "result", path)
