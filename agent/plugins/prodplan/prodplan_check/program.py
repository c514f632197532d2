"""The checker as a program."""

from __future__ import annotations

import json
import sys

from prodplan_check.checking import problem_of


def main() -> int:
    document = json.load(sys.stdin)
    problem = problem_of(document["payload"], document["result"])
    if problem is not None:
        sys.stdout.write(problem + "\n")
    return 0 if problem is None else 1
