"""Jobs are submitted once, and their files arrive whole, over a line that breaks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from forge_shared import backoff
from tests.integration.forgectl.jobs import Called, Worker, a_job_id
from tests.integration.forgectl.relay import Cut, Relay, relay_to
from tests.process import CollectorProcess

MIB = 1024 * 1024
LARGE = json.dumps(["x" * 1023] * 3000).encode()  # not quite 3 MiB


@pytest.fixture
def line(collector: CollectorProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    monkeypatch.setattr(backoff, "full_jitter_s", lambda *_: 0.0)
    with relay_to(collector.port) as relay:
        yield relay


@pytest.fixture
def worker(collector: CollectorProcess) -> Iterator[Worker]:
    with Worker(collector, "attic") as there:
        there.be_there()
        yield there


def test_a_lost_reply_makes_no_second_job(called: Called, line: Relay) -> None:
    line.cuts = [Cut(down=0), Cut(down=20)]
    done = called("jobs", "submit", "once", FORGE_URL=line.url)
    assert done.exit_code == 0, done.output
    assert done.stderr.count("Trying again") == 2
    assert len(line.passed) == 3
    listed = json.loads(called("jobs", "list", "--type", "once", "--json").stdout)["jobs"]
    assert [job["id"] for job in listed] == [done.stdout.strip()]


def test_when_no_reply_comes_at_all_the_id_is_told(called: Called, line: Relay) -> None:
    line.cuts = [Cut(down=0)] * 6
    job_id = a_job_id()
    done = called("jobs", "submit", "maybe", "--id", job_id, FORGE_URL=line.url)
    assert done.exit_code == 1
    assert f"--id {job_id} makes no second job" in done.stderr
    again = called("jobs", "submit", "maybe", "--id", job_id)
    assert again.stdout.strip() == job_id
    assert "one already" in again.stderr


def test_an_upload_goes_on_where_it_was_cut(called: Called, line: Relay, worker: Worker) -> None:
    # The job, how much is there, a part that breaks off, one whose reply is lost.
    line.cuts = [Cut(), Cut(), Cut(up=MIB // 2), Cut(), Cut(down=0)]
    done = called("jobs", "submit", "echo", "-", input=LARGE, FORGE_URL=line.url)
    assert done.exit_code == 0, done.output
    assert done.stderr.count("Going on") == 2
    assert sum(line.passed) < len(LARGE) + MIB  # what had arrived was not sent again
    job = worker.claim("echo")
    assert job["id"] == done.stdout.strip()
    assert worker.payload_file(job) == LARGE
    worker.end(job, "succeeded")


def test_an_upload_that_was_given_up_is_gone_on_with_by_its_id(
    called: Called, line: Relay, worker: Worker, tmp_path: Path
) -> None:
    payload = tmp_path / "large.json"
    payload.write_bytes(LARGE)
    line.cuts = [Cut(), Cut(), Cut(), *[Cut(up=0)] * 20]
    done = called("jobs", "submit", "echo", str(payload), FORGE_URL=line.url)
    assert done.exit_code == 1
    job_id = done.stderr.rpartition("--id ")[2].strip().rstrip(".")
    (file,) = json.loads(called("jobs", "show", job_id, "--json").stdout)["files"]
    assert file["received"] == MIB
    assert "being uploaded" in called("jobs", "show", job_id).stdout

    line.cuts.clear()
    line.passed.clear()
    again = called("jobs", "submit", "echo", str(payload), "--id", job_id, FORGE_URL=line.url)
    assert again.stdout.strip() == job_id
    assert sum(line.passed) < len(LARGE) - MIB // 2
    job = worker.claim("echo")
    assert hashlib.sha256(worker.payload_file(job)).hexdigest() == file["sha256"]
    worker.end(job, "succeeded")


def test_a_result_in_a_file_is_fetched_whole(
    called: Called, line: Relay, worker: Worker, tmp_path: Path
) -> None:
    job_id = called("jobs", "submit", "echo").stdout.strip()
    job = worker.claim("echo")
    sha256 = hashlib.sha256(LARGE).hexdigest()
    worker.upload(job, "result", LARGE, sha256)
    worker.end(job, "succeeded", result_file={"size": len(LARGE), "sha256": sha256})

    target = tmp_path / "result.json"
    line.cuts = [Cut(), Cut(down=MIB), Cut(down=MIB)]
    done = called("jobs", "result", job_id, "-o", str(target), FORGE_URL=line.url)
    assert done.exit_code == 0, done.output
    assert target.read_bytes() == LARGE
    assert [each.name for each in tmp_path.iterdir() if "result" in each.name] == ["result.json"]

    # Without a file it is printed, and what an interrupted download left is gone on with.
    printed = called("jobs", "result", job_id)
    assert (printed.exit_code, printed.stdout_bytes) == (0, LARGE)
    target.with_name(f".result.json.{sha256[:12]}.part").write_bytes(LARGE[: 2 * MIB])
    target.unlink()
    assert called("jobs", "result", job_id, "-o", str(target)).exit_code == 0
    assert target.read_bytes() == LARGE
    # What is there and is not its beginning shows in the hash.
    target.with_name(f".result.json.{sha256[:12]}.part").write_bytes(b"?" * MIB)
    wrong = called("jobs", "result", job_id, "-o", str(target))
    assert (wrong.exit_code, "not what result should be" in wrong.stderr) == (1, True)
    assert called("jobs", "result", job_id, "-o", str(target)).exit_code == 0
    told = json.loads(called("jobs", "result", job_id, "--json").stdout)
    assert told["result"] == json.loads(LARGE)
