"""Gives back the number in the payload, or another one if it is told to be wrong."""

import json
import sys

payload = json.load(sys.stdin)["payload"]
result = {"number": payload["number"] + bool(payload.get("wrong")), "filling": "y" * 1_500_000}
sys.stdout.write(json.dumps({"type": "result", "result": result}) + "\n")
