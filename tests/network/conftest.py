from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.network.hosts import Host, two_hosts


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    """The agent's host and the collector's."""
    with two_hosts() as both:
        yield both
