"""Commands whose reader has had enough, as `head` has, end without a word."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from forge_agent.terminal import until_closed
from tests.process import PATIENCE_S, environment


@pytest.mark.parametrize(
    "command",
    [
        "plugins list --state-dir .",
        "plugins check --state-dir .",
        "work on --trust-plugins --state-dir .",
        "work status --json --state-dir .",
        "status --state-dir .",
        "doctor --state-dir .",
        "--help",
    ],
)
@pytest.mark.parametrize("with_errors", [False, True])
def test_a_closed_pipe_is_no_fault(command: str, *, with_errors: bool, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "forge_agent", *command.split()],
            stdout=writing,
            stderr=writing if with_errors else subprocess.PIPE,
            cwd=tmp_path,
            env=environment(HOME=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path)),
            timeout=PATIENCE_S,
            check=False,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr or b"") == (0, b"")


def test_another_connection_that_breaks_is_one() -> None:
    with pytest.raises(BrokenPipeError), until_closed():
        raise BrokenPipeError(errno.EPIPE, "of a socket")
