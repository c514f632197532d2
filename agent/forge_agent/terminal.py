"""What a command says: its news on stdout, and what stood in its way on stderr."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    # At once, to be in step with stderr, also through a pipe.
    print(text, flush=True)  # noqa: T201


def complain(problem: str) -> None:
    print(f"forge-agent: {problem}", file=sys.stderr)  # noqa: T201
