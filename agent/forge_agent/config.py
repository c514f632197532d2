"""The agent's settings: from flags, the environment, `.env` and a TOML file, in this order."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from forge_shared import names

APP_NAME: Final = "forge-fleet"
CONFIG_FILE: Final = "agent.toml"
SPOOL_MAX_MIB: Final = 256
_MAX_INTERVAL_S: Final = 86_400
_ENCODING: Final = "utf-8-sig"  # Windows' editors like to begin a file with a byte order mark

NODE_ID: Final = "NODE_ID"
CENTRAL_URL: Final = "CENTRAL_URL"
BEARER_TOKEN: Final = "BEARER_TOKEN"
STATE_DIR: Final = "FORGE_STATE_DIR"
INTERVAL_S: Final = "FORGE_INTERVAL_S"
SPOOL_MIB: Final = "FORGE_SPOOL_MAX_MIB"
SETTINGS: Final = (NODE_ID, CENTRAL_URL, BEARER_TOKEN, STATE_DIR, INTERVAL_S, SPOOL_MIB)


class SettingsError(Exception):
    """Settings are missing or wrong. ``problems``: one sentence each, saying what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(NamedTuple):
    """What the agent runs with. ``interval_s`` 0: as often as the collector asks.
    ``warnings``: sentences for the owner."""

    node_id: str
    url: str
    token: str
    state_dir: Path
    interval_s: int
    spool_limit_bytes: int
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        # The token must not reach a log by way of a traceback.
        return f"Settings({self.node_id!r}, {self.url!r}, <token>, {str(self.state_dir)!r}, …)"


def load(
    *,
    flags: Mapping[str, str | None],
    environ: Mapping[str, str],
    folder: Path,
    config_file: Path | None = None,
    token_file: Path | None = None,
) -> Settings:
    """Put the settings together; raises SettingsError.

    ``flags``: by the names in SETTINGS, None where not given. ``folder``: where `.env` is looked
    for. ``config_file``: one the user named, which must exist; otherwise the usual place is tried.
    """
    problems: list[str] = []
    warnings: list[str] = []
    given = {name: value for name, value in flags.items() if value is not None}
    if token_file is not None:
        given[BEARER_TOKEN] = _token_in(token_file, problems, warnings)
    found: dict[str, str] = {}
    for source in (
        _from_toml(config_file, problems, warnings),
        _from_dotenv(folder / ".env", problems, warnings),
        environ,
        given,
    ):
        found |= {name: source[name].strip() for name in SETTINGS if source.get(name, "").strip()}
    settings = _checked(found, problems, tuple(warnings))
    if problems:
        raise SettingsError(problems)
    return settings


def _checked(found: Mapping[str, str], problems: list[str], warnings: tuple[str, ...]) -> Settings:
    """Return the settings, adding a sentence to ``problems`` for each that is missing or wrong."""
    node_id = _node_id(found.get(NODE_ID, ""), problems)
    state_dir = Path(found[STATE_DIR]) if STATE_DIR in found else _usual_state_dir(node_id)
    return Settings(
        node_id=node_id,
        url=_url(found.get(CENTRAL_URL, ""), problems),
        token=_token(found.get(BEARER_TOKEN, ""), problems),
        state_dir=state_dir,
        interval_s=_whole(found, INTERVAL_S, (0, _MAX_INTERVAL_S), 0, problems),
        spool_limit_bytes=_whole(found, SPOOL_MIB, (1, 1024 * 1024), SPOOL_MAX_MIB, problems)
        * 1024
        * 1024,
        warnings=warnings,
    )


# --- one setting each ---------------------------------------------------------------------------


def _node_id(text: str, problems: list[str]) -> str:
    if not text:
        problems.append("NODE_ID is missing: set it, or use --node-id, to this machine's name.")
    elif not names.is_node_id(text):
        problems.append(f"NODE_ID {text!r} cannot be used: {names.NODE_ID_HELP}.")
    return text


def _url(text: str, problems: list[str]) -> str:
    example = "such as http://192.168.1.10:8750"
    if not text:
        problems.append(
            f"CENTRAL_URL is missing: set it, or use --url, to the collector's address, {example}."
        )
        return ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isascii() or not text.isprintable() or " " in text:
        problems.append(f"CENTRAL_URL {text!r} is not an address: give it as {example[8:]}.")
    elif parts.query or parts.fragment or parts.username is not None:
        problems.append("CENTRAL_URL holds more than scheme, host, port and path: leave that out.")
    return text.rstrip("/")


def _token(text: str, problems: list[str]) -> str:
    if not text:
        problems.append(
            "BEARER_TOKEN is missing: mint one on the collector's page (Add a machine) or with"
            " `forgectl tokens mint`, then set BEARER_TOKEN, or use --token-file."
        )
    elif not (text.isascii() and text.isprintable()) or " " in text:
        # Not shown: it may be a good token with something beside it.
        problems.append("BEARER_TOKEN holds characters that no token has: copy it again.")
    return text


def _whole(
    found: Mapping[str, str], name: str, bounds: tuple[int, int], default: int, problems: list[str]
) -> int:
    text = found.get(name)
    if text is None:
        return default
    low, high = bounds
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if low <= value <= high:
        return value
    problems.append(f"{name} {text!r} must be a whole number from {low} to {high}.")
    return default


def _usual_state_dir(node_id: str) -> Path:
    # Imported here: who gives --state-dir need not hold it in memory.
    import platformdirs  # noqa: PLC0415

    return platformdirs.user_state_path(APP_NAME, appauthor=False) / "agent" / (node_id or "node")


# --- files --------------------------------------------------------------------------------------


def _token_in(path: Path, problems: list[str], warnings: list[str]) -> str:
    try:
        text = path.read_text(encoding=_ENCODING).strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"The token file {path} cannot be read: {_why(error)}.")
        return ""
    if not text:
        problems.append(f"The token file {path} is empty: put the node's token into it.")
    _warn_if_others_can_read(path, warnings)
    return text


def _from_dotenv(path: Path, problems: list[str], warnings: list[str]) -> dict[str, str]:
    """Read `.env`: NAME=value lines, `export` and quotes allowed; other programs' names pass."""
    try:
        text = path.read_text(encoding=_ENCODING)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path} cannot be read: {_why(error)}.")
        return {}
    found = parse_dotenv(text)
    if found.get(BEARER_TOKEN):
        _warn_if_others_can_read(path, warnings)
    return found


def parse_dotenv(text: str) -> dict[str, str]:
    """Return the names and values of a `.env` file's text."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or name.startswith("#"):
            continue
        value = value.strip()
        if value[:1] in {'"', "'"} and (end := value.find(value[0], 1)) > 0:
            value = value[1:end]
        else:
            value = value.partition(" #")[0].strip()
        found[name.strip()] = value
    return found


def _from_toml(named: Path | None, problems: list[str], warnings: list[str]) -> dict[str, str]:
    path = named or _usual_config_file()
    try:
        text = path.read_text(encoding=_ENCODING)
        # Imported here: most agents have no such file.
        import tomllib  # noqa: PLC0415

        table = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        if named is not None:
            problems.append(f"There is no config file {path}: check --config.")
        return {}
    except (OSError, ValueError) as error:
        problems.append(f"The config file {path} cannot be read: {_why(error)}.")
        return {}
    found: dict[str, str] = {}
    for key, value in table.items():
        if key.upper() not in SETTINGS or not isinstance(value, str | int):
            problems.append(
                f"{path} holds {key!r}, which is no setting: there are {', '.join(SETTINGS)}."
            )
        else:
            found[key.upper()] = str(value)
    if BEARER_TOKEN in found:
        _warn_if_others_can_read(path, warnings)
    return found


def _usual_config_file() -> Path:
    import platformdirs  # noqa: PLC0415 as above

    return platformdirs.user_config_path(APP_NAME, appauthor=False) / CONFIG_FILE


def _warn_if_others_can_read(path: Path, warnings: list[str]) -> None:
    if os.name != "posix":
        return
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    # A pipe such as /dev/stdin or <(…) is nobody else's to read.
    if stat.S_ISREG(mode) and mode & 0o077:
        warnings.append(f"{path} holds the token and others can read it: chmod 600 {path}")


def _why(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or str(error) or type(error).__name__
