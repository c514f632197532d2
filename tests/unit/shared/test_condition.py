"""What people read of a status: a machine that is normally off is never a fault."""

from __future__ import annotations

import pytest

from forge_shared.condition import Condition, condition
from forge_shared.messages import Status


@pytest.mark.parametrize("status", Status)
def test_a_machine_that_is_there_all_the_time_is_what_its_status_says(status: Status) -> None:
    assert condition(status, ephemeral=False).value == status.value


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.ONLINE, Condition.ONLINE),
        (Status.DEGRADED, Condition.OFF),
        (Status.OFFLINE, Condition.OFF),
    ],
)
def test_a_machine_that_is_normally_off_is_on_or_off(status: Status, expected: Condition) -> None:
    assert condition(status, ephemeral=True) is expected
