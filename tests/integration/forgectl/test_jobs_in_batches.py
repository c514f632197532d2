"""forgectl jobs submit --batch: many jobs, each once, also over a line that breaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forge_shared import backoff
from forge_shared.job_messages import MAX_INLINE_BYTES, SubmittedJobs
from forgectl.client import Client, ClientError
from forgectl.jobs import batches, payloads
from tests.integration.forgectl.jobs import Called, Worker, a_job_id
from tests.integration.forgectl.relay import Cut, Relay, relay_to
from tests.integration.forgectl.terminal import terminal
from tests.process import ADMIN_SECRET, CollectorProcess, environment, wait_for


@pytest.fixture
def line(collector: CollectorProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    monkeypatch.setattr(backoff, "full_jitter_s", lambda *_: 0.0)
    with relay_to(collector.port) as relay:
        yield relay


def jobs_of(called: Called, job_type: str) -> list[dict[str, Any]]:
    """Return them, the oldest first."""
    told = called("jobs", "list", "--type", job_type, "--limit", "9999", "--json").stdout
    return list(reversed(json.loads(told)["jobs"]))


def lines(job_type: str, count: int) -> str:
    return "".join(
        json.dumps({"type": job_type, "payload": n, "name": f"job {n}"}) + "\n"
        for n in range(count)
    )


def test_each_line_is_a_job_and_many_go_in_a_request(
    called: Called, line: Relay, tmp_path: Path
) -> None:
    batch = tmp_path / "batch.ndjson"
    batch.write_text(lines("many", 1201))
    done = called("jobs", "submit", "--batch", str(batch), FORGE_URL=line.url)
    assert done.exit_code == 0, done.output
    found = jobs_of(called, "many")
    assert [job["id"] for job in found] == done.stdout.split()
    assert [job["name"] for job in found] == [f"job {n}" for n in range(1201)]
    assert len(line.passed) == 3
    assert "goes on, and submits no line twice" in done.stderr


def test_lines_that_are_refused_are_told_and_the_others_are_submitted(
    called: Called, worker: Worker
) -> None:
    own = a_job_id()
    body = b"\n".join(
        [
            b'\xef\xbb\xbf{"type": "mixed", "payload": 1}',
            b"",
            b"no JSON",
            b'{"type": "Mixed!"}',
            b'{"type": "mixed", "id": "%b"}\r' % own.encode(),
            b'{"type": "mixed", "deadline": 1000000000000}',
            b'{"type": "mixed", "payload": "%b"}' % (b"x" * MAX_INLINE_BYTES),
            b'{"type": "mixed", "payload": "%b"}' % (b"x" * 5 * MAX_INLINE_BYTES),
            b'{"type": "strict", "payload": {"n": 0}}',
            b'{"type": "mixed", "id": "%b"}' % own.encode(),
        ]
    )
    done = called("jobs", "submit", "--batch", "-", input=body)
    assert done.exit_code == 1
    ids = [job["id"] for job in jobs_of(called, "mixed")]
    assert len(ids) == 2
    assert done.stdout.split()[1:] == [own, own]
    assert set(done.stdout.split()) == set(ids)
    told = done.stderr.splitlines()
    assert [each.partition(":")[0] for each in told[:6]] == [
        *("Line 3", "Line 4", "Line 6", "Line 7", "Line 8", "Line 9")
    ]
    assert "a job type begins with a small letter" in told[1]
    assert "deadline has passed" in told[2]
    assert "by itself, with the payload in a FILE" in told[3]
    assert "less than the minimum" in told[5]
    assert told[6:] == ["1 of them were there already.", "Refused: 6 of 9 lines."]

    as_json = called("jobs", "submit", "--batch", "-", "--json", input=body)
    assert as_json.exit_code == 1
    found = json.loads(as_json.stdout)
    assert [each["line"] for each in found["jobs"]] == [1, 5, 10]
    assert [(each["line"], each["code"]) for each in found["refused"]] == [
        (3, "malformed_json"),
        (4, "invalid"),
        (6, "deadline_passed"),
        (7, "too_large"),
        (8, "too_large"),
        (9, "payload_invalid"),
    ]


@pytest.fixture
def worker(collector: CollectorProcess) -> Iterator[Worker]:
    schema = {"properties": {"n": {"minimum": 1}}}
    with Worker(collector, "attic") as there:
        there.be_there(plugins=[{"name": "strict", "version": "1.0", "payload_schema": schema}])
        yield there


def test_requests_are_as_large_as_the_collector_takes(called: Called, line: Relay) -> None:
    large = json.dumps({"type": "large", "payload": "x" * (MAX_INLINE_BYTES - 100)}) + "\n"
    done = called("jobs", "submit", "--batch", "-", input=large * 8, FORGE_URL=line.url)
    assert (done.exit_code, len(done.stdout.split())) == (0, 8), done.output
    assert len(line.passed) == 2
    assert max(line.passed) < 8 * MAX_INLINE_BYTES


def test_a_lost_reply_makes_no_second_jobs(called: Called, line: Relay) -> None:
    line.cuts = [Cut(down=0), Cut(), Cut(up=10_000), Cut(down=20)]
    done = called("jobs", "submit", "--batch", "-", input=lines("lost", 900), FORGE_URL=line.url)
    assert done.exit_code == 0, done.output
    assert done.stderr.count("Trying again") == 3
    assert [job["id"] for job in jobs_of(called, "lost")] == done.stdout.split()


def test_after_a_break_the_same_command_goes_on(
    called: Called, line: Relay, tmp_path: Path
) -> None:
    batch = tmp_path / "batch.ndjson"
    batch.write_text(lines("broken", 700))
    line.cuts = [Cut(), *[Cut(down=0)] * 20]
    done = called("jobs", "submit", "--batch", str(batch), FORGE_URL=line.url)
    assert done.exit_code == 1
    assert len(done.stdout.split()) == 500
    batch_id = done.stderr.rpartition("--id ")[2].split()[0]
    again = called("jobs", "submit", "--batch", str(batch), "--id", batch_id)
    assert again.exit_code == 0
    assert "700 of them were there already." in again.stderr  # their answer alone was lost
    assert again.stdout.startswith(done.stdout)
    assert [job["id"] for job in jobs_of(called, "broken")] == again.stdout.split()
    # What stands there now is another job, whatever the number of its line.
    batch.write_text(lines("broken", 2).partition("\n")[2])
    other = called("jobs", "submit", "--batch", str(batch), "--id", batch_id)
    assert (other.exit_code, other.stderr) == (0, "")
    assert len(jobs_of(called, "broken")) == 701


def test_all_is_submitted_though_nobody_reads_the_ids(
    called: Called, collector: CollectorProcess, tmp_path: Path
) -> None:
    batch = tmp_path / "batch.ndjson"
    batch.write_text(lines("unread", 600))
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        [sys.executable, "-m", "forgectl", "jobs", "submit", "--batch", str(batch)],
        env=environment(FORGE_URL=collector.url, FORGE_TOKEN=ADMIN_SECRET, HOME=str(tmp_path)),
        stdout=writes,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=20,
    )
    os.close(writes)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert len(jobs_of(called, "unread")) == 600


def test_a_terminal_shows_how_far_it_is_and_every_id(
    called: Called, collector: CollectorProcess, tmp_path: Path
) -> None:
    batch = tmp_path / "batch.ndjson"
    batch.write_text(lines("shown", 1001))
    with terminal(collector.url, tmp_path, "jobs", "submit", "--batch", str(batch)) as screen:
        wait_for(lambda: screen.process.poll() is not None or None, "the end of it")
        assert screen.process.returncode == 0
        wait_for(lambda: screen.written.count(b"\n") > 1001 or None, "all ids")
        written = screen.written.decode()
    assert "Submitting" in written
    for job in jobs_of(called, "shown"):
        assert job["id"] in written


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--batch", "-", "--priority", "3"), "leave out '--priority'"),
        (("--batch", "-", "echo"), "leave out 'TYPE'"),
        (("--batch", "-", "--watch"), "leave out '--watch'"),
        ((), "Missing argument 'TYPE'"),
    ],
)
def test_what_goes_with_a_batch_and_what_does_not(
    called: Called, arguments: tuple[str, ...], said: str
) -> None:
    done = called("jobs", "submit", *arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


def test_a_batch_that_cannot_be_read_and_one_that_is_empty(called: Called, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        done = called("jobs", "submit", "--batch", str(path))
        assert (done.exit_code, "cannot be read" in done.stderr) == (1, True)
    away = {"FORGE_URL": "http://127.0.0.1:9"}
    nobody = called("jobs", "submit", "--batch", "-", input='{"type": "echo"}', **away)
    assert (nobody.exit_code, "--id" in nobody.stderr) == (1, False)
    empty = called("jobs", "submit", "--batch", "-", input="\n\n")
    assert (empty.exit_code, empty.stdout, empty.stderr) == (0, "", "")


def test_a_closed_standard_input_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    client = Client("http://127.0.0.1:9", "token")
    with pytest.raises(ClientError, match="it is closed"):
        batches.submit(client, "-", a_job_id(), lambda _told: None)
    with pytest.raises(ClientError, match="it is closed"):
        payloads.read("echo", "-")
    assert payloads.read("echo", None) == b"null"


def test_an_answer_that_does_not_fit_is_no_collectors(
    called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: object) -> object:
        return SubmittedJobs([], [])

    monkeypatch.setattr(Client, "post_lines", answer)
    done = called("jobs", "submit", "--batch", "-", input='{"type": "echo"}')
    assert done.exit_code == 1
    assert "not a Forge Fleet collector's" in done.stderr


# --- a payload that is piped in -----------------------------------------------------------------


def test_a_payload_that_is_piped_in_needs_no_name(called: Called) -> None:
    done = called("jobs", "submit", "piped", input='{"hello": 1}')
    assert done.exit_code == 0, done.output
    shown = json.loads(called("jobs", "show", done.stdout.strip(), "--json").stdout)
    assert shown["payload"] == {"hello": 1}
    refused = called("jobs", "submit", "piped", input='{"hello": ')
    assert (refused.exit_code, "it ends too soon" in refused.stderr) == (1, True)
    nothing = called("jobs", "submit", "piped", input="").stdout.strip()
    shown = json.loads(called("jobs", "show", nothing, "--json").stdout)
    assert shown["payload"] is None


def test_a_terminal_is_not_waited_for(
    called: Called, collector: CollectorProcess, tmp_path: Path
) -> None:
    with terminal(collector.url, tmp_path, "jobs", "submit", "typed") as screen:
        assert screen.process.wait(20) == 0
    assert len(jobs_of(called, "typed")) == 1


def test_what_a_type_may_be_is_said_in_words(called: Called) -> None:
    done = called("jobs", "submit", "no such type!")
    assert done.exit_code == 1
    assert "a job type begins with a small letter or digit" in done.stderr
    assert "^[" not in done.stderr
