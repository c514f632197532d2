"""Limits of containers, on files as others have seen them: tests/data/cgroups names the sources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from forge_agent import facts
from forge_agent.sampling import container, memory
from forge_agent.sampling.cpu import Cpu

GIB = 1024**3
MACHINE = 64 * GIB
RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "cgroups" / "containers.json").read_text(encoding="utf-8")
)


def laid_out(folder: Path, files: dict[str, str]) -> container.Container:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return container.found(folder)


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["about"])
def test_limits_are_those_of_process_1(case: dict[str, Any], tmp_path: Path) -> None:
    here = laid_out(tmp_path, case["files"])
    found = here.memory(case.get("machine", MACHINE))
    assert found == (tuple(case["memory"]) if "memory" in case else None)
    cpu = here.cpu(machine_cores=16)
    assert cpu == (tuple(case["cpu"]) if "cpu" in case else None)
    assert here.own_meminfo is case.get("own_meminfo", False)


def v2(**files: str) -> dict[str, str]:
    return {
        "proc/self/mountinfo": "1 2 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
        "proc/1/cgroup": "0::/a/b\n",
        **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
    }


def test_of_nested_limits_the_tightest_counts_with_what_it_counts(tmp_path: Path) -> None:
    here = laid_out(
        tmp_path,
        v2(
            **{
                "a/b/memory.max": f"{4 * GIB}\n",
                "a/b/memory.current": "100\n",
                "a/memory.max": f"{2 * GIB}\n",
                "a/memory.current": f"{GIB}\n",
                "a/memory.stat": f"anon 5\ninactive_file {GIB // 4}\n",
                "a/b/cpu.max": "max 100000\n",
                "a/cpu.max": "150000 100000\n",
                "a/cpu.stat": "usage_usec 5\nuser_usec 3\nsystem_usec 2\n",
            }
        ),
    )
    assert here.memory(MACHINE) == (2 * GIB, GIB - GIB // 4)
    cpu = here.cpu(4)
    assert cpu is not None
    assert cpu.cores == 1.5
    assert here.cpu(1) is None


def test_a_limit_that_is_no_limit(tmp_path: Path) -> None:
    here = laid_out(tmp_path, v2(**{"a/memory.max": f"{MACHINE}\n", "a/cpu.max": "max 100000\n"}))
    assert here.memory(MACHINE) is None
    assert here.cpu(1) is None


def test_a_limit_that_is_set_later_is_seen(tmp_path: Path) -> None:
    here = laid_out(tmp_path, v2(**{"a/memory.max": "max\n", "a/memory.current": "100\n"}))
    assert here.memory(MACHINE) is None
    (tmp_path / "sys/fs/cgroup/a/memory.max").write_text(f"{GIB}\n")
    assert here.memory(MACHINE) == (GIB, 100)


def test_swap_of_a_container(tmp_path: Path) -> None:
    limited = v2(
        **{
            "a/memory.max": f"{GIB}\n",
            "a/memory.swap.max": f"{GIB // 2}\n",
            "a/memory.swap.current": "4096\n",
        }
    )
    here = laid_out(tmp_path / "limited", limited)
    assert here.swap(8 * GIB) == (GIB // 2, 4096)
    assert here.swap(GIB // 4) == (GIB // 4, 4096)
    here = laid_out(tmp_path / "none", {**limited, "sys/fs/cgroup/a/memory.swap.max": "0\n"})
    assert here.swap(8 * GIB) == (0, 0)
    here = laid_out(tmp_path / "all", {**limited, "sys/fs/cgroup/a/memory.swap.max": "max\n"})
    assert here.swap(8 * GIB) == (8 * GIB, 4096)


def test_swap_of_a_container_of_the_first_kind(tmp_path: Path) -> None:
    memory_files = {
        "limit_in_bytes": GIB,
        "usage_in_bytes": 1000,
        "memsw.limit_in_bytes": 3 * GIB,
        "memsw.usage_in_bytes": 5096,
    }
    here = laid_out(
        tmp_path,
        {
            "proc/self/mountinfo": "1 2 0:26 / /cg/memory rw - cgroup cgroup rw,memory\n",
            "proc/1/cgroup": "4:memory:/\n0::/\n",
            **{f"cg/memory/memory.{name}": f"{value}\n" for name, value in memory_files.items()},
        },
    )
    assert here.swap(8 * GIB) == (2 * GIB, 4096)


def test_where_process_1_is_hidden_the_root_of_what_we_see_counts(tmp_path: Path) -> None:
    files = v2(**{"memory.max": f"{GIB}\n", "memory.current": "100\n"})
    del files["proc/1/cgroup"]
    assert laid_out(tmp_path, files).memory(MACHINE) == (GIB, 100)


def test_without_proc_there_is_no_limit(tmp_path: Path) -> None:
    here = container.found(tmp_path)
    assert here.memory(MACHINE) is None
    assert here.swap(MACHINE) is None
    assert here.cpu(8) is None


# --- what becomes of it -------------------------------------------------------------------------


@pytest.fixture
def limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A container with 1 GiB, half of it in use, and a quarter of one core."""
    here = laid_out(
        tmp_path,
        v2(
            **{
                "a/memory.max": f"{GIB}\n",
                "a/memory.current": f"{GIB // 2}\n",
                "a/cpu.max": "25000 100000\n",
                "a/cpu.stat": "usage_usec 0\nuser_usec 0\nsystem_usec 0\n",
            }
        ),
    )
    monkeypatch.setattr(container, "here", lambda: here)
    return tmp_path / "sys/fs/cgroup/a"


def test_a_containers_memory_is_shown_and_told_as_a_fact(limited: Path) -> None:
    gauges = memory.read().gauges
    assert gauges["mem.total_bytes"] == GIB
    assert gauges["mem.used_bytes"] == gauges["mem.available_bytes"] == GIB // 2
    assert gauges["mem.pct"] == 50
    told = facts.gather(boot_time_ms=0, cpu_model="", interval_s=0)
    assert told["mem_total_bytes"] == GIB
    assert told["cpu_cores"] == 1


def test_a_containers_cpu_is_a_share_of_what_it_may_use(
    limited: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 108.0, 116.0])
    monkeypatch.setattr("forge_agent.sampling.cpu.time.monotonic", lambda: next(clock))
    cpu = Cpu()
    before = cpu.read().shares
    (limited / "cpu.stat").write_text("usage_usec 1000000\nuser_usec 700000\nsystem_usec 300000\n")
    after = cpu.read().shares

    def growth(key: str) -> tuple[float, float]:
        return after[key][0] - before[key][0], after[key][1] - before[key][1]

    assert growth("cpu.pct") == pytest.approx((1.0, 2.0))  # 8 s of a quarter of a core
    assert growth("cpu.user_pct")[0] == pytest.approx(0.7)
    assert growth("cpu.system_pct")[0] == pytest.approx(0.3)
    assert "cpu.iowait_pct" not in after
    # A limit that is changed counts from then on.
    (limited / "cpu.max").write_text("50000 100000\n")
    later = cpu.read().shares
    assert later["cpu.pct"][1] - after["cpu.pct"][1] == pytest.approx(4.0)


# --- the cache of ZFS ---------------------------------------------------------------------------

# https://github.com/moghtech/komodo/pull/1635 tells a host's 6.27 GiB; c_min is made up.
ARCSTATS = """13 1 0x01 116 31552 5112315670 97695212546990
name                            type data
hits                            4    29123033
c_min                           4    1073741824
c_max                           4    8589934592
size                            4    6732361236
"""


def test_the_cache_of_zfs_is_not_in_use_on_a_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arcstats = tmp_path / "arcstats"
    assert memory.zfs_cache(arcstats) == 0
    arcstats.write_text(ARCSTATS)
    assert memory.zfs_cache(arcstats) == 6732361236 - GIB
    case = next(case for case in RECORDED if case.get("own_meminfo"))
    here = laid_out(tmp_path / "lxc", case["files"])
    monkeypatch.setattr(container, "here", lambda: here)
    assert memory.zfs_cache(arcstats) == 0
