"""scripts/bench prodplan: plans whose optimum is known, beside PyJobShop's own way with them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from scripts.benches import machine

_ROOT: Final = Path(__file__).parents[2]
_PLANS: Final = _ROOT / "tests" / "data" / "plans"
_PLUGIN: Final = _ROOT / "agent" / "plugins" / "prodplan"
_OPTIMA: Final = {
    "ft06.txt": 55,
    "la01.txt": 666,
    "la02.txt": 655,
    "la05.txt": 593,
    "mk01.fjs": 40,
    "j301_1.sm": 43,
    "c154_3.mm": 34,
    "ft10.txt": 930,
}
_SLACK_S: Final = 30
# The same plan, solved as PyJobShop's users do: in one call, by the model that our plugin makes.
_PEER: Final = """
import sys, time
from forge_prodplan.translation import Translation
from forge_shared.plans.text import plan_from_text
from pyjobshop import solve
began = time.monotonic()
made = Translation(plan_from_text(open(sys.argv[1]).read()))
found = solve(made.data, time_limit=float(sys.argv[2]))
print(int(found.objective), found.status.value, time.monotonic() - began)
"""


class Outcome(NamedTuple):
    """``best_s``: when the schedule was found that is the best; ``total_s``: until the result was
    there, the start of the program included."""

    objective: int
    status: str
    best_s: float
    total_s: float
    verified: bool


@click.command("prodplan")
@click.option(
    "--plan", "names", multiple=True, type=click.Choice(list(_OPTIMA)), help="Only these."
)
@click.option("--limit", default=120, show_default=True, help="Seconds for each plan.")
@click.option("--times", default=1, show_default=True, help="How often to solve each plan.")
@click.option("--peer/--no-peer", default=True, help="PyJobShop's solve beside it.")
def command(names: tuple[str, ...], limit: int, times: int, *, peer: bool) -> None:
    """Plans of the literature, solved until they are proved to be best, and checked."""
    click.echo(f"{machine.described()}, OR-tools {version('ortools')}")
    missed = []
    for name in names or _OPTIMA:
        for turn in range(times):
            found = _solve(name, limit, turn + 1)
            told = (
                f"{name:10} {found.objective:5} of {_OPTIMA[name]:5}, {found.status:8}"
                f" found {found.best_s:6.2f} s, proved {found.total_s:6.2f} s,"
                f" {'checked' if found.verified else 'WRONG'}"
            )
            click.echo(told + (f"; PyJobShop {_peer(name, limit)}" if peer else ""))
            if (found.objective, found.status, found.verified) != (_OPTIMA[name], "optimal", True):
                missed.append(name)
    if missed:
        raise click.ClickException(f"not solved within {limit} s: {', '.join(missed)}")


def _solve(name: str, limit: int, attempt: int) -> Outcome:
    payload = {"text": (_PLANS / name).read_text(), "options": {"time_limit_s": limit}}
    document = {"job_id": name, "type": "prodplan", "attempt": attempt, "payload": payload}
    began = time.monotonic()
    best_s = 0.0
    with subprocess.Popen(
        [sys.executable, str(_PLUGIN / "prodplan.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None  # noqa: S101  both are pipes
        assert process.stdout is not None  # noqa: S101
        json.dump(document, process.stdin)
        process.stdin.close()
        line: dict[str, Any] = {}
        best = None
        for text in process.stdout:
            line = json.loads(text)
            if line["type"] == "incumbent" and line["objective"] != best:
                best, best_s = line["objective"], time.monotonic() - began
    total_s = time.monotonic() - began
    if line["type"] != "result":
        raise click.ClickException(f"{name}: {line}")
    found = line["result"]
    # What is proved at once was told by the result alone.
    best_s = best_s if best == found["objective"] else total_s
    return Outcome(found["objective"], found["status"], best_s, total_s, _verified(payload, found))


def _verified(payload: object, result: object) -> bool:
    checked = subprocess.run(
        [sys.executable, str(_PLUGIN / "verify.py")],
        input=json.dumps({"payload": payload, "result": result}),
        text=True,
        check=False,
        timeout=_SLACK_S,
    )
    return checked.returncode == 0


def _peer(name: str, limit: int) -> str:
    solved = subprocess.run(
        [sys.executable, "-c", _PEER, str(_PLANS / name), str(limit)],
        capture_output=True,
        text=True,
        check=True,
        timeout=limit + _SLACK_S,
        env={"PYTHONPATH": str(_PLUGIN)},
    )
    objective, status, seconds = solved.stdout.split()
    return f"{objective} {status} {float(seconds):.2f} s"
