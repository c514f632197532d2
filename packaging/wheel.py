"""Hatch's hook: what a wheel has that lies in no package of the checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Plugins(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the plugins into the agent's package. An editable install finds them in the checkout:
    a copy beside its packages would only grow old."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            plugins = Path(self.root, "agent", "plugins")
            build_data["force_include"][str(plugins)] = "forge_agent/plugins"
