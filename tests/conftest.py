from __future__ import annotations

import gc
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

# The files that take longest, begun in this order: begun late, one of them would run on alone when
# all else is done. Mostly they wait, so that others run beside them.
LONGEST: Final = (
    "faults/test_sealed_history.py",
    "frozen/test_life.py",
    "browser/test_first_light.py",
    "network/test_a_bad_line.py",
    "faults/test_restart.py",
    "browser/test_node.py",
    "integration/history/test_steady_state.py",
    "integration/simulate/test_simulate.py",
    "integration/agent/test_watched.py",
    "integration/http_api/test_openapi.py",
    "integration/agent/test_offline.py",
    "integration/agent/test_dying.py",
    "faults/test_jobs_under_fire.py",
    "browser/test_page.py",
    "integration/backup/test_restore.py",
    "browser/test_joining.py",
    "integration/backup/test_backup.py",
    "integration/agent/test_uplink.py",
    "integration/agent/test_pushing.py",
    "network/test_joining.py",
    "integration/update/test_trial.py",
    "integration/backup/test_check.py",
    "network/test_announcing.py",
    "faults/test_refusing_to_start.py",
)


# A deadline for each example would measure whoever else uses the machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_configure() -> None:
    """Let what the tests start be interrupted: a shell that runs the tests in the background has
    them ignore SIGINT, and they would hand that on."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    missing = [str(path) for path in places if not path.exists()]
    if missing:
        raise pytest.UsageError(f"LONGEST in {__file__} names what is not there: {missing}")
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the collector of garbage from what stays: thousands of tests and their modules, of which
    each full collection would look at every object."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
