"""Schedules a production plan: see docs/prodplan.md."""

from __future__ import annotations

import sys

from forge_prodplan.job import main

if __name__ == "__main__":
    sys.exit(main())
