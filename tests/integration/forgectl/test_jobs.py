"""forgectl jobs and workers, against a real collector."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forge_shared.job_messages import MAX_INLINE_BYTES
from forgectl.jobs import payloads
from tests.integration.forgectl.jobs import TYPES, Called, Worker, a_job_id
from tests.process import CollectorProcess

FT_2 = "2 2\n0 3 1 2\n1 2 0 4\n"


@pytest.fixture(scope="module")
def worker(collector: CollectorProcess) -> Iterator[Worker]:
    with Worker(collector, "attic") as there:
        there.be_there()
        yield there


def submitted(called: Called, *arguments: str, **options: Any) -> str:
    done = called("jobs", "submit", *arguments, **options)
    assert done.exit_code == 0, done.output
    return str(done.stdout.strip())


def shown(called: Called, job_id: str) -> dict[str, Any]:
    return dict(json.loads(called("jobs", "show", job_id, "--json").stdout))


def test_a_job_goes_from_submit_to_result(called: Called, worker: Worker) -> None:
    job_id = submitted(called, "echo", "-", "--name", "greeting", "--json", input='{"hello": 1}')
    job_id = json.loads(job_id)["id"]
    assert called("jobs", "result", job_id).exit_code == 5  # not over yet
    job = worker.claim("echo")
    assert (job["id"], job["payload"], job["name"]) == (job_id, {"hello": 1}, "greeting")
    worker.end(job, "succeeded", result={"hello": [1, 2.5]})

    assert json.loads(called("jobs", "result", job_id).stdout) == {"hello": [1, 2.5]}
    told = json.loads(called("jobs", "result", job_id, "--json").stdout)
    assert told == {"id": job_id, "status": "succeeded", "result": {"hello": [1, 2.5]}}
    watched = called("jobs", "watch", job_id)
    assert (watched.exit_code, watched.stdout.split()[1:]) == (0, ["succeeded"])
    assert "succeeded" in called("jobs", "show", job_id).stdout


def test_every_option_arrives(called: Called) -> None:
    job_id = submitted(
        called,
        *("prodplan", "-", "--priority", "-7", "--class", "llm", "--delay", "10m"),
        *("--deadline", "2h", "--wall-limit", "5m", "--no-progress-limit", "90s"),
        *("--attempts", "2", "--dedup-key", "k1"),
        *("--require", "os=Linux,cores=4,memory=8GiB", "--require", "tag=gpu,tag=attic"),
        *("--require", "node=n1,min-version=1.2"),
        input="[]",
    )
    job = shown(called, job_id)
    assert job["requires"] == {
        "os": "linux",
        "cores": 4,
        "memory_bytes": 8 * 2**30,
        "tags": ["attic", "gpu"],
        "node": "n1",
        "min_version": "1.2",
    }
    assert (job["priority"], job["resource_class"], job["max_attempts"]) == (-7, "llm", 2)
    assert (job["wall_limit_s"], job["no_progress_limit_s"]) == (300, 90)
    assert job["available_at"] - job["created_at"] == 600_000
    assert abs(job["deadline"] - job["created_at"] - 7_200_000) < 5000
    # The same key again is the same job, and says so.
    again = called("jobs", "submit", "prodplan", "--dedup-key", "k1")
    assert again.stdout.strip() == job_id
    assert "one already" in again.stderr
    words = " ".join(called("jobs", "show", job_id).stdout.split())
    assert "requires linux, 4 cores, 8 GiB of memory, tags attic gpu, node n1" in words
    assert "5m in all, 90s without progress" in words
    assert "It is to start in" in words


def test_a_plan_in_a_format_of_the_field_is_converted(
    called: Called, worker: Worker, tmp_path: Path
) -> None:
    plan = tmp_path / "tiny.txt"
    plan.write_text(FT_2)
    job_id = submitted(called, "prodplan", str(plan))
    job = worker.claim("prodplan")
    assert (job["id"], job["name"]) == (job_id, "tiny.txt")
    operations = [one["operations"] for one in job["payload"]["jobs"]]
    assert [[each["duration"] for each in each_job] for each_job in operations] == [[3, 2], [2, 4]]
    worker.end(job, "succeeded", result={})


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
def test_a_text_whose_encoding_is_marked_is_read_as_that(
    called: Called, worker: Worker, mark: bytes, encoding: str
) -> None:
    plan = mark + FT_2.replace("\n", "\r\n").encode(encoding)
    assert called("jobs", "submit", "prodplan", "-", input=plan).exit_code == 0
    job = worker.claim("prodplan")
    assert len(job["payload"]["jobs"]) == 2
    worker.end(job, "succeeded", result={})
    assert called("jobs", "submit", "echo", "-", input=mark + '"ä"'.encode(encoding)).exit_code == 0
    job = worker.claim("echo")
    assert job["payload"] == "ä"
    worker.end(job, "succeeded", result={})


@pytest.mark.parametrize(
    ("job_type", "text", "said"),
    [
        ("prodplan", "2 2\n0 3 1 x\n1 2 0 4\n", "line 2"),
        ("prodplan", '{"jobs": [\n 1,\n ]}', "line 3, column 2: trailing comma"),
        ("prodplan", "", "it is empty"),
        ("echo", FT_2, "line 1, column 4: trailing characters. Write the payload as JSON"),
        ("echo", '{"a": ', "it ends too soon"),
        ("echo", "NaN", "line 1, column 1"),
        ("echo", b'{"a": "\xff"}', "line 1, column 8: it is not UTF-8"),
        ("echo", b"\xff\xfe{\x00}", "begins as UTF-16, and is none at byte 4"),
        ("no such type!", "{}", "type"),
    ],
)
def test_what_is_no_payload_is_refused_with_the_place(
    called: Called, job_type: str, text: str | bytes, said: str
) -> None:
    done = called("jobs", "submit", job_type, "-", input=text)
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stdout == ""


def test_a_payload_that_its_type_does_not_take_is_refused_with_every_fault(
    called: Called, worker: Worker
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}, "m": {"type": "string"}}}
    strict = {"name": "strict", "version": "1.0", "payload_schema": schema}
    worker.be_there(plugins=[*TYPES, strict])
    done = called("jobs", "submit", "strict", "-", input='{"n": "one", "m": 1}')
    assert done.exit_code == 1
    assert "n: 'one' is not of type 'integer'" in done.stderr
    assert "m: 1 is not of type 'string'" in done.stderr
    assert "`forgectl jobs types --json`" in done.stderr
    types = json.loads(called("jobs", "types", "--json").stdout)
    assert [each["payload_schema"] for each in types if each["name"] == "strict"] == [schema]
    assert called("jobs", "submit", "strict", "-", input='{"n": 1}').exit_code == 0


def test_a_large_payload_that_its_type_does_not_take_leaves_nothing_waiting(
    called: Called, worker: Worker
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    worker.be_there(plugins=[*TYPES, {"name": "large", "version": "1.0", "payload_schema": schema}])
    job_id, large = a_job_id(), json.dumps({"n": "one", "filling": "x" * MAX_INLINE_BYTES})
    for _ in range(2):
        done = called("jobs", "submit", "large", "-", "--id", job_id, input=large)
        assert done.exit_code == 1
        assert "n: 'one' is not of type 'integer'" in done.stderr
        assert "To go on" not in done.stderr
        job = shown(called, job_id)
        assert (job["status"], job["error"]["code"]) == ("failed", "payload_invalid")
        assert called("jobs", "retry", job_id).exit_code == 0  # as if its schema had been wrong


def test_how_large_a_payload_may_be_is_told_as_the_manual_does(
    called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payloads, "MAX_FILE_BYTES", 3 * 2**20)
    done = called("jobs", "submit", "echo", "-", input="1" * (3 * 2**20 + 1))
    assert done.exit_code == 1
    assert "a payload has 3 MiB at most" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--require", "cores=many"), "no whole number"),
        (("--require", "cpu=4"), "none of os=linux"),
        (("--require", "os="), "none of os=linux"),
        (("--require", "os=linux", "--require", "os=windows"), "twice"),
        (("--require", "memory=8 apples"), "8GiB"),
        (("--delay", "31d"), "between 1s and 30d"),
        (("--wall-limit", "soon"), "30m, 1h, 7d"),
        (("--deadline", "soon"), "in how long"),
        (("--id", "1"), "no UUID"),
        (("--attempts", "0"), "1<=x<=20"),
    ],
)
def test_a_command_line_that_cannot_be_says_why(
    called: Called, arguments: tuple[str, ...], said: str
) -> None:
    done = called("jobs", "submit", "echo", *arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


def test_jobs_are_listed_and_filtered(called: Called, worker: Worker) -> None:
    first = submitted(called, "listed", "--name", "one \u202eeno")
    second = submitted(called, "listed", "--name", "two")
    listed = called("jobs", "list", "--type", "listed")
    header, *rows = listed.stdout.splitlines()
    assert header.split()[:4] == ["ID", "STATUS", "TYPE", "NAME"]
    assert [row.split()[0] for row in rows] == [second, first]
    assert "No worker offers listed." in rows[0]
    assert "\u202e" not in listed.stdout
    assert "pending" in listed.stderr  # how many there are in all
    page = json.loads(called("jobs", "list", "--type", "listed", "--limit", "1", "--json").stdout)
    assert [job["id"] for job in page["jobs"]] == [second]
    assert page["next"]
    narrow = called("jobs", "list", "--type", "listed", COLUMNS="50").stdout
    assert narrow.split("\n")[0].split() == ["ID", "STATUS"]
    assert first in narrow
    assert first in called("jobs", "list", "--type", "listed", COLUMNS="24").stdout
    assert called("jobs", "list", "--search", "eno").stdout.count(first) == 1
    assert called("jobs", "list", "--status", "cancelled", "--type", "listed").stdout == ""
    assert called("jobs", "list", "--node", worker.node_id, "--type", "listed").stdout == ""


def test_jobs_are_cancelled_and_tried_again_by_beginnings_of_ids(
    called: Called, worker: Worker
) -> None:
    waiting = submitted(called, "ended")
    running = submitted(called, "echo")
    job = worker.claim("echo")
    done = called("jobs", "cancel", waiting[:-1], running, "deadbeef")
    assert done.exit_code == 1
    assert done.stdout == f"{waiting}: cancelled\n{running}: cancelling\n"
    assert "There is no job 'deadbeef'" in done.stderr
    assert called("jobs", "result", waiting).exit_code == 4
    assert "cancelling on attic, attempt 1 of" in called("jobs", "show", running).stdout
    worker.end(job, "yielded")
    assert called("jobs", "watch", running).exit_code == 4

    again = called("jobs", "retry", waiting, "--json")
    assert json.loads(again.stdout) == [{"id": waiting, "status": "pending"}]
    refused = called("jobs", "retry", waiting, "--json")
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)[0]["error"]
    assert called("jobs", "cancel", "0").exit_code == 1  # the beginning of all of them
    called("jobs", "cancel", waiting)


def test_a_failed_job_shows_its_attempts_and_steers_no_terminal(
    called: Called, worker: Worker
) -> None:
    job_id = submitted(called, "echo", "--name", "breaks")
    job = worker.claim("echo")
    worker.report(job, fraction=0.25, message="at \x1b[2Jit", objective=57, bound=55.5, gap=0.026)
    half = called("jobs", "show", job_id).stdout
    assert "25 %, at \ufffd[2Jit, objective 57, bound 55.5, gap 2.6 %" in half
    error = {"code": "broken", "message": "no\n\x1b]0;title\x07 paper", "retryable": False}
    log = "".join(f"line {number}\n" for number in range(30)) + "\tthe \x1b[31mend\n"
    worker.end(job, "failed", error=error, log_tail=log)

    done = called("jobs", "result", job_id)
    assert done.exit_code == 3
    assert "broken: no" in done.stderr
    assert called("jobs", "watch", job_id).exit_code == 3
    text = called("jobs", "show", job_id).stdout
    assert "attempt 1 on attic" in text
    assert "… 11 lines before" in text
    assert "| line 29" in text
    assert "the \ufffd[31mend" in text
    assert not set(text + half) & {"\x1b", "\x07"}
    told = json.loads(called("jobs", "result", job_id, "--json").stdout)
    assert (told["status"], told["error"]["code"], "result" in told) == ("failed", "broken", False)


def test_workers_and_who_has_none(
    called: Called, collector: CollectorProcess, worker: Worker
) -> None:
    snapshot = {
        "seq": 0,
        "boot_id": "0190b8a4-7a5f-4c3e-9d21-5e0b6a7c8d90",
        "ts": 1_800_000_000_000,
    }
    for node_id in ("attic", "cellar"):
        with collector.client(collector.mint(node_id=node_id)) as node:
            assert node.push(node_id, {**snapshot, "values": {"cpu.pct": 1}}).status == 200
    worker.be_there(state="paused", reason="its owner \x1b[2J is back")
    job_id = submitted(called, "echo")
    job = worker.claim("echo")

    text = called("workers").stdout
    header, row, idle = text.splitlines()
    assert header.split() == ["NODE", "STATE", "TYPES", "SLOTS", "HEARD", "RUNNING"]
    assert "paused: its owner \ufffd[2J is back" in row
    assert "echo 1.0, prodplan 1.4" in row
    assert "cpu 0/4, io 1/10" in row
    assert row.split()[-1] == "1"
    assert idle.startswith("No worker on cellar: work is off there. `forge-agent work on`")
    crew = json.loads(called("workers", "--json").stdout)
    assert crew["nodes_without_worker"] == ["cellar"]
    assert [(each["id"], each["running"]) for each in crew["workers"]] == [(worker.id, [job_id])]
    worker.end(job, "succeeded")


def test_a_file_of_an_attempt_before_is_not_printed_as_the_result(
    called: Called, worker: Worker
) -> None:
    job_id = submitted(called, "echo")
    job, body = worker.claim("echo"), b'"of an attempt that was given back"'
    worker.upload(job, "result", body, hashlib.sha256(body).hexdigest())
    worker.end(job, "yielded")
    worker.end(worker.claim("echo"), "succeeded", result="of the one that did it")
    assert json.loads(called("jobs", "result", job_id).stdout) == "of the one that did it"
    assert "file " not in called("jobs", "show", job_id).stdout


def test_a_submitter_sees_its_own_jobs_alone(
    called: Called, collector: CollectorProcess, worker: Worker
) -> None:
    worker.be_there()
    minted = called("tokens", "mint", "--role", "submitter", "--name", "a script")
    other = submitted(called, "others")
    token = minted.stdout.strip()
    own = submitted(called, "own", FORGE_TOKEN=token)
    listed = json.loads(called("jobs", "list", "--json", FORGE_TOKEN=token).stdout)
    assert [job["id"] for job in listed["jobs"]] == [own]
    for command in ("show", "watch", "result", "cancel", "retry"):
        refused = called("jobs", command, other, FORGE_TOKEN=token)
        assert (refused.exit_code, "no job" in refused.stderr) == (1, True)
    assert called("jobs", "cancel", own, FORGE_TOKEN=token).exit_code == 0
    assert "needs the role" in called("workers", FORGE_TOKEN=token).stderr
    told = [line.split() for line in called("jobs", "types", FORGE_TOKEN=token).stdout.splitlines()]
    assert told[0] == ["TYPE", "TITLE", "CLASS", "VERSIONS", "WORKERS"]
    assert ["prodplan", "Production", "planning", "cpu", "1.4", "1"] in told
    types = json.loads(called("jobs", "types", "--json", FORGE_TOKEN=token).stdout)
    assert {one["name"] for one in types} >= {"echo", "prodplan"}
    assert "a script" in called("jobs", "show", own).stdout


def test_a_collector_that_is_not_there_is_said_at_once(called: Called) -> None:
    for arguments in (("submit", "echo"), ("watch", "deadbeef"), ("list",)):
        done = called("jobs", *arguments, FORGE_URL="http://127.0.0.1:9")
        assert done.exit_code == 1
        assert "No collector answers" in done.stderr
