"""Verifies the schedule of a plan: reads {"payload", "result"} on stdin, exits 0 when it is right,
and says otherwise in its last line why it is not."""

from __future__ import annotations

import sys

from prodplan_check.program import main

if __name__ == "__main__":
    sys.exit(main())
