"""python -m forge_collector."""

from forge_collector.cli import main

main()
