"""What a job leaves in its folder, and what of it is taken: the job may be another user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from forge_agent.work.kept import Kept, UnusableFileError
from forge_agent.work.said import Said


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "job"
    folder.mkdir()
    (tmp_path / "secret").write_text('"the agent\'s"')
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    (tmp_path / "work").mkdir()
    return Kept(tmp_path / "work")


def test_a_plain_file_is_taken_by_its_name_or_its_path(kept: Kept, work_dir: Path) -> None:
    (work_dir / "result.json").write_text("[1]")
    for name in ("result.json", str(work_dir / "result.json")):
        assert kept.take(work_dir, name).read_text() == "[1]"


def test_nothing_else_is_taken(kept: Kept, work_dir: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    (work_dir / "link").symlink_to(secret)
    os.link(secret, work_dir / "another-name")
    os.mkfifo(work_dir / "pipe")
    (work_dir / "folder").mkdir()
    (work_dir / "way-out").symlink_to(tmp_path)
    names = ("link", "another-name", "pipe", "folder", "absent", "..", "", "way-out/secret")
    for name in (*names, "../secret", str(secret), "/etc/passwd", "a\0b"):
        with pytest.raises((UnusableFileError, ValueError)):
            kept.take(work_dir, name)


def test_what_cannot_be_taken_is_said_and_not_told(kept: Kept, work_dir: Path) -> None:
    said = Said("lease", kept, lambda: work_dir)
    assert not said.take(b'{"type": "checkpoint", "path": "../secret"}')
    assert not said.take(b'{"type": "result", "path": "../secret"}')
    assert not said.take(b'{"type": "result", "result": NaN}')
    assert not said.take(b"Solving ...")
    assert not said.take(b"[" * 100_000)
    assert not said.take(b'{"type": "hint"}')
    assert (said.result, said.checkpoint, said.tells_at_s()) == (None, None, None)
    assert len(said.remarks) == 6


def test_what_is_nested_deeply_is_not_taken_and_remarks_are_short_and_harmless(
    kept: Kept, work_dir: Path
) -> None:
    said = Said("lease", kept, lambda: work_dir)
    deep = b"[" * 300 + b"]" * 300
    assert not said.take(b'{"type": "checkpoint", "data": ' + deep + b"}")
    (work_dir / "deep").write_bytes(b"[" * 100_000)
    assert not said.take(b'{"type": "result", "path": "deep"}')
    assert not said.take(b'{"type": "\\u001b[2J"}')
    assert not said.take(b'{"type": "result", "path": "' + b"n" * 10_000 + b'"}')
    assert (said.result, said.checkpoint) == (None, None)
    assert said.take(b'{"type": "result", "result": ' + deep[200:400] + b"}")
    assert all(remark.isprintable() and len(remark) <= 400 for remark in said.remarks)
    assert len(said.remarks) == 4


def test_a_checkpoint_is_told_once_and_a_newer_one_takes_its_place(
    kept: Kept, work_dir: Path
) -> None:
    said = Said("lease", kept, lambda: work_dir)
    assert said.take(b'{"type": "checkpoint", "data": {"n": 1}}')
    assert not said.take(b'{"type": "checkpoint", "data": {"n": 1}}')
    told = said.tell(1000)
    assert told == {"checkpoint": {"n": 1}}
    assert said.tells_at_s() is None
    said.take_back(told)
    assert said.tells_at_s() is not None
    assert said.tell(1) == {}  # no room in this heartbeat
    said.take(b'{"type": "checkpoint", "data": {"n": 2}}')
    assert said.tell(1000) == {"checkpoint": {"n": 2}}
    assert kept.checkpoint("lease") == {"n": 1}  # at most every other second
    kept.forget_checkpoint("lease")
    assert kept.checkpoint("lease") is None


def test_a_large_checkpoint_is_a_file_until_there_is_another(kept: Kept, work_dir: Path) -> None:
    said = Said("lease", kept, lambda: work_dir)
    large = b'{"type": "checkpoint", "data": "' + b"x" * 2_000_000 + b'"}'
    said.take(large)
    first = said.file_to_upload()
    assert first is not None
    assert said.file_to_upload() is None  # it is on its way
    said.take(large)
    second = said.file_to_upload()
    assert second is not None
    assert first.exists()  # somebody reads it
    said.uploaded(first, done=True)
    assert not first.exists()
    said.uploaded(second, done=False)
    assert said.file_to_upload() == second


def test_a_checkpoint_whose_upload_is_under_way_is_still_to_be_told(
    kept: Kept, work_dir: Path
) -> None:
    """The job ends meanwhile, and the upload may be in vain."""
    said = Said("lease", kept, lambda: work_dir)
    said.take(b'{"type": "checkpoint", "data": "' + b"x" * 2_000_000 + b'"}')
    path = said.file_to_upload()
    assert path is not None
    last = said.last_checkpoint(is_wanted=True)
    assert last is not None
    said.uploaded(path, done=False)
    assert (last.path, path.exists()) == (path, True)
    said.file_to_upload()
    said.uploaded(path, done=True)
    assert said.last_checkpoint(is_wanted=True) is None
    assert not path.exists()


def test_a_checkpoint_that_nobody_wants_is_gone_once_nobody_reads_it(
    kept: Kept, work_dir: Path
) -> None:
    said = Said("lease", kept, lambda: work_dir)
    said.take(b'{"type": "checkpoint", "data": "' + b"x" * 2_000_000 + b'"}')
    path = said.file_to_upload()
    assert path is not None
    assert said.last_checkpoint(is_wanted=False) is None
    assert path.exists()
    said.uploaded(path, done=False)
    assert not path.exists()


def test_a_result_that_cannot_be_taken_takes_nothing_from_the_one_before(
    kept: Kept, work_dir: Path
) -> None:
    said = Said("lease", kept, lambda: work_dir)
    said.take(b'{"type": "result", "result": "' + b"x" * 2_000_000 + b'"}')
    said.take(b'{"type": "result", "path": "absent"}')
    assert said.result is not None
    assert said.result.path is not None
    assert said.result.path.exists()
