"""Says whether a result is right. It is large, and so a file."""

import json
import os
import signal
import sys
import time
from pathlib import Path

given = json.load(sys.stdin)
if given["payload"].get("kills_its_check"):
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(given["payload"].get("check_takes_s", 0))
result = json.loads(Path(given["result_path"]).read_bytes())
if result["number"] != given["payload"]["number"]:
    sys.stdout.write("that is another number\n")
    sys.exit(1)
