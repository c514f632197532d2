from __future__ import annotations

from scripts.building.cli import main

main()
