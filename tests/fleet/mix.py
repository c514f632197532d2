"""The jobs: of all kinds, each with what may become of it and a look at its result."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
PLANS: Final = ROOT / "tests" / "data" / "plans"
CHECKER: Final = ROOT / "agent" / "plugins" / "prodplan" / "verify.py"
OPTIMA: Final = {"ft06.txt": 55, "la01.txt": 666, "la05.txt": 593}
_CHECK_S: Final = 120.0
_LARGE_BYTES: Final = 1_500_000  # more than goes inline
_SHORTEST_CANCEL_S: Final = 0.2
_LONGEST_CANCEL_S: Final = 8.0

SUCCEEDED: Final = frozenset({"succeeded"})
FAILED: Final = frozenset({"failed"})
CANCELLED: Final = frozenset({"cancelled", "succeeded"})  # whichever was first

Judge = Callable[[Any], str]  # of a result: "" when it is right, else what is wrong


class Wanted(NamedTuple):
    """A job. ``ends``: how it may end; ``fails``: codes of the errors that are its own. ``upload``:
    the payload goes as a file. ``cancel_s``: cancelled so long after it was submitted; ``alone``:
    nobody can take it."""

    kind: str
    body: dict[str, Any]
    ends: frozenset[str]
    judge: Judge
    fails: frozenset[str] = frozenset()
    upload: bytes = b""
    cancel_s: float | None = None
    alone: bool = False

    @property
    def id(self) -> str:
        return str(self.body["id"])


class Mix:
    """Draws jobs. ``mark``: on the command line of each process that a job leaves behind;
    ``nodes``: some of the machines, to be asked for by name."""

    def __init__(self, draw: random.Random, mark: str, nodes: Sequence[str]) -> None:
        self._draw = draw
        self._mark = mark
        self._nodes = nodes
        self._number = 0
        self._kinds: dict[Callable[[], Wanted], int] = {
            self._echo: 30,
            self._family: 14,
            self._steps: 14,
            self._plan: 12,
            self._fails_at_once: 4,
            self._fails_always: 3,
            self._fails_first: 5,
            self._large_payload: 3,
            self._large_answer: 3,
            self._cancelled: 5,
            self._model: 4,
            self._of_a_node: 3,
            self._impossible: 1,
            self._too_late: 1,
        }

    def draw(self, count: int) -> list[Wanted]:
        """Return so many jobs: one of each kind, and the others as it happens."""
        kinds = list(self._kinds)
        weights = [self._kinds[kind] for kind in kinds]
        drawn = kinds + self._draw.choices(kinds, weights, k=max(0, count - len(kinds)))
        drawn = drawn[:count]
        self._draw.shuffle(drawn)
        return [kind() for kind in drawn]

    # --- the kinds --------------------------------------------------------------------------

    def _echo(self) -> Wanted:
        payload = {"sleep_s": self._draw.choice([0, 0, 0.3, 1, 3]), "said": self._text(20)}
        return self._job("echo", "echo", payload, _echoed(payload))

    def _model(self) -> Wanted:
        """One at a time in the whole fleet."""
        payload = {"sleep_s": 0.5, "said": self._text(20)}
        return self._job("model", "echo", payload, _echoed(payload), resource_class="llm")

    def _steps(self) -> Wanted:
        return self._trial("steps", steps=self._draw.randint(1, 20))

    def _family(self) -> Wanted:
        """With processes that would stay if nobody ended them."""
        return self._trial("family", steps=self._draw.randint(1, 15), family=2)

    def _of_a_node(self) -> Wanted:
        requires = {"node": self._draw.choice(self._nodes), "min_version": "1.0"}
        return self._trial("of a node", steps=2, more={"requires": requires})

    def _fails_at_once(self) -> Wanted:
        job = self._trial("fails at once", fail="at once")
        return job._replace(ends=FAILED, fails=frozenset({"failed"}))

    def _fails_always(self) -> Wanted:
        job = self._trial("fails always", fail="again")
        return job._replace(ends=FAILED, fails=frozenset({"failed"}))

    def _fails_first(self) -> Wanted:
        job = self._trial("fails first", fails_first=1, steps=2)
        return job._replace(fails=frozenset({"at_first"}))

    def _large_payload(self) -> Wanted:
        job = self._trial("large payload", steps=3, filling=self._text(_LARGE_BYTES))
        content = json.dumps(job.body.pop("payload")).encode()
        digest = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        return job._replace(body={**job.body, "payload_file": digest}, upload=content)

    def _large_answer(self) -> Wanted:
        return self._trial("large answer", steps=3, answer_bytes=_LARGE_BYTES, letter=self._text(1))

    def _cancelled(self) -> Wanted:
        job = self._trial("cancelled", steps=self._draw.randint(10, 60), family=1)
        after_s = self._draw.uniform(_SHORTEST_CANCEL_S, _LONGEST_CANCEL_S)
        return job._replace(ends=CANCELLED, cancel_s=after_s)

    def _impossible(self) -> Wanted:
        job = self._trial("impossible", more={"requires": {"tags": ["nobody-has-this"]}})
        return job._replace(ends=frozenset({"cancelled"}), alone=True)

    def _too_late(self) -> Wanted:
        """Nobody can take it before its deadline has passed."""
        requires = {"tags": ["nobody-has-this"]}
        job = self._trial("too late", more={"requires": requires, "deadline_in_s": 4})
        return job._replace(ends=FAILED)

    def _plan(self) -> Wanted:
        name = self._draw.choice(list(OPTIMA))
        text = (PLANS / name).read_text()
        payload = {"text": text, "options": {"time_limit_s": 60}}
        return self._job(f"plan {name}", "prodplan", payload, _scheduled(payload, OPTIMA[name]))

    # --- what they are made of --------------------------------------------------------------

    def _trial(self, kind: str, more: dict[str, Any] | None = None, **payload: Any) -> Wanted:
        payload = {"number": self._draw.randint(1, 1_000_000), "mark": self._mark, **payload}
        return self._job(kind, "trial", payload, _tried(payload), **(more or {}))

    def _job(self, kind: str, job_type: str, payload: object, judge: Judge, **more: Any) -> Wanted:
        self._number += 1
        body = {
            "id": str(uuid.UUID(int=self._draw.getrandbits(128), version=4)),
            "type": job_type,
            "name": f"{self._number} {kind}",
            "payload": payload,
            "priority": self._draw.randint(-5, 5),
            **more,
        }
        return Wanted(kind, body, SUCCEEDED, judge)

    def _text(self, length: int) -> str:
        return self._draw.choice("abcdefghij") * (length - 1) + self._draw.choice("äß€x")


# --- judges -----------------------------------------------------------------------------------


def _echoed(payload: dict[str, Any]) -> Judge:
    def judge(result: Any) -> str:
        if result["echo"] != payload:
            return f"{result['echo']} is no echo of {payload}"
        slept_s = result["slept_s"]
        return "" if slept_s >= payload["sleep_s"] - 0.01 else f"it slept {slept_s} s only"

    return judge


def _tried(payload: dict[str, Any]) -> Judge:
    expected = {
        "number": payload["number"],
        "square": payload["number"] ** 2,
        "filling": hashlib.sha256(payload.get("filling", "").encode()).hexdigest(),
        "answer": payload.get("letter", "a") * payload.get("answer_bytes", 0),
    }

    def judge(result: Any) -> str:
        return "" if result == expected else f"{str(result)[:200]}, not {str(expected)[:200]}"

    return judge


def _scheduled(payload: dict[str, Any], optimum: int) -> Judge:
    def judge(result: Any) -> str:
        checked = subprocess.run(
            [sys.executable, CHECKER],
            input=json.dumps({"payload": payload, "result": result}),
            capture_output=True,
            text=True,
            check=False,
            timeout=_CHECK_S,
        )
        if checked.returncode:
            return f"the checker says {checked.stdout} {checked.stderr}"
        status, objective, bound = (result[name] for name in ("status", "objective", "bound"))
        if status == "optimal" and objective != optimum:
            return f"{objective} is not the optimum {optimum}"
        return "" if bound <= optimum <= objective else f"{bound} … {objective} without {optimum}"

    return judge
