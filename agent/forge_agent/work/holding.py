"""What a worker holds: its leases, who works on them, and how many more it can take."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from forge_agent.core.attempts import Stop

LONGEST_REASON: Final = 256  # the collector takes no longer one


class Held(Protocol):
    """An attempt, as those see it who speak with the collector."""

    job_id: str
    lease: str
    resource_class: str

    @property
    def is_over(self) -> bool:
        """Whether its program has ended: what is left is to tell its result."""
        ...

    @property
    def is_heard(self) -> bool:
        """Whether the collector knows that the lease has arrived."""
        ...

    def begin(self) -> None: ...

    def renewed(self, sent_s: float, ttl_s: float) -> None: ...

    def stop(self, why: Stop) -> None: ...

    def tell(self, *, room_bytes: int) -> dict[str, Any]:
        """Return what is new, as fields of a lease in a heartbeat."""
        ...

    def take_back(self, told: Mapping[str, Any]) -> None: ...

    def file_to_upload(self) -> Path | None:
        """Return a checkpoint that is too large to be told; None: there is no new one."""
        ...

    def uploaded(self, path: Path, *, done: bool) -> None: ...

    def tells_at_s(self) -> float | None:
        """Return when there is something to tell, by the monotonic clock; None: nothing yet."""
        ...


class State(NamedTuple):
    """Whether the worker takes jobs: ``ready``, ``paused``, ``draining``; and why not, or
    which plugins are here in vain."""

    name: str
    reason: str = ""


class Holding:
    """Shared by all threads of a worker; ``changed`` is notified at each change, and guards it."""

    def __init__(self, slots: Mapping[str, int]) -> None:
        self.changed = threading.Condition()
        self._slots = dict(slots)
        self._held: dict[str, Held] = {}
        self._state = State("paused", "starting")
        self._told_state: State | None = None
        self._claim_is_next = False
        self._has_changed = True

    # --- leases -----------------------------------------------------------------------------

    def add(self, attempts: list[Held]) -> None:
        with self.changed:
            self._held |= {attempt.lease: attempt for attempt in attempts}
            self.news()

    def remove(self, lease: str) -> None:
        """Its result was answered, or it is lost."""
        with self.changed:
            self._held.pop(lease, None)
            self.news()

    def news(self) -> None:
        """Have everybody look again."""
        with self.changed:
            self._has_changed = True
            self.changed.notify_all()

    def has_changed(self) -> bool:
        """Tell whether there is anything new since this was last asked."""
        with self.changed:
            has_changed, self._has_changed = self._has_changed, False
            return has_changed

    def held(self) -> list[Held]:
        with self.changed:
            return list(self._held.values())

    def running(self) -> list[Held]:
        return [attempt for attempt in self.held() if not attempt.is_over]

    # --- slots ------------------------------------------------------------------------------

    @property
    def slots(self) -> dict[str, int]:
        with self.changed:
            return dict(self._slots)

    def allow(self, slots: Mapping[str, int]) -> None:
        with self.changed:
            if slots != self._slots:
                self._slots = dict(slots)
                self._told_state = None
                self.changed.notify_all()

    def free(self) -> dict[str, int]:
        """Return how many more jobs of each class there is room for."""
        with self.changed:
            free = dict(self._slots)
            for attempt in self._held.values():
                if not attempt.is_over:
                    free[attempt.resource_class] = free.get(attempt.resource_class, 0) - 1
            return {name: max(0, count) for name, count in free.items()}

    def announce_claim(self, *, comes: bool) -> None:
        """Have results wait for a claim that goes out as soon as there is a free slot, or not."""
        with self.changed:
            if self._claim_is_next and not comes:
                self.changed.notify_all()
            self._claim_is_next = comes

    def leaves_results_to_the_claim(self) -> bool:
        with self.changed:
            return self._claim_is_next and self.takes_jobs() and any(self.free().values())

    # --- state ------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        with self.changed:
            return self._state

    def become(self, state: State) -> bool:
        """Return whether it is another than before."""
        with self.changed:
            if state == self._state:
                return False
            self._state = state
            self.news()
            return True

    def takes_jobs(self) -> bool:
        return self.state.name == "ready"

    def told(self, state: State) -> None:
        """The collector knows this state."""
        with self.changed:
            self._told_state = state

    @property
    def state_is_told(self) -> bool:
        with self.changed:
            return self._told_state == self._state
