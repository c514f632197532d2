"""Nothing of a job is left, however it ends, and whatever it tries."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from forge_agent.work import disk, posix_hold
from forge_agent.work.child import Child, Reason
from tests.integration.work import jobs
from tests.integration.work.jobs import (
    WAYS,
    answer_of,
    confine_by,
    lines_of,
    lives,
    wait_until_gone,
)
from tests.process import wait_for

# Each tells its pid: the program, a child, one in a session of its own whose parent has ended, and
# the child of that. None of them minds being asked to end.
STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)

def stay():
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(60)
    os._exit(0)

def fork(then):
    pid = os.fork()
    if pid == 0:
        then()
        os._exit(0)
    return pid

def daemon():
    os.setsid()
    fork(stay)
    stay()

fork(stay)
os.waitpid(fork(lambda: fork(daemon)), 0)
"""
STAYS = STUBBORN + "stay()\n"
# One that has nothing in its environment by which it could be found, deaf as the others.
HIDES = (
    """
import os, signal, subprocess, sys
code = (
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " os.write(1, b'%d\\\\n' % os.getpid()); time.sleep(60)"
)
subprocess.Popen([sys.executable, "-c", code], env={}, start_new_session=True)
"""
    + STUBBORN
    + "stay()\n"
)
LEAVES = STUBBORN + "time.sleep(0.3)\nos.write(1, b'%d\\n' % os.getpid())\n"


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    confine_by(request.param, monkeypatch)
    return str(request.param)


def test_a_kill_takes_the_whole_tree(way: str, tmp_path: Path) -> None:
    with jobs.started(jobs.make_plugin(tmp_path / "tried", STAYS), tmp_path) as job:
        pids = lines_of(job, 4)
        assert all(lives(pid) for pid in pids)
        job.kill()
        job.kill()
        ending = job.wait(10)
        assert not any(psutil.pid_exists(pid) for pid in pids)
        assert ending is not None
        assert (ending.signal, ending.reason) == (signal.SIGKILL, Reason.KILL)
        assert not ending.clean
        assert job.next_line(5) is None
        assert job.at_end


def test_what_a_program_leaves_behind_goes_with_it(way: str, tmp_path: Path) -> None:
    with jobs.started(jobs.make_plugin(tmp_path / "tried", LEAVES), tmp_path) as job:
        pids = lines_of(job, 4)
        ending = job.wait(10)
        assert not any(psutil.pid_exists(pid) for pid in pids)
        assert ending is not None
        assert (ending.exit_code, ending.reason, ending.clean) == (0, Reason.ENDED, True)


def test_who_does_not_end_when_time_is_up_is_killed(tmp_path: Path) -> None:
    plugin = jobs.make_plugin(tmp_path / "tried", STAYS, "[limits]\nwall_s = 1\n")
    with jobs.started(plugin, tmp_path) as job:
        pids = lines_of(job, 4)
        begun = time.monotonic()
        ending = job.wait(20)
        assert 4 < time.monotonic() - begun < 12  # a second, and five to end by itself
        assert not any(psutil.pid_exists(pid) for pid in pids)
        assert ending is not None
        assert (ending.signal, ending.reason) == (signal.SIGKILL, Reason.WALL_LIMIT)


SAVES = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('"saved"') or 3))
print('"ready"', flush=True)
time.sleep(60)
"""


def test_who_is_asked_to_end_has_time_to_save(tmp_path: Path) -> None:
    with jobs.started(jobs.make_plugin(tmp_path / "tried", SAVES), tmp_path) as job:
        assert answer_of(job) == "ready"
        job.term()
        assert answer_of(job) == "saved"
        ending = job.wait(4)
        assert ending is not None
        assert (ending.exit_code, ending.reason) == (3, Reason.TERM)
        job.term()  # nobody is there any more


def test_a_program_in_the_shell_hears_it_with_what_it_runs(tmp_path: Path) -> None:
    plugin = jobs.make_plugin(tmp_path / "tried", "echo 1\nsleep 60\necho 2\n", name="main.sh")
    with jobs.started(plugin, tmp_path) as job:
        assert answer_of(job) == 1
        job.term()
        ending = job.wait(4)
        assert ending is not None
        assert (ending.signal, ending.reason) == (signal.SIGTERM, Reason.TERM)


def test_the_job_ends_with_the_worker_however_that_ends(way: str, tmp_path: Path) -> None:
    plugin = jobs.make_plugin(tmp_path / "tried", STAYS)
    holder = Path(__file__).with_name("holder.py")
    with subprocess.Popen(
        [sys.executable, str(holder), str(plugin.folder), str(tmp_path / "jobs"), "4"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as worker:
        assert worker.stdout is not None
        pids = [int(worker.stdout.readline()) for _ in range(4)]
        keepers = [child.pid for child in psutil.Process(worker.pid).children()]
        assert len(keepers) == 1
        worker.kill()
    wait_until_gone([*pids, *keepers])


def test_the_job_ends_with_its_keeper(way: str, tmp_path: Path) -> None:
    """As when memory is short, and the kernel chooses it."""
    with jobs.started(jobs.make_plugin(tmp_path / "tried", HIDES), tmp_path) as job:
        pids = lines_of(job, 5)
        os.kill(job.pid, signal.SIGKILL)
        ending = job.wait(10)
        assert ending is not None
        assert (ending.exit_code, ending.signal) == (None, None)
        assert ending.reason is Reason.KEEPER_DIED
        wait_until_gone(pids)


def test_stopping_the_keeper_by_a_signal_is_not_its_end(tmp_path: Path) -> None:
    """systemd signals all processes of a service, and the worker is not done with the job."""
    with jobs.started(jobs.make_plugin(tmp_path / "tried", SAVES), tmp_path) as job:
        assert answer_of(job) == "ready"
        os.kill(job.pid, signal.SIGTERM)
        job.term()
        ending = job.wait(4)
        assert ending is not None
        assert ending.reason is Reason.TERM


def test_a_keeper_that_is_stopped_is_no_way_to_live_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posix_hold, "_ENDS_WITHIN_S", 0.5)
    with jobs.started(jobs.make_plugin(tmp_path / "tried", STAYS), tmp_path) as job:
        pids = lines_of(job, 4)
        os.kill(job.pid, signal.SIGSTOP)

        def is_killed() -> bool:
            job.kill()
            return job.wait(0.1) is not None

        wait_for(is_killed, "the job to end")
        wait_until_gone(pids)


DIGS = """
import os
for _ in range(1100):
    os.mkdir("d")
    os.chdir("d")
    os.symlink("/etc", "away")
    os.chmod(".", 0o300)
print("1", flush=True)
"""


def test_a_folder_goes_however_deep_it_is(tmp_path: Path) -> None:
    with jobs.started(jobs.make_plugin(tmp_path / "tried", DIGS), tmp_path) as job:
        assert answer_of(job) == 1
    # What `started` has asserted: that nothing of it is left.
    assert Path("/etc").is_dir()


def test_a_job_that_fills_the_disk_is_ended(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    folder.mkdir()
    assert not disk.is_filled_by(folder)
    sparse = folder / "sparse"
    with sparse.open("wb") as file:
        file.truncate(2**40)
    disk_has = os.statvfs(folder)
    none_free = os.statvfs_result((*disk_has[:4], 0, *disk_has[5:]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "statvfs", lambda _: none_free)
        assert not disk.is_filled_by(folder)  # it is others who have filled it
        patch.setattr(disk, "_LEAST_FREE_BYTES", 100_000)
        (folder / "written").write_bytes(b"x" * 200_000)
        assert disk.is_filled_by(folder)


HUNGRY = """
import time
kept = []
while True:
    kept.append(bytearray(8 * 2**20))
    time.sleep(0.05)
"""


def test_a_job_that_takes_too_much_memory_is_ended(tmp_path: Path) -> None:
    program = f"import os\nif os.fork() == 0:\n    pass\n{HUNGRY}"
    plugin = jobs.make_plugin(tmp_path / "tried", program, "[limits]\nmemory_mib = 100\n")
    with jobs.started(plugin, tmp_path) as job:
        ending = job.wait(20)  # neither of the two takes it alone
        assert ending is not None
        assert ending.reason is Reason.OUT_OF_MEMORY


MANY = """
import os, time
for _ in range(600):
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
        os._exit(0)
print("1", flush=True)
time.sleep(60)
"""


def test_a_job_of_too_many_processes_is_ended(tmp_path: Path) -> None:
    with jobs.started(jobs.make_plugin(tmp_path / "tried", MANY), tmp_path) as job:
        ending = job.wait(20)
        assert ending is not None
        assert ending.reason is Reason.TOO_MANY_PROCESSES


# --- what it writes -------------------------------------------------------------------------------

TALKS = """
import sys
for number in range(1_000_000):
    sys.stdout.write('{"number": %d, "filler": "%s"}\\n' % (number, "x" * 10_000))
"""


def test_who_is_not_listened_to_waits(tmp_path: Path) -> None:
    with jobs.started(jobs.make_plugin(tmp_path / "tried", TALKS), tmp_path) as job:
        first = [answer_of(job)["number"] for _ in range(200)]
        assert first == list(range(200))
        program = psutil.Process(job.pid).children()[0]
        jobs.wait_until_still(program)
        # What waits in between, and in the pipe: not the 10 GB that it would write.
        assert program.io_counters().write_chars < (200 + 64 + 64) * 10_040 + 2**20
        assert answer_of(job)["number"] == 200
        job.kill()
        assert job.wait(10) is not None  # whatever still waits to be taken


def test_a_line_without_end_ends_the_job(tmp_path: Path) -> None:
    plugin = jobs.make_plugin(
        tmp_path / "tried", "import sys\nwhile True: sys.stdout.write('x' * 100_000)\n"
    )
    with jobs.started(plugin, tmp_path) as job:
        ending = job.wait(20)
        assert ending is not None
        assert ending.reason is Reason.LINE_TOO_LONG
        assert job.next_line(1) is None


def test_the_log_is_its_end_and_harmless(tmp_path: Path) -> None:
    program = r"""
import sys
sys.stderr.write("old\n" * 50_000)
sys.stderr.write("\x1b]0;title\x07\x1b[31mred\x1b[0m\r\n\x1b[2Jdone\x00\n")
sys.stderr.flush()
print("1")
"""
    with jobs.started(jobs.make_plugin(tmp_path / "tried", program), tmp_path) as job:
        assert answer_of(job) == 1
        assert job.wait(10) is not None
        job.close()
        tail = job.stderr_tail()
    assert tail.endswith("old\nred\ndone\N{REPLACEMENT CHARACTER}\n")
    assert tail.startswith("old\n")
    assert 16_000 < len(tail) <= 16 * 1024


# --- what it reads --------------------------------------------------------------------------------


def test_the_document_comes_whole_and_ends(tmp_path: Path) -> None:
    """However large it is, and though nobody reads it but once the job has written a lot."""
    program = "import sys\nprint('\"x\"')\nprint(len(sys.stdin.buffer.read()), flush=True)\n"
    payload = "ü" * 3_000_000
    with jobs.started(jobs.make_plugin(tmp_path / "tried", program), tmp_path, payload) as job:
        assert answer_of(job) == "x"
        assert answer_of(job) > len(json.dumps(payload))


def test_the_job_may_read_and_change_what_the_worker_put_there(tmp_path: Path) -> None:
    from forge_agent.work import child  # noqa: PLC0415

    program = """
import os
text = open("payload").read()
open("payload", "w").write(text + " too")
os.mkdir("closed")
open("closed/file", "w").close()
os.chmod("closed", 0)
os.chmod(".", 0)
print('"%s %s"' % (text, os.getcwd() == os.environ["HOME"]))
"""
    plugin = jobs.make_plugin(tmp_path / "tried", program)
    work_dir = child.new_work_dir(tmp_path / "jobs")
    (work_dir / "payload").write_text("given")
    job = Child(child.JobSpec(plugin, b"{}", work_dir))
    job.start()
    try:
        assert answer_of(job) == "given True"
        assert job.wait(10) is not None
        assert (work_dir / "payload").read_text() == "given too"
    finally:
        job.close()
    child.remove_work_dir(work_dir)
    assert not work_dir.exists()
