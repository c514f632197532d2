"""Whatever is in the program folder, the launcher runs something."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from forge_agent.update import installed
from forge_agent.update.installed import FAILED_STARTS, Installed, Trial
from tests.process import environment

# In place of a version: it says how it was started.
SAYS = '#!/bin/sh\necho {version} "$@" $FORGE_PROGRAM_DIR\n'


def put(program_dir: Path, version: str | None, content: str = SAYS) -> Path:
    path = installed.program_of(program_dir, version)
    path.parent.mkdir(parents=True)
    path.write_text(content.format(version=version))
    path.chmod(0o755)
    return path


def launched(program_dir: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "forge_agent", "launch", "--program-dir", str(program_dir)),
            *("--", "run", "--state-dir", str(program_dir / "state"), *options),
        ],
        env=environment(
            NODE_ID="n1",
            CENTRAL_URL="http://127.0.0.1:1",
            BEARER_TOKEN="t",
            XDG_CONFIG_HOME=str(program_dir),
        )
        | env,
        cwd=program_dir,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.fixture
def program_dir(tmp_path: Path) -> Path:
    put(tmp_path, None)
    return tmp_path


def ran(program_dir: Path) -> str:
    """Return which version the launcher runs, with its own options and nothing lost."""
    done = launched(program_dir, "--interval", "7")
    assert done.returncode == 0, done.stderr
    version, *rest = done.stdout.split()
    state = str(program_dir / "state")
    assert rest == ["run", "--state-dir", state, "--interval", "7", str(program_dir)]
    return version


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"\x00\xff",
        b"[]",
        b"[" * 100_000,
        b'{"current": 5}',
        b'{"current": "../../../bin"}',
        b'{"current": "0.2.0", "trial": {"version": "x"}}',
        b'{"current": "9.9.9"}',
    ],
)
def test_its_own_version_when_nothing_else_is_known(
    content: bytes | None, program_dir: Path
) -> None:
    if content is not None:
        (program_dir / "release.json").write_bytes(content)
    assert ran(program_dir) == "None"


def test_the_current_version_or_the_one_before(program_dir: Path) -> None:
    current = put(program_dir, "0.3.0")
    put(program_dir, "0.2.0")
    installed.save(program_dir, Installed(current="0.3.0", previous="0.2.0"))
    assert ran(program_dir) == "0.3.0"
    current.write_text("#!/nonexistent/interpreter\n")
    assert ran(program_dir) == "0.2.0"
    current.unlink()
    assert ran(program_dir) == "0.2.0"


def test_a_launcher_that_was_installed_anew_goes_before_older_updates(program_dir: Path) -> None:
    put(program_dir, "0.0.9")
    installed.save(program_dir, Installed(current="0.0.9"))
    assert ran(program_dir) == "None"


def test_each_start_of_a_trial_is_counted_and_then_it_is_given_up(program_dir: Path) -> None:
    put(program_dir, "0.2.0")
    installed.save(program_dir, Installed(trial=Trial("0.2.0")))
    for start in range(1, FAILED_STARTS + 1):
        assert ran(program_dir) == "0.2.0"
        assert installed.load(program_dir).trial == Trial("0.2.0", start, was_accepted=False)
    assert ran(program_dir) == "None"
    assert installed.load(program_dir) == Installed(rejected=("0.2.0",))


@pytest.mark.parametrize("content", ["#!/nonexistent/interpreter\n", ""])
def test_a_trial_that_cannot_be_started_is_given_up_at_once(
    content: str, program_dir: Path
) -> None:
    path = put(program_dir, "0.2.0", content)
    if not content:
        path.unlink()
    installed.save(program_dir, Installed(trial=Trial("0.2.0")))
    assert ran(program_dir) == "None"
    assert installed.load(program_dir).rejected == ("0.2.0",)


def test_settings_that_are_wrong_are_not_the_new_versions_fault(program_dir: Path) -> None:
    put(program_dir, "0.2.0")
    installed.save(program_dir, Installed(trial=Trial("0.2.0")))
    assert launched(program_dir, NODE_ID="").stdout.startswith("None run")
    assert installed.load(program_dir).trial == Trial("0.2.0")


def test_the_file_says_what_is_installed(program_dir: Path) -> None:
    before = Installed("0.2.0", "0.1.5", Trial("0.3.0", 1, was_accepted=True), ("0.2.5",), "0.3.0")
    installed.save(program_dir, before)
    assert json.loads((program_dir / "release.json").read_bytes()) == {
        "current": "0.2.0",
        "previous": "0.1.5",
        "trial": {"version": "0.3.0", "starts": 1, "was_accepted": True},
        "rejected": ["0.2.5"],
        "highest": "0.3.0",
    }
    assert installed.load(program_dir) == before
