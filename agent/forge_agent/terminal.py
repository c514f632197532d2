"""What a command says: its news on stdout, and what stood in its way on stderr."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


def say(text: str) -> None:
    # At once, to be in step with stderr, also through a pipe.
    print(text, flush=True)  # noqa: T201


def complain(problem: str) -> None:
    print(f"forge-agent: {problem}", file=sys.stderr)  # noqa: T201


@contextmanager
def until_closed() -> Iterator[None]:
    """Run until whoever reads what is said has had enough, as ``head`` has: no error."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:  # a service has none on Windows
                sys.stdout.flush()
    except OSError as error:
        closed = [one for one in (sys.stdout, sys.stderr) if one is not None and _is_closed(one)]
        if not _is_of_a_pipe(error) or not closed:
            raise
        # What is left in a buffer would fail once more as the interpreter ends.
        for stream in closed:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _is_of_a_pipe(error: OSError) -> bool:
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)


def _is_closed(stream: TextIO) -> bool:
    """Tell whether nobody reads a stream any more: it may be another connection that has ended."""
    if os.name == "nt":
        return True  # it cannot be asked
    import select  # noqa: PLC0415  only now is it wanted

    asked = select.poll()
    try:
        asked.register(stream.fileno(), 0)
    except (OSError, ValueError):
        return False  # it is no file
    return bool(asked.poll(0))
