from __future__ import annotations

import sys

from forge_agent.cli import main

sys.exit(main())
