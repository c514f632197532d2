"""`forge-agent status` beside a real agent and a real collector."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent_process import running_agent
from tests.process import CollectorProcess, environment, running_collector, wait_for


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[CollectorProcess]:
    with running_collector(tmp_path / "data") as process:
        yield process


def status(folder: Path, *options: str, **environ: str) -> tuple[int, str]:
    """Ask as somebody else would, who knows the state folder alone."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "forge_agent", "status"),
            *("--state-dir", str(folder / "state"), *options),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder.parent,
        env=environment(HOME=str(folder), XDG_CONFIG_HOME=str(folder), **environ),
        timeout=30,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def told(folder: Path) -> tuple[int, dict[str, Any]]:
    code, output = status(folder, "--json")
    found: dict[str, Any] = json.loads(output)
    return code, found


def noted(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "state/status.json").read_bytes())
    except FileNotFoundError:
        return {}
    return found


def until(folder: Path, connection: str) -> dict[str, Any]:
    wait_for(lambda: noted(folder).get("connection") == connection, f"it to be {connection}")
    return noted(folder)


def test_an_agent_online_offline_and_gone(collector: CollectorProcess, tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    with running_agent(collector, "n1", folder) as agent:
        note = until(folder, "online")
        assert note["pid"] == agent.pid
        assert (note["node_id"], note["url"]) == ("n1", collector.url)
        assert (folder / "state/status.json").stat().st_mode & 0o777 == 0o600
        code, found = told(folder)
        assert (code, found["online"], found["running"]) == (0, True, True)
        assert found["agent"]["last_push_at"] >= note["started_at"]

        collector.stop()
        note = until(folder, "offline")
        code, found = told(folder)
        assert (code, found["online"], found["running"]) == (1, False, True)
        assert "connection refused" in found["agent"]["reason"]
        assert note["since"] >= note["last_push_at"]
        assert found["spool"]["bytes"] > 0
        assert found["spool"]["oldest_ts"] <= found["spool"]["newest_ts"]
        code, text = status(folder)
        assert code == 1
        assert "✗ offline for" in text

        agent.kill()
        agent.wait()
        code, found = told(folder)
        assert (code, found["online"], found["running"]) == (1, False, False)
        code, text = status(folder)
        assert "not running" in text


def test_an_agent_whose_token_was_revoked(collector: CollectorProcess, tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    with running_agent(collector, "n1", folder):
        until(folder, "online")
        with collector.client() as admin:
            (token,) = admin.get("/api/tokens")["tokens"]
            assert admin.send("DELETE", f"/api/tokens/{token['id']}").status == 204
        note = until(folder, "refused")
        assert note["reason"].startswith("401")
        assert told(folder)[0] == 1


def test_before_any_agent_there_is_nothing_to_tell(tmp_path: Path) -> None:
    code, text = status(tmp_path)
    assert code == 1
    assert "does not run" in text
    code, found = told(tmp_path)
    assert (code, found["agent"], found["running"]) == (1, None, False)


def test_settings_that_are_not_there_are_no_other_agents(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "forge_agent", "status", "--config", str(tmp_path / "none.toml")],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path)),
        timeout=30,
    )
    assert done.returncode == 1
    assert f"There is no config file {tmp_path / 'none.toml'}" in done.stdout


def test_a_terminal_without_our_letters_is_no_obstacle(tmp_path: Path) -> None:
    code, output = status(tmp_path, PYTHONIOENCODING="ascii")
    assert code == 1
    assert "? does not run" in output


def test_a_state_folder_that_is_closed_says_so(tmp_path: Path) -> None:
    """As another user: root may read everything."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "lock").touch(mode=0o600)
    program = "import os; from forge_agent import cli"
    if os.geteuid() == 0:
        # Everything is imported before the rights are given away: the project may be root's alone.
        program += ", status, whereabouts; import forge_agent.service.managers"
        program += ", platformdirs.unix; os.setgid(65534); os.setuid(65534)"
    else:
        state.chmod(0o000)
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            f"{program}; raise SystemExit(cli.main(['status', '--state-dir', {str(state)!r}]))",
        ],
        check=False,
        capture_output=True,
        text=True,
        env=environment(HOME="/nonexistent"),
        cwd="/",
        timeout=30,
    )
    state.chmod(0o700)
    assert done.returncode == 1
    assert "cannot be read" in done.stdout, done.stderr
    assert "sudo forge-agent status" in done.stdout


NOTER = """
import json, sys
from pathlib import Path
from forge_agent.standing import StatusFile
file = StatusFile(Path(sys.argv[1]))
file.write({"note": "first"})
if sys.argv[2] != "0":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
file.write({"note": "second, which is longer"})
"""


@pytest.mark.parametrize("limit_bytes", [1, 10])
def test_a_full_disk_keeps_the_last_note(tmp_path: Path, limit_bytes: int) -> None:
    """Also when there is room for a part of it: then a write succeeds, in part."""
    for limit, expected in ((limit_bytes, "first"), (0, "second, which is longer")):
        subprocess.run(
            [sys.executable, "-c", NOTER, str(tmp_path), str(limit)], check=True, timeout=30
        )
        assert json.loads((tmp_path / "status.json").read_bytes())["note"] == expected
