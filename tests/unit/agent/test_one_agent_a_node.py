"""An agent started by hand does not speak for the node that the machine's service speaks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge_agent import run
from forge_agent.config import Settings
from forge_agent.lock import FileLock
from forge_agent.places import Places


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of a service that runs as n1."""
    program = tmp_path / "program"
    machine = Places(
        tmp_path / "agent.toml", tmp_path / "ca.pem", tmp_path / "state", program, program
    )
    monkeypatch.setattr("forge_agent.places.machine", lambda: machine)
    (machine.state_dir / "spool").mkdir(parents=True)
    (machine.state_dir / "spool" / "node-id").write_text("n1")
    return machine.state_dir


def settings(state_dir: Path, node_id: str) -> Settings:
    state_dir.mkdir(exist_ok=True)
    return Settings(node_id, "http://127.0.0.1:1", "token", state_dir, 0, 1024)


def test_beside_the_service_it_refuses(
    service: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = FileLock(service / "lock")
    assert run.run(settings(tmp_path / "by-hand", "n1")) == 1
    assert "service of this machine runs as n1 already" in capsys.readouterr().err
    lock.release()


def test_what_is_no_second_agent_of_the_node(service: Path, tmp_path: Path) -> None:
    by_hand = tmp_path / "by-hand"
    assert not run._is_served(settings(by_hand, "n1"))  # the service is stopped
    lock = FileLock(service / "lock")
    assert run._is_served(settings(by_hand, "n1"))
    assert not run._is_served(settings(by_hand, "n2"))
    assert not run._is_served(settings(service, "n1"))  # it is the service itself
    lock.release()
