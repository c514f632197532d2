"""Asking what may never answer: a dead file system, a driver that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar

PATIENCE_S: Final = 0.25  # what answers at all does so within a thousandth of this
_LONGEST_S: Final = 2 * PATIENCE_S
_MOST_SILENT: Final = 16

Answer = TypeVar("Answer")
_Questions = Sequence[tuple[str, Callable[[], Answer | None]]]


class Asker(Generic[Answer]):
    """Puts one question after the other in a thread beside, and waits for a moment only.

    A thread that gets no answer is left behind with that question, and another one goes on with
    the next. What is silent is not asked again before it has answered: there is one call in flight
    for each, and never more threads than silent ones and one.
    """

    def __init__(self) -> None:
        self._worker: _Worker[Answer] | None = None
        self._left_behind: list[_Worker[Answer]] = []

    @property
    def silent(self) -> set[str]:
        """What was asked and has not answered."""
        return {one.left_with for one in self._left_behind if one.left_with and not one.ended}

    def ask(self, questions: Mapping[str, Callable[[], Answer | None]]) -> dict[str, Answer]:
        """Return the answers that came, by the questions' names; None is no answer."""
        self._left_behind = [one for one in self._left_behind if not one.ended]
        silent = self.silent
        waiting = [(name, question) for name, question in questions.items() if name not in silent]
        answers: dict[str, Answer] = {}
        until_s = time.monotonic() + _LONGEST_S
        # Where many die at once the rest is asked next time.
        while waiting and len(self._left_behind) < _MOST_SILENT:
            if self._worker is None:
                self._worker = _Worker()
            found = self._worker.answers(waiting, until_s)
            answers.update((name, answer) for name, answer in found if answer is not None)
            if len(found) == len(waiting):
                break
            self._left_behind.append(self._worker)
            self._worker = None
            waiting = waiting[len(found) + 1 :]
            if time.monotonic() >= until_s:
                break
        return answers


class _Worker(threading.Thread, Generic[Answer]):
    """One thread. ``left_with``: the question that it was left behind with, by its name."""

    def __init__(self) -> None:
        super().__init__(name="asking", daemon=True)
        self._inbox: SimpleQueue[_Questions[Answer]] = SimpleQueue()
        self._done: SimpleQueue[None] = SimpleQueue()
        self._lock = threading.Lock()
        self._answers: list[tuple[str, Answer | None]] = []
        self.left_with = ""
        self.ended = False
        self.start()

    def answers(
        self, questions: _Questions[Answer], until_s: float
    ) -> Sequence[tuple[str, Answer | None]]:
        """Return what came back in time: all, or what is before a silent one."""
        self._answers = []
        self._inbox.put(questions)
        came = 0
        while True:
            try:
                self._done.get(timeout=PATIENCE_S)
            except Empty:
                with self._lock:
                    got = len(self._answers)
                    if got < len(questions) and (got == came or time.monotonic() >= until_s):
                        self.left_with, _ = questions[got]
                        return self._answers
                came = got
            else:
                return self._answers

    def run(self) -> None:
        try:
            while not self.left_with:
                self._ask_all(self._inbox.get())
                self._done.put(None)
        finally:
            self.ended = True

    def _ask_all(self, questions: _Questions[Answer]) -> None:
        for name, question in questions:
            answer = question()
            with self._lock:
                if self.left_with:
                    return
                self._answers.append((name, answer))
