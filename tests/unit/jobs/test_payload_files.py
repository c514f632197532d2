"""Payloads in files: JSON or not, held to a schema up to a size, in this process or beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge_collector.jobs import payload_files
from forge_collector.jobs.payload_files import MAX_CHECKED_BYTES, UnseenError, look_at, look_beside
from forge_collector.jobs.schemas import PayloadSchema

SCHEMA = PayloadSchema(b'{"type": "array", "items": {"type": "string"}}')
LARGE = b'["%s"]' % (b"a" * MAX_CHECKED_BYTES)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "payload"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        b"not json",
        b"",
        b"[1,]",
        b'["\xff"]',
        b"[" * 100_000,
        b"[1] [2]",
        LARGE[:-1],
        LARGE + b"x",
        LARGE.replace(b"aaaa", b"a\xc3(a", 1),
        LARGE + b"\xc3",
        b"[" * (MAX_CHECKED_BYTES + 1),
    ],
    ids=lambda content: f"{content[:9]!r} … {content[-3:]!r}, {len(content)}",
)
def test_what_is_no_json_is_told(tmp_path: Path, content: bytes) -> None:
    looked = look_at(written(tmp_path, content), SCHEMA)
    assert not looked.is_json
    (fault,) = looked.faults
    assert fault.field == "payload"
    assert fault.detail.startswith("it is no JSON")


def test_what_is_too_large_for_the_schema_is_json_at_least(tmp_path: Path) -> None:
    too_large = b"[1, %s]" % LARGE
    assert look_at(written(tmp_path, too_large), SCHEMA).faults == []
    largest = b'[1, "%s"]' % (b"a" * (MAX_CHECKED_BYTES - 7))
    assert len(largest) == MAX_CHECKED_BYTES
    (fault,) = look_at(written(tmp_path, largest), SCHEMA).faults
    assert fault.field == "payload[0]"


async def test_beside_this_process_it_is_seen_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, b'["a", 2]')
    assert await look_beside(path, SCHEMA) == look_at(path, SCHEMA)
    assert (await look_beside(path, None)).faults == []
    path.unlink()
    with pytest.raises(UnseenError, match="ended with 1"):
        await look_beside(path, SCHEMA)


async def test_what_takes_too_long_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payload_files, "_TIME_S", 0.0)
    with pytest.raises(UnseenError, match="too long"):
        await look_beside(written(tmp_path, b"[]"), SCHEMA)
