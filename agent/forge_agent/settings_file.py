"""The TOML file with the agent's settings, as joining reads and writes it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from forge_agent import private_files
from forge_agent.core import joining
from forge_agent.core.joining import Pending

_ENCODING: Final = "utf-8-sig"  # as config reads it
_HEADER: Final = (
    "# The settings of this machine's Forge agent. They hold its token: keep them to their owner."
)
_INVITE: Final = "# It joined with the invite "
_COLLECTOR: Final = "COLLECTOR"
_TOKEN: Final = "BEARER_TOKEN"


class UnreadableError(Exception):
    """The file is there, and is no use; the message says why."""


class SettingsText(NamedTuple):
    """A file's text, and its settings by their names in upper case."""

    text: str
    values: Mapping[str, str | int]

    def get(self, name: str) -> str:
        return str(self.values.get(name, "")).strip()

    @property
    def invite_id(self) -> str:
        """The invite that these settings came by; empty when they came otherwise."""
        lines = (line for line in self.text.splitlines() if line.startswith(_INVITE))
        return next(lines, "").removeprefix(_INVITE).rstrip(".")


def read(path: Path) -> SettingsText:
    """Read the settings; none where there is no file. Raises UnreadableError."""
    try:
        text = path.read_text(encoding=_ENCODING)
        table = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return SettingsText("", {})
    except OSError as error:
        raise UnreadableError(error.strerror or type(error).__name__) from None
    except ValueError as error:
        raise UnreadableError(str(error)) from None
    for key, value in table.items():
        if not isinstance(value, str | int):
            raise UnreadableError(f"{key!r} is no setting")
    return SettingsText(text, {key.upper(): table[key] for key in table})


def write(
    path: Path, before: SettingsText, joined: Mapping[str, str | None], invite_id: str
) -> None:
    """Write the settings that joining made, None for one that is no more, and keep what else the
    owner had written, with its comments; raises OSError."""
    kept = {name: value for name, value in before.values.items() if name not in joined}
    made = {name: value for name, value in joined.items() if value is not None}
    came_by = f"{_INVITE}{invite_id}.\n" if invite_id else ""
    ours = f"{_HEADER}\n{came_by}{joining.toml(made)}"
    text = ours + joining.without(_without_our_comments(before.text), frozenset(joined))
    if not _says(text, {**kept, **made}):
        text = ours + joining.toml(kept)
    private_files.write(path, text.encode())


def read_pending(path: Path) -> Pending | None:
    """Return what an unfinished join left; None when there is nothing of use."""
    try:
        left = read(path)
    except UnreadableError:
        return None
    collector, token = left.get(_COLLECTOR), left.get(_TOKEN)
    return Pending(collector, token) if collector and token else None


def write_pending(path: Path, pending: Pending) -> None:
    """Note a token before it is claimed; raises OSError."""
    text = joining.toml({_COLLECTOR: pending.collector, _TOKEN: pending.token})
    private_files.write(path, text.encode())


def _says(text: str, expected: Mapping[str, str | int]) -> bool:
    try:
        table = tomllib.loads(text)
    except ValueError:
        return False
    return {key.upper(): table[key] for key in table} == expected


def _without_our_comments(text: str) -> str:
    lines = (line for line in text.splitlines() if not line.startswith((_HEADER, _INVITE)))
    return "\n".join(lines)
