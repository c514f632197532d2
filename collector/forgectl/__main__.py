"""python -m forgectl."""

from forgectl.cli import main

main()
