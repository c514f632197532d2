"""Limits in real cgroups and namespaces, made for the test: what a process sees that is in a
container, beside one, or a limited service of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.process import environment

MIB: Final = 1024**2
_ROOT: Final = Path("/sys/fs/cgroup")

PROGRAM = """
import io, json, time
from forge_agent import facts
from forge_agent.log import Log
from forge_agent.sampling.sampler import Sampler

sampler = Sampler(Log(io.StringIO(), human=False))
began, own = time.monotonic(), time.process_time()
sampler.sample(int(time.time() * 1000), began)
while time.monotonic() < began + 0.6:
    pass
ended = time.monotonic()
found = sampler.sample(int(time.time() * 1000), ended)
found["own_pct"] = 100 * (time.process_time() - own) / (ended - began)
found["cores"] = facts.gather(boot_time_ms=0, cpu_model="", interval_s=0)["cpu_cores"]
print(json.dumps(found))
"""


def _trees() -> dict[str, dict[str, str]]:
    """Where this machine lets us make limited cgroups: by version, folder by controller."""
    trees: dict[str, dict[str, str]] = {}
    first = {what: str(_ROOT / what) for what in ("memory", "cpu", "cpuacct")}
    if all(os.access(f"{folder}/cgroup.procs", os.W_OK) for folder in first.values()):
        trees["v1"] = first
    control = _ROOT / "cgroup.subtree_control"
    if os.access(control, os.W_OK) and {"cpu", "memory"} <= set(control.read_text().split()):
        trees["v2"] = {"": str(_ROOT)}
    return trees


TREES = _trees()


class Group:
    """A cgroup, in all the trees that it takes, with its limits."""

    def __init__(self, version: str, name: str, *, memory: int, cores: float) -> None:
        self.version = version
        self.folders = [Path(tree, name) for tree in TREES[version].values()]
        for folder in self.folders:
            folder.mkdir()
        quota = str(int(cores * 100_000))
        if version == "v2":
            self._write({"memory.max": str(memory), "cpu.max": f"{quota} 100000"})
        else:
            self._write({"memory.limit_in_bytes": str(memory), "cpu.cfs_quota_us": quota})

    def _write(self, files: Mapping[str, str]) -> None:
        for folder in self.folders:
            for name, text in files.items():
                if (folder / name).exists():
                    (folder / name).write_text(text)

    def joining(self) -> str:
        """Return a command of a shell with which it joins."""
        return "; ".join(f"echo $$ > {folder}/cgroup.procs" for folder in self.folders)

    def remove(self) -> None:
        for folder in self.folders:
            folder.rmdir()


@pytest.fixture(params=sorted(TREES))
def version(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def outer(version: str) -> Iterator[Group]:
    group = Group(version, f"forge-test-{os.getpid()}", memory=192 * MIB, cores=0.5)
    yield group
    group.remove()


@pytest.fixture
def inner(outer: Group) -> Iterator[Group]:
    # Within a cgroup of version 2 that has processes of its own there can be no other.
    group = Group(outer.version, f"forge-test-{os.getpid()}-inner", memory=96 * MIB, cores=0.25)
    yield group
    group.remove()


def measured(script: str) -> dict[str, Any]:
    ran = subprocess.run(
        ["sh", "-ec", script, "sh", sys.executable, PROGRAM],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


IN_A_CONTAINER = 'unshare -p -f -m --mount-proc sh -ec \'"$1" -c "$2"; true\' sh "$1" "$2"'


def is_limited(found: dict[str, Any]) -> None:
    assert found["mem.total_bytes"] == 192 * MIB
    assert 5 * MIB < found["mem.used_bytes"] < 120 * MIB
    assert found["mem.used_bytes"] + found["mem.available_bytes"] == 192 * MIB
    # Of half a core: all of it, had nobody else on this machine wanted the core.
    assert found["own_pct"] > 20
    assert found["cpu.pct"] == pytest.approx(min(100, found["own_pct"] / 0.5), abs=20)
    assert found["cpu.user_pct"] + found["cpu.system_pct"] == pytest.approx(
        found["cpu.pct"], abs=10
    )
    assert found["cores"] == 1


def test_a_container_that_sees_the_hosts_tree(outer: Group) -> None:
    is_limited(measured(f"{outer.joining()}; exec {IN_A_CONTAINER}"))


def test_a_container_with_a_cgroup_namespace(outer: Group) -> None:
    if outer.version == "v1":
        mount = "; ".join(
            f"umount {tree} && mount -t cgroup -o {what} none {tree}"
            for what, tree in TREES["v1"].items()
        )
    else:
        mount = f"umount {_ROOT} && mount -t cgroup2 none {_ROOT}"
    script = (
        f"{outer.joining()}; exec unshare -C -p -f -m --mount-proc"
        f' sh -ec \'{mount}; "$1" -c "$2"; true\' sh "$1" "$2"'
    )
    is_limited(measured(script))


def test_a_limited_service_within_a_container_shows_the_container(
    outer: Group, inner: Group
) -> None:
    within = f'({inner.joining().replace("$$", "0")}; exec "$1" -c "$2"); true'
    script = (
        f'{outer.joining()}; exec unshare -p -f -m --mount-proc sh -ec \'{within}\' sh "$1" "$2"'
    )
    found = measured(script)
    assert found["mem.total_bytes"] == 192 * MIB
    assert found["cores"] == 1


def test_a_limited_service_on_a_host_shows_the_host(outer: Group) -> None:
    found = measured(f'{outer.joining()}; exec "$1" -c "$2"')
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert found["mem.total_bytes"] == total
    assert found["cores"] == os.cpu_count()
    assert "cpu.iowait_pct" in found
