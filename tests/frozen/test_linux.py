"""What takes namespaces of Linux to see: a network of one's own, a disk that nothing runs from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import trustme

from tests.frozen.building import Frozen
from tests.frozen.running import READ_ONLY, running
from tests.integration.agent.fake_collector import FakeCollector

_ENDS_WITHIN_S: Final = 60.0


def test_discovery_looks_around(frozen: Frozen, tmp_path: Path) -> None:
    """zeroconf and asyncio are in the program with all that they need; here is nobody to find."""
    command = (
        f"ip link set lo up && exec {frozen.folder} join --discover --config {tmp_path}/a.toml"
    )
    said = alone("--net", command)
    assert said.returncode == 1
    assert "No collector announces itself" in said.stderr
    assert "Traceback" not in said.stderr


def test_discovery_without_a_network_says_so(frozen: Frozen, tmp_path: Path) -> None:
    said = alone("--net", f"exec {frozen.folder} join --discover --config {tmp_path}/a.toml")
    assert said.returncode == 1
    assert "is it connected" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_single_file_needs_a_temporary_folder_that_programs_may_run_from(
    frozen: Frozen, tmp_path: Path
) -> None:
    """docs/building.md says what to do then. The folder build unpacks nothing."""
    mount = f"mount -t tmpfs -o noexec none {tmp_path} && export TMPDIR={tmp_path}"
    single = alone("--mount", f"{mount} && {frozen.single} --version; ls {tmp_path}")
    assert "failed to map segment" in single.stderr
    assert single.stdout == ""  # and nothing is left there
    folder = alone("--mount", f"{mount} && exec {frozen.folder} --version")
    assert (folder.returncode, folder.stderr) == (0, "")


def test_another_distributions_authorities_are_found(frozen: Frozen, tmp_path: Path) -> None:
    """The OpenSSL that is built in looks where the distribution it is from keeps them."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    identity = tmp_path / "collector.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(identity)
    collector = FakeCollector(identity)
    move = f"mount -t tmpfs none /etc/ssl && cp {tmp_path}/ca.pem /etc/ssl/cert.pem"
    try:
        with running(
            Path("/usr/bin/env"),
            tmp_path,
            command=_unshare("--mount", f'{move} && exec {frozen.folder} run "$@"'),
            PATH=os.environ["PATH"],
            NODE_ID="n1",
            CENTRAL_URL=collector.url,
            BEARER_TOKEN="a-token",
        ) as agent:
            agent.said("connected")
    finally:
        collector.die()


def test_the_processors_name_is_found_out(program: Path) -> None:
    """Where the kernel tells none, py-cpuinfo asks in a process of multiprocessing, which is the
    frozen program once more."""
    said = alone("--mount", f"mount --bind /dev/null /proc/cpuinfo && exec {program} cpu-model")
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.strip()) > 3
    assert len(said.stdout.splitlines()) == 1


def alone(namespace: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in a namespace of its own, to its end."""
    return subprocess.run(
        _unshare(namespace, command),
        cwd=READ_ONLY,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_ENDS_WITHIN_S,
        check=False,
    )


def _unshare(namespace: str, command: str) -> list[str]:
    as_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *as_user, namespace, "sh", "-c", command, "sh"]
