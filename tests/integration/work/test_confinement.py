"""What a job is kept from, tried by a job: as another user, and as the agent's own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from forge_agent.work import confinement
from forge_agent.work.child import NotStartedError
from forge_agent.work.plugins import Granted
from tests.agent_process import running_agent
from tests.integration.work import jobs
from tests.integration.work.jobs import ANOTHER_USER, SAME_USER, WAYS, answer_of, confine_by
from tests.process import running_collector

INTRUDER = Path(__file__).with_name("intruder.py").read_text()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    confine_by(request.param, monkeypatch)
    return str(request.param)


def test_a_job_gets_at_nothing_of_the_agent_or_the_collector(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEARER_TOKEN", "the-worker's-token")
    plugin = jobs.make_plugin(tmp_path / "state" / "plugins" / "tried", INTRUDER)
    with (
        running_collector(tmp_path / "data") as collector,
        running_agent(collector, "n1", tmp_path / "agent") as agent,
    ):
        # Nothing but the means themselves may stand in the way.
        for path in (tmp_path, *tmp_path.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644) if way == SAME_USER else None
        secrets = [tmp_path / "agent" / "token", *(tmp_path / "data").iterdir()]
        wanted: dict[str, list[Any]] = {
            "files": [str(path) for path in secrets if path.is_file()],
            "folders": [
                *(str(tmp_path / name) for name in ("agent", "agent/state", "data", "state")),
                *(str(plugin.folder), str(tmp_path), "/", "/tmp", "/dev/shm", str(Path.home())),  # noqa: S108
            ],
            "pids": [agent.pid, collector.pid, os.getpid()],
        }
        assert len(wanted["files"]) >= 3
        with jobs.started(plugin, tmp_path, wanted) as job:
            answer = answer_of(job)
            ending = job.wait(10)
        assert ending is not None
        assert ending.clean
    # Its own folder, to read and run, is all that it has of these.
    assert answer["done"] == [f"list {plugin.folder}"]
    assert (answer["uid"] == os.getuid()) is (way != ANOTHER_USER)
    assert way != ANOTHER_USER or answer["groups"] == []
    assert "BEARER_TOKEN" not in answer["env"]
    assert set(answer["env"]) <= {
        *("HOME", "TMPDIR", "LANG", "PATH", "LC_CTYPE"),
        *("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONNOUSERSITE", "PYTHONIOENCODING"),
    }


GRANTED = """
import json, os, socket, sys
payload = json.load(sys.stdin)["payload"]
connection = socket.create_connection(("127.0.0.1", payload["port"]), 5)
connection.sendall(b"hello")
print(json.dumps({
    "read": open(payload["file"]).read(),
    "env": os.environ.get("TRIED_LANGUAGE"),
}))
"""


def test_a_job_has_what_was_granted(way: str, open_path: Path) -> None:
    (open_path / "data").mkdir()
    (open_path / "data" / "table").write_text("1 2 3")
    plugin = jobs.make_plugin(open_path / "tried", GRANTED)
    # Who passes through closed folders, as to root's interpreter, is given no folder to read.
    path = open_path / "data" / ("table" if way == ANOTHER_USER else "")
    granted = Granted({"TRIED_LANGUAGE": "de"}, (path,), network=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        payload = {"port": server.getsockname()[1], "file": str(open_path / "data" / "table")}
        with jobs.started(plugin, open_path, payload, granted=granted) as job:
            answer = answer_of(job)
        heard, _ = server.accept()
        with heard:
            assert heard.recv(5) == b"hello"
    assert answer == {"read": "1 2 3", "env": "de"}


READING = """
for path in $(sed -n 's/.*"payload": *"\\([^"]*\\)".*/\\1/p'); do
    echo "{\\"path\\": \\"$path\\", \\"read\\": \\"$(cat "$path" 2>/dev/null)\\"}"
done
"""


@pytest.mark.skipif(ANOTHER_USER not in WAYS, reason="jobs are no other users here")
def test_another_user_reads_only_what_is_open_to_all(open_path: Path) -> None:
    data, (plain, secret) = open_path / "data", (open_path / "data" / name for name in "ab")
    data.mkdir()
    for path, mode in ((plain, 0o644), (secret, 0o600)):
        path.write_text(path.name)
        path.chmod(mode)
    plugin = jobs.make_plugin(open_path / "tried", READING, name="main.sh")

    def refusal(*paths: Path) -> str:
        with (
            pytest.raises(NotStartedError) as raised,
            jobs.started(plugin, open_path, granted=Granted({}, paths, network=False)),
        ):
            pass
        return str(raised.value)

    open_path.chmod(0o700)
    assert f"{plain} is closed to jobs" in refusal(plain)
    open_path.chmod(0o755)
    assert f"chmod o+r {secret}" in refusal(secret)
    granted = Granted({}, (data,), network=False)
    with jobs.started(plugin, open_path, f"{plain} {secret}", granted=granted) as job:
        assert [one["read"] for one in jobs.lines_of(job, 2)] == ["a", ""]
    # Its own folder is out of its reach: what would bring it there reads closed files as well.
    plugin.folder.chmod(0o700)
    assert f"chmod o+rx {plugin.folder}" in refusal(data)
    with jobs.started(
        plugin, open_path, f"{plain} {secret}", granted=Granted({}, (plain,), network=False)
    ) as job:
        assert [one["read"] for one in jobs.lines_of(job, 2)] == ["a", ""]
    data.chmod(0o700)
    assert f"chmod o+rx {data}" in refusal(data)


def test_no_grant_shows_what_is_protected(tmp_path: Path) -> None:
    state = tmp_path / "data" / "state"
    state.mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    plugin = jobs.make_plugin(tmp_path / "tried", "")
    granted = Granted({}, (tmp_path / "link",), network=False)
    with (
        pytest.raises(NotStartedError, match=r"link, and with it the agent's own files"),
        jobs.started(plugin, tmp_path, granted=granted, protected=(state,)),
    ):
        pass


LOWERED = """
import json, os, resource, sys
print(json.dumps({
    "nice": os.nice(0),
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "data": resource.getrlimit(resource.RLIMIT_DATA),
    "oom": open("/proc/self/oom_score_adj").read().strip(),
    "cores": len(os.sched_getaffinity(0)),
    "status": dict(line.split(":\\t")[:2] for line in open("/proc/self/status")),
    "session": os.getsid(0) == os.getpid(),
    "fds": sorted(os.listdir("/proc/self/fd")),
}))
"""


def test_a_job_comes_after_everybody_else(way: str, tmp_path: Path) -> None:
    manifest = "[limits]\nmemory_mib = 64\ncpu_cores = 1\n"
    plugin = jobs.make_plugin(tmp_path / "tried", LOWERED, manifest)
    with jobs.started(plugin, tmp_path) as job:
        answer = answer_of(job)
    assert answer["nice"] == 19
    assert answer["core"] == [0, 0]
    assert answer["data"] == [128 * 1024 * 1024] * 2
    assert answer["oom"] == "1000"
    assert answer["cores"] == 1
    assert answer["session"] is True
    assert answer["status"]["NoNewPrivs"] == "1\n"
    assert answer["status"]["Seccomp"] == "2\n"
    # At most the one that lets it pass through folders that are closed to others.
    assert int(answer["status"]["CapEff"], 16) in (({0, 4}) if way == ANOTHER_USER else {0})
    assert int(answer["status"]["CapBnd"], 16) in (({0, 4}) if way == ANOTHER_USER else {0})
    assert len(answer["fds"]) == 4  # its three, and the one to list them by


def test_two_jobs_are_two_users(tmp_path: Path) -> None:
    plugin = jobs.make_plugin(
        tmp_path / "tried", "import os; print(os.getuid() or -1, flush=True); input()"
    )
    with jobs.started(plugin, tmp_path) as one, jobs.started(plugin, tmp_path) as other:
        users = {answer_of(one), answer_of(other)}
    assert len(users) == (2 if ANOTHER_USER in WAYS else 1)


WITHOUT_MEANS = """
import sys
from pathlib import Path
from forge_agent.work import confinement, landlock
from forge_agent import cli
landlock.abi = lambda: 0
confinement.linux.has_capabilities = lambda wanted: False
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("trusted", [False, True])
def test_where_nothing_confines_a_job_it_starts_for_those_who_trust_it(
    *, trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "agent.py").write_text(WITHOUT_MEANS)
    script = (sys.executable, "-P", str(tmp_path / "agent.py"))
    monkeypatch.setattr("forge_agent.itself.command", lambda: script)
    plugin = jobs.make_plugin(tmp_path / "tried", "print(17)")
    if trusted:
        with jobs.started(plugin, tmp_path, trust_plugins=True) as job:
            assert answer_of(job) == 17
        return
    with (
        pytest.raises(NotStartedError, match=r"no Landlock .* work on --trust-plugins"),
        jobs.started(plugin, tmp_path),
    ):
        pass


def test_a_folder_that_jobs_cannot_get_to_is_said_before_they_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    assert confinement.out_of_reach(tmp_path) == ""
    another_user_alone = confinement.Means(another_user=True, landlock=0, filter=True)
    monkeypatch.setattr(confinement, "means", lambda: another_user_alone)
    assert f"chmod o+x {tmp_path}" in confinement.out_of_reach(tmp_path)
    assert confinement.out_of_reach(Path("/usr/lib")) == ""


def test_what_confines_jobs_is_told() -> None:
    assert confinement.missing() == ""
    assert "Landlock" in confinement.described()


def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    plugin = jobs.make_plugin(tmp_path / "tried", "exit 0", name="main.sh")
    (tmp_path / "tried" / "main").write_text("#!/no/such/interpreter\n")
    (tmp_path / "tried" / "main").chmod(0o755)
    with (
        pytest.raises(NotStartedError, match="could not be started"),
        jobs.started(plugin._replace(command=("main",)), tmp_path),
    ):
        pass
    with (
        pytest.raises(NotStartedError, match="'no-such-program' is neither in"),
        jobs.started(plugin._replace(command=("no-such-program",)), tmp_path),
    ):
        pass


def test_a_keeper_without_an_order_says_what_it_is_for() -> None:
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "forge_agent", "keep-job"],
        input=b"no order\n",
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert b"keep-job is started by the worker" in ended.stderr
