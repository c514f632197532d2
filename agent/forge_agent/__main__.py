from __future__ import annotations

import sys

if sys.argv[1:] == ["keep-job"]:
    # Started for each job: without all that the command line would bring.
    from forge_agent.work.keeper import main
else:
    from forge_agent.cli import main

sys.exit(main())
