"""What became of the pushes."""

from __future__ import annotations

from collections import Counter
from typing import Final

from scripts.simulation.agents import Push
from scripts.simulation.latency import Latencies

_LONGEST_EXAMPLE: Final = 300


class Tally:
    """Counts and latencies. ``errors``: by kind; ``examples``: what the first of a kind said.

    Three times, so that a simulator or a collector that falls behind cannot hide it: ``late`` from
    due to sending, ``acknowledging`` from sending to the reply, ``whole`` from due to the reply.
    """

    def __init__(self) -> None:
        self.errors: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all but the errors: what came before was warming up."""
        self.sent = 0
        self.acknowledged = 0
        self.bytes_sent = 0
        self.late = Latencies()
        self.acknowledging = Latencies()
        self.whole = Latencies()

    def note_sent(self, push: Push, size: int) -> None:
        self.sent += 1
        self.bytes_sent += size
        self.late.add(push.sent_at - push.due_at)

    def note_acknowledged(self, push: Push, now: float) -> None:
        self.acknowledged += 1
        self.acknowledging.add(now - push.sent_at)
        self.whole.add(now - push.due_at)

    def note_error(self, kind: str, example: str = "") -> None:
        self.errors[kind] += 1
        if example:
            self.examples.setdefault(kind, example[:_LONGEST_EXAMPLE])

    @property
    def failed(self) -> int:
        return self.errors.total()
