"""Starts real agent processes against a collector, and ends them by pid."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.process import PATIENCE_S, CollectorProcess, environment


@contextmanager
def running_agent(
    collector: CollectorProcess, node_id: str, state: Path, *options: str
) -> Iterator[subprocess.Popen[bytes]]:
    """An agent that runs until the block is left, with a token minted for it in a 0600 file."""
    state.mkdir(parents=True, exist_ok=True)
    token_file = state / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(collector.mint(node_id=node_id))
    with (state / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "forge_agent", "run"),
                *("--node-id", node_id, "--url", collector.url),
                *("--token-file", str(token_file), "--state-dir", str(state / "state")),
                *options,
            ],
            cwd=state,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(PATIENCE_S)
