"""The clock that leases run by."""

from __future__ import annotations

from forge_collector.jobs import rules


def test_the_lease_clock_never_jumps() -> None:
    class Clock:
        wall_ms = 1_800_000_000_000
        monotonic = 5000

        def now_ms(self) -> int:
            return self.wall_ms

        def monotonic_ms(self) -> int:
            return self.monotonic

    clock = Clock()
    leases = rules.LeaseClock(clock)
    start = clock.wall_ms
    assert leases.moment() == (start, start)
    clock.monotonic += 10
    clock.wall_ms -= 3_600_000
    assert leases.moment() == (start - 3_600_000, start + 10)
