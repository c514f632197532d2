"""Takes as many steps as the payload says, each a checkpoint: it goes on where another stopped."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

STEP_S = 0.05


def say(**line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def load(document: dict[str, Any], name: str) -> Any:
    path = document.get(f"{name}_path")
    if path is None:
        return document.get(name)
    return json.loads(Path(path).read_bytes())


def main() -> None:
    document = json.load(sys.stdin)
    payload, checkpoint = load(document, "payload"), load(document, "checkpoint")
    begun_at = done = checkpoint["done"] if checkpoint else 0

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if payload.get("stubborn"):
            return
        say(type="checkpoint", data={"done": done})
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    sys.stderr.write(f"begins at {begun_at}\n")
    sys.stderr.flush()
    if payload.get("crashes"):
        os.kill(os.getpid(), signal.SIGKILL)
    if payload.get("fails"):
        say(type="error", code="infeasible", message="it cannot be", retryable=False)
        sys.exit(1)
    while done < payload["steps"]:
        time.sleep(STEP_S)
        if payload.get("stands_still"):
            continue
        done += 1
        say(type="checkpoint", data={"done": done, "filling": "x" * payload.get("filling", 0)})
        if not payload.get("finds_nothing"):
            say(type="incumbent", objective=payload["steps"] - done, bound=0)
        say(type="progress", fraction=done / payload["steps"])
    result = {"steps": done, "begun_at": begun_at, "filling": "y" * payload.get("filling", 0)}
    say(type="result", result=result)


main()
