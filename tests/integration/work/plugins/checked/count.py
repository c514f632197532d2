"""Gives back the number in the payload, or another one if it is told to be wrong."""

import json
import sys
from pathlib import Path

payload = json.load(sys.stdin)["payload"]
result = {"number": payload["number"] + bool(payload.get("wrong")), "filling": "y" * 1_500_000}
said: dict[str, object] = {"result": result}
if payload.get("by_a_file"):
    Path("result.json").write_text(json.dumps(result))
    said = {"path": "result.json"}
sys.stdout.write(json.dumps({"type": "result", **said}) + "\n")
