"""The settings that a service starts with: one file, and nothing of the environment of whoever sets
it up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from forge_agent import config, private_files
from forge_agent.config import Settings
from forge_agent.core import joining

# No folder: no .env beside the file has a say.
_NOWHERE: Final = Path(os.devnull)


def of_file(path: Path) -> Settings:
    """Load what a file says, alone; raises SettingsError."""
    return config.load(flags={}, environ={}, folder=_NOWHERE, config_file=path)


def written_from(environ: Mapping[str, str], folder: Path, path: Path) -> bool:
    """Write the settings given by variables, or by a `.env` file in ``folder``, where a service
    finds them. Return False when there are none. Raises SettingsError, OSError."""
    try:
        in_file = config.parse_dotenv((folder / ".env").read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        in_file = {}
    given = {**in_file, **{name: value for name, value in environ.items() if value.strip()}}
    found = {name: given[name] for name in config.SETTINGS if given.get(name, "").strip()}
    if config.BEARER_TOKEN not in found:
        return False
    config.load(flags={}, environ=found, folder=_NOWHERE, config_file=_NOWHERE)
    private_files.write(path, joining.toml(found).encode())
    return True
