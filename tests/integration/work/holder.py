"""A process that holds a job as the worker does; it prints what the job says, and waits."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from forge_agent.work import child, plugins

work_dir = child.new_work_dir(Path(sys.argv[2]))
job = child.Child(child.JobSpec(plugins.check(Path(sys.argv[1])), b"{}", work_dir))
job.start()
for _ in range(int(sys.argv[3])):
    print((job.next_line(30) or b"").decode(), flush=True)  # noqa: T201
time.sleep(60)
