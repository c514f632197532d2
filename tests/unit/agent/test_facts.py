from __future__ import annotations

import json
import platform

import msgspec
import psutil
import pytest

from forge_agent import facts
from forge_agent.sampling import memory
from forge_shared import __version__, codec
from forge_shared.messages import Host


def gathered() -> dict[str, str | int]:
    return facts.gather(boot_time_ms=1_795_000_000_000, cpu_model="A\x00 CPU", interval_s=0)


def test_facts_are_a_host_as_the_protocol_has_it() -> None:
    host = codec.decode(json.dumps(gathered()).encode(), Host)
    assert set(gathered()) <= set(msgspec.structs.asdict(host))
    assert host.hostname == platform.node()
    assert host.kernel == platform.release()
    assert host.agent_version == __version__
    assert host.cpu_model == "A? CPU"
    assert host.os


def test_a_fact_that_is_hidden_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden() -> float:
        raise RuntimeError("line 'btime' not found in /proc/stat")

    monkeypatch.setattr(psutil, "boot_time", hidden)
    monkeypatch.setattr(memory, "total_bytes", hidden)
    assert facts.boot_time_ms() == 0
    assert "mem_total_bytes" not in gathered()
