"""The agent's command line, run by root without root's rights: jobs cannot be other users then, and
Landlock alone keeps them from what is root's own."""

from __future__ import annotations

import os
import sys

from forge_agent import cli
from forge_agent.work import linux

if os.geteuid() == 0:
    linux.never_more_capabilities(None)
    linux.only_capability(None)
sys.exit(cli.main(sys.argv[1:]))
