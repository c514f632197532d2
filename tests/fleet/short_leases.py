"""The collector's command line with leases of a few seconds: python short_leases.py SECONDS PYTHON
-m forge_collector … A test has no five minutes to wait for a machine that is gone; the program
itself has no such setting, because shorter leases are lost by machines that are merely slow."""

from __future__ import annotations

import runpy
import sys
from functools import partial
from typing import Any, Final

from forge_shared import job_messages

_HEARTBEATS_A_LEASE: Final = 6


def main(lease_ttl_s: int, command: list[str]) -> None:
    """Run ``command``, a Python's ``-m MODULE …``, in this process."""
    # Before anything else of the collector is imported, which takes its times from here.
    shared: Any = job_messages
    shared.LEASE_TTL_S = lease_ttl_s

    from forge_collector.jobs import rules, tasks  # noqa: PLC0415
    from forge_collector.jobs.routes import workers  # noqa: PLC0415

    assert lease_ttl_s * 1000 == rules.LEASE_TTL_MS
    routes, sweeping = workers, tasks
    interval_s = max(1, lease_ttl_s // _HEARTBEATS_A_LEASE)
    vars(routes)["HeartbeatReply"] = partial(
        job_messages.HeartbeatReply, interval_s=interval_s, lease_ttl_s=lease_ttl_s
    )
    vars(sweeping)["_SWEEP_PERIOD_S"] = 1.0
    _python, _option, module, *sys.argv[1:] = command
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
