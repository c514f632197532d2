"""What happens to a fleet, at random: processes end, the network is cut, answers are lost."""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from tests.fleet.machines import Fleet, Machine, Silence
from tests.fleet.watch import Watch

# How often each, when it goes on for long.
USUAL: Final[Mapping[str, int]] = {
    "program": 6,
    "keeper": 4,
    "worker": 5,
    "collector": 2,
    "cut": 3,
    "hang": 2,
    "lost answers": 4,
    "pause": 2,
    "machine gone": 1,
    "drain": 2,
}


class Fire:
    """Called again and again by one thread. ``every_s``: between two strokes, on the average."""

    def __init__(self, fleet: Fleet, watch: Watch, draw: random.Random, every_s: float) -> None:
        self._fleet = fleet
        self._watch = watch
        self._draw = draw
        self._every_s = every_s
        self.strokes: Counter[str] = Counter()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._next_s = time.monotonic() + every_s
        self._does: dict[str, Callable[[], bool]] = {
            "program": lambda: self._shoot(at_keeper=False),
            "keeper": lambda: self._shoot(at_keeper=True),
            "worker": self._kill_worker,
            "collector": self._kill_collector,
            "cut": self._cut,
            "hang": self._hang,
            "lost answers": self._lose_answers,
            "pause": self._pause,
            "machine gone": self._take_away,
            "drain": self._drain,
        }

    def burn(self, kinds: Iterable[str] | None = None) -> bool:
        """Do what is due; a stroke is of one of these kinds, by default as usual. Return whether
        there was one."""
        now_s = time.monotonic()
        self.smoulder()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + self._draw.uniform(0.5, 1.5) * self._every_s
        names = list(kinds or USUAL)
        kind = self._draw.choices(names, [USUAL[name] for name in names])[0]
        if not self._does[kind]():
            return False
        self.strokes[kind] += 1
        return True

    @property
    def is_burning(self) -> bool:
        """Whether something is broken that is mended later."""
        return bool(self._later)

    def smoulder(self) -> None:
        """Mend what it is time to mend."""
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()

    def end(self) -> None:
        """Mend all that is broken."""
        for _, _, mend in sorted(self._later, key=lambda one: one[:2]):
            mend()
        self._later.clear()
        for machine in self._fleet.machines:
            machine.line.mend()
            machine.start()

    # --- strokes: each returns whether there was anything to hit ----------------------------

    def _shoot(self, *, at_keeper: bool) -> bool:
        programs = self._watch.look()
        if programs:
            self._fleet.shoot(self._draw.choice(programs), at_keeper=at_keeper)
        return bool(programs)

    def _kill_worker(self) -> bool:
        machine = self._one()
        silence = self._fleet.silence(machine)
        if machine.command == "run" and self._draw.random() < 0.5 and machine.kill_its_worker():
            silence.end()
            return True
        machine.kill()
        self._after(self._draw.uniform(0, 2), machine.start, silence)
        return True

    def _take_away(self) -> bool:
        """For longer than a lease."""
        machine = self._one()
        silence = self._fleet.silence(machine)
        machine.kill()
        self._after(self._fleet.lease_ttl_s + 5, machine.start, silence)
        return True

    def _drain(self) -> bool:
        machine = self._busy_one()
        if machine is None:
            return False
        silence = self._fleet.silence(machine)
        machine.stop()
        self._after(self._draw.uniform(0, 2), machine.start, silence)
        return True

    def _kill_collector(self) -> bool:
        self._fleet.restart_collector(self._draw.uniform(0, 2))
        return True

    def _cut(self) -> bool:
        machine = self._one()
        silence = self._fleet.silence(machine)
        machine.line.cut()
        self._after(self._silent_s(), machine.line.mend, silence)
        return True

    def _hang(self) -> bool:
        machine = self._one()
        silence = self._fleet.silence(machine)
        machine.line.hang()
        self._after(self._silent_s(), machine.line.mend, silence)
        return True

    def _lose_answers(self) -> bool:
        machine = self._one()
        self._fleet.silence(machine).end()
        machine.line.lose(self._draw.randint(1, 3))
        return True

    def _pause(self) -> bool:
        machine = self._busy_one()
        if machine is not None:
            machine.pause(self._draw.uniform(0.5, 4))
        return machine is not None

    # --- their ends -------------------------------------------------------------------------

    def _one(self) -> Machine:
        return self._draw.choice(self._fleet.machines)

    def _busy_one(self) -> Machine | None:
        """Return one that does a job, to give it back."""
        dirs = [program.work_dir for program in self._watch.look()]
        busy = [
            machine
            for machine in self._fleet.machines
            if any(work_dir.is_relative_to(machine.state) for work_dir in dirs)
        ]
        return self._draw.choice(busy) if busy else None

    def _silent_s(self) -> float:
        return self._draw.uniform(0.5, 1.5 * self._fleet.lease_ttl_s)

    def _after(self, seconds: float, mend: Callable[[], None], silence: Silence) -> None:
        def does() -> None:
            mend()
            silence.end()

        self._number += 1
        heapq.heappush(self._later, (time.monotonic() + seconds, self._number, does))
