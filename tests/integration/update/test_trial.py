"""A new version on trial: it stays when it works, and when it does not the old one comes back.

Most of the time these wait for processes, so all that fail are started at once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from forge_agent.update import installed
from forge_agent.update.installed import Installed
from forge_shared.signatures import KeyPair
from tests.integration.update import program
from tests.integration.update.conftest import StartService
from tests.integration.update.program import Service, make_program_dir, make_release, update
from tests.process import CollectorProcess, running_collector


class Failure(NamedTuple):
    """A version that does not work, and what is to be said of it."""

    does: str
    reason: str
    as_parent: bool = False
    lasting_s: float = 0.5
    start_s: float = 20.0
    probe_s: float = 20.0
    push_s: float = 20.0


FAILURES = {
    "crashes": Failure(program.CRASHES_AT_ONCE, "did not last in 3 starts"),
    "crashes-as-a-child": Failure(
        program.CRASHES_AT_ONCE, "did not last in 3 starts", as_parent=True
    ),
    "pushes-and-crashes": Failure(program.CRASHES_LATER, "did not last in 3 starts", lasting_s=5.0),
    "hangs": Failure(program.HANGS, "did not start in time", start_s=1.0),
    "hangs-as-a-child": Failure(
        program.HANGS, "did not start in time", as_parent=True, start_s=1.0
    ),
    "is-refused": Failure(program.IS_REFUSED, "the collector refuses it"),
    "speaks-rubbish": Failure(program.SPEAKS_RUBBISH, "it does not come to push", push_s=0.5),
    "cannot-connect": Failure(
        program.CANNOT_CONNECT,
        "it cannot reach the collector, which answers the launcher",
        probe_s=0.1,
    ),
}


class Tried(NamedTuple):
    """``boot_id``: of the agent that ran before."""

    service: Service
    boot_id: str


@pytest.fixture(scope="module")
def tried(
    tmp_path_factory: pytest.TempPathFactory,
    keys: KeyPair,
    collector: CollectorProcess,
    start_service: StartService,
) -> dict[str, Tried]:
    """All of the failures, each on a machine of its own where 0.1.0 has pushed and 0.2.0 has come
    up to be tried."""

    def start(node_id: str) -> Tried:
        failure = FAILURES[node_id]
        program_dir = make_program_dir(
            tmp_path_factory.mktemp(node_id) / "program",
            as_parent=failure.as_parent,
            lasting_s=failure.lasting_s,
            start_s=failure.start_s,
            probe_s=failure.probe_s,
            push_s=failure.push_s,
        )
        service = start_service(program_dir, collector, node_id)
        service.pushes("0.1.0")
        boot_id = service.status()["boot_id"]
        brought(program_dir, keys, "0.2.0", failure.does)
        return Tried(service, boot_id)

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(FAILURES, pool.map(start, FAILURES), strict=True))


def brought(program_dir: Path, keys: KeyPair, version: str, does: str) -> None:
    """Have the version installed, to be tried."""
    folder = program_dir.parent / f"release-{version}"
    make_release(folder, version, keys, does)
    done = update(program_dir, "--from", str(folder), keys=keys.public)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", FAILURES)
def test_a_version_that_does_not_work_is_given_up(name: str, tried: dict[str, Tried]) -> None:
    service, boot_id = tried[name]
    assert FAILURES[name].reason in service.said("update_rejected")["reason"]
    service.until(partial(is_another_run, service, boot_id), "another run")
    service.pushes("0.1.0")
    assert service.installed == Installed(rejected=("0.2.0",), highest="0.2.0")
    # The data is as it was: what was spooled on the way arrives, and nothing was lost.
    service.until(lambda: service.spooled() == [], "the spool to be replayed")
    assert service.status()["dropped"] == 0


def test_what_was_given_up_is_not_tried_again_and_a_higher_one_is(
    tried: dict[str, Tried], keys: KeyPair
) -> None:
    service = tried["crashes"].service
    service.said("update_rejected")
    folder = service.program_dir.parent / "release-0.2.0"
    again = update(service.program_dir, "--from", str(folder), keys=keys.public)
    assert again.returncode == 0
    assert "0.2.0 was tried on this machine and did not work" in again.stdout
    brought(service.program_dir, keys, "0.2.1", program.GOOD)
    service.pushes("0.2.1")
    service.until(lambda: service.installed.current == "0.2.1", "0.2.1 to be kept")


def test_a_version_that_works_stays_and_the_one_before_is_kept(
    program_dir: Path, keys: KeyPair, collector: CollectorProcess, start_service: StartService
) -> None:
    # As three updates have left it.
    for version in ("0.1.7", "0.1.8", "0.1.9"):
        path = installed.program_of(program_dir, version)
        path.parent.mkdir(parents=True)
        path.write_bytes(program.program(version))
        path.chmod(0o755)
    installed.save(program_dir, Installed(current="0.1.9", previous="0.1.8", highest="0.1.9"))
    service = start_service(program_dir, collector, "works")
    service.pushes("0.1.9")
    brought(program_dir, keys, "0.2.0", program.GOOD)
    service.pushes("0.2.0")
    service.until(lambda: service.installed.current == "0.2.0", "0.2.0 to be kept")
    assert service.installed == Installed(current="0.2.0", previous="0.1.9", highest="0.2.0")
    service.until(
        lambda: (
            {path.name for path in installed.versions_folder(program_dir).iterdir()}
            == {"0.1.9", "0.2.0"}
        ),
        "older versions to be removed",
    )
    assert service.starts == 2  # it made way once
    # The launcher is gone: the one process that stays is the agent itself.
    assert b"versions/0.2.0/forge-agent\0run" in Path(f"/proc/{service.pid}/cmdline").read_bytes()
    children = Path(f"/proc/{service.pid}/task/{service.pid}/children")
    service.until(lambda: children.read_text() == "", "the question for the CPU to end")


def test_a_collector_that_is_merely_unreachable_is_no_failed_update(
    tmp_path: Path, keys: KeyPair, start_service: StartService
) -> None:
    program_dir = make_program_dir(tmp_path / "program", lasting_s=0.3)
    with running_collector(tmp_path / "data") as own:
        service = start_service(program_dir, own, "patient")
        service.pushes("0.1.0")
    brought(program_dir, keys, "0.2.0", program.GOOD)
    service.until(lambda: service.status()["version"] == "0.2.0", "0.2.0 to start")
    # However often the machine is started meanwhile.
    for _ in range(installed.FAILED_STARTS + 1):
        service.until(lambda: service.status()["connection"] == "offline", "offline")
        service.until(lambda: starts_of(service) == 0, "the start to be forgiven")
        boot = service.status()["boot_id"]
        service.restart()
        service.until(partial(is_another_run, service, boot), "another start")
    with running_collector(tmp_path / "data", "--port", str(own.port)):
        service.pushes("0.2.0")
        service.until(lambda: service.installed.current == "0.2.0", "0.2.0 to be kept")
        service.stop()
    assert service.installed.rejected == ()


def is_another_run(service: Service, boot_id: str) -> bool:
    return bool(service.status()["boot_id"] != boot_id)


def starts_of(service: Service) -> int | None:
    trial = service.installed.trial
    return None if trial is None else trial.starts
