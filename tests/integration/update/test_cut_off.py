"""`kill -9` of an update at any moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from forge_shared.signatures import KeyPair
from tests.integration.update import program
from tests.integration.update.program import make_release
from tests.process import environment

_PROGRAM = b"#!/bin/sh\necho forge-agent 0.2.0\n"


def test_a_kill_between_any_two_steps_leaves_what_can_be_run(tmp_path: Path, keys: KeyPair) -> None:
    make_release(tmp_path / "release", "0.2.0", keys, packed=program.archive(_PROGRAM))
    cut_off = subprocess.run(
        [
            *(sys.executable, "-m", "tests.integration.update.cut_off"),
            *(tmp_path / "work", tmp_path / "release", keys.public),
        ],
        env=environment(),
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert cut_off.returncode == 0, cut_off.stderr
    steps = cut_off.stdout.splitlines()
    assert steps[-1] == "done"
    # Those that matter are among them.
    for step in ("open", "os.mkdir", "os.rename", "os.symlink", "subprocess.Popen", "os.remove"):
        assert any(line.startswith(step) for line in steps), steps
