"""The agent's settings: from flags, the environment, `.env` and a TOML file, in this order."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from forge_agent import places
from forge_shared import names

SPOOL_MAX_MIB: Final = 256
_MAX_INTERVAL_S: Final = 86_400
_ENCODING: Final = "utf-8-sig"  # Windows' editors like to begin a file with a byte order mark

NODE_ID: Final = "NODE_ID"
CENTRAL_URL: Final = "CENTRAL_URL"
BEARER_TOKEN: Final = "BEARER_TOKEN"
STATE_DIR: Final = "FORGE_STATE_DIR"
INTERVAL_S: Final = "FORGE_INTERVAL_S"
SPOOL_MIB: Final = "FORGE_SPOOL_MAX_MIB"
CA_FILE: Final = "FORGE_CA_FILE"
INTERFACES: Final = "FORGE_INTERFACES"
DISKS: Final = "FORGE_DISKS"
MOUNTS: Final = "FORGE_MOUNTS"
AUTO_UPDATE: Final = "FORGE_AUTO_UPDATE"
RELEASE_KEYS: Final = "FORGE_RELEASE_KEYS"
WORK: Final = "FORGE_WORK"
PLUGINS: Final = "FORGE_PLUGINS"
# No setting: the launcher tells those it starts where they are installed.
PROGRAM_DIR: Final = "FORGE_PROGRAM_DIR"
SETTINGS: Final = (
    NODE_ID,
    CENTRAL_URL,
    BEARER_TOKEN,
    STATE_DIR,
    INTERVAL_S,
    SPOOL_MIB,
    CA_FILE,
    INTERFACES,
    DISKS,
    MOUNTS,
    AUTO_UPDATE,
    RELEASE_KEYS,
    WORK,
    PLUGINS,
)

_EXAMPLE_URL: Final = "http://192.168.1.10:8750"
_MISSING: Final[Mapping[str, str]] = {
    NODE_ID: "NODE_ID is missing: set it, or use --node-id, to this machine's name.",
    CENTRAL_URL: "CENTRAL_URL is missing: set it, or use --url, to the collector's address, such as"
    f" {_EXAMPLE_URL}.",
    BEARER_TOKEN: "BEARER_TOKEN is missing: `forge-agent join STRING` gets one, with what the"
    " collector's page shows under Add a machine; or mint one with `forgectl tokens mint`, then set"
    " BEARER_TOKEN, or use --token-file.",
}


class SettingsError(Exception):
    """Settings are missing or wrong. ``problems``: one sentence each, saying what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(NamedTuple):
    """What the agent runs with. ``interval_s`` 0: as often as the collector asks. ``ca_file``: the
    authority whose certificates are trusted, None: the system's. ``interfaces``, ``disks``,
    ``mounts``: patterns of what to show and, after ``!``, not to show; the first that matches
    decides, and what none matches goes by the usual choice. ``release_keys``: whose releases to
    take beside those the program was built with. ``work``: do jobs, unless `forge-agent work` says
    otherwise; ``plugins``: folders with plugins, none: the usual ones. ``warnings``: sentences for
    the owner."""

    node_id: str
    url: str
    token: str
    state_dir: Path
    interval_s: int
    spool_limit_bytes: int
    ca_file: Path | None = None
    interfaces: tuple[str, ...] = ()
    disks: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    auto_update: bool = False
    release_keys: tuple[str, ...] = ()
    work: bool = False
    plugins: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        # The token must not reach a log by way of a traceback.
        return f"Settings({self.node_id!r}, {self.url!r}, <token>, {str(self.state_dir)!r}, …)"


def load(
    *,
    flags: Mapping[str, str | None],
    environ: Mapping[str, str],
    folder: Path | None,
    config_file: Path | None = None,
    token_file: Path | None = None,
    needed: Collection[str] = (NODE_ID, CENTRAL_URL, BEARER_TOKEN),
) -> Settings:
    """Put the settings together; raises SettingsError.

    ``flags``: by the names in SETTINGS, None where not given. ``folder``: where `.env` is looked
    for, None: nowhere. ``config_file``: one the user named, which must exist; otherwise the usual
    place is tried. ``needed``: what must be there; a command that does without the rest finds it
    empty.
    """
    problems: list[str] = []
    warnings: list[str] = []
    given = {name: value for name, value in flags.items() if value is not None}
    if token_file is not None:
        given[BEARER_TOKEN] = _token_in(token_file, problems, warnings)
    file = config_file or _usual_config_file()
    in_file = _from_toml(file, problems, warnings, is_named=config_file is not None)
    found: dict[str, str] = {}
    for source in (
        in_file,
        {} if folder is None else _from_dotenv(folder / ".env", problems, warnings),
        environ,
        given,
    ):
        found |= {name: source[name].strip() for name in SETTINGS if source.get(name, "").strip()}
    problems += [_MISSING[name] for name in _MISSING if name in needed and name not in found]
    if STATE_DIR not in found:
        is_the_machines = file == places.machine().config_file and found.get(
            NODE_ID
        ) == in_file.get(NODE_ID)
        found[STATE_DIR] = str(_usual_state_dir(found.get(NODE_ID, ""), is_the_machines))
    settings = _checked(found, problems, tuple(warnings))
    if problems:
        raise SettingsError(problems)
    return settings


def program_dir(environ: Mapping[str, str]) -> Path | None:
    """Return where the program is installed, for one that its launcher has started."""
    told = environ.get(PROGRAM_DIR, "")
    return Path(told) if told else None


def _checked(found: Mapping[str, str], problems: list[str], warnings: tuple[str, ...]) -> Settings:
    """Return the settings, adding a sentence to ``problems`` for each that is missing or wrong."""
    return Settings(
        node_id=_node_id(found.get(NODE_ID, ""), problems),
        url=_url(found.get(CENTRAL_URL, ""), problems),
        token=_token(found.get(BEARER_TOKEN, ""), problems),
        state_dir=Path(found[STATE_DIR]),
        interval_s=_whole(found, INTERVAL_S, (0, _MAX_INTERVAL_S), 0, problems),
        spool_limit_bytes=_whole(found, SPOOL_MIB, (1, 1024 * 1024), SPOOL_MAX_MIB, problems)
        * 1024
        * 1024,
        ca_file=Path(found[CA_FILE]) if CA_FILE in found else None,
        interfaces=_listed(found.get(INTERFACES, "")),
        disks=_listed(found.get(DISKS, "")),
        mounts=_listed(found.get(MOUNTS, "")),
        auto_update=_whole(found, AUTO_UPDATE, (0, 1), 0, problems) == 1,
        release_keys=_listed(found.get(RELEASE_KEYS, "")),
        work=_switched(found, WORK, problems),
        plugins=tuple(Path(part) for part in found.get(PLUGINS, "").split(os.pathsep) if part),
        warnings=warnings,
    )


# --- one setting each ---------------------------------------------------------------------------


def _node_id(text: str, problems: list[str]) -> str:
    if text and not names.is_node_id(text):
        problems.append(f"NODE_ID {text!r} cannot be used: {names.NODE_ID_HELP}.")
    return text


def _url(text: str, problems: list[str]) -> str:
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isascii() or not text.isprintable() or " " in text:
        problems.append(f"CENTRAL_URL {text!r} is not an address: give it as {_EXAMPLE_URL}.")
    elif parts.query or parts.fragment or parts.username is not None:
        problems.append("CENTRAL_URL holds more than scheme, host, port and path: leave that out.")
    return text.rstrip("/")


def _token(text: str, problems: list[str]) -> str:
    if not (text.isascii() and text.isprintable()) or " " in text:
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


def _switched(found: Mapping[str, str], name: str, problems: list[str]) -> bool:
    text = found.get(name, "off")
    if text not in {"on", "off"}:
        problems.append(f"{name} {text!r} must be on or off.")
    return text == "on"


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _usual_state_dir(node_id: str, is_the_machines: bool) -> Path:
    """Return the user's folder; for root, who runs the machine's agent by hand, the machine's, so
    that a service goes on with what is there."""
    own = places.user().state_dir / (node_id or "node")
    if not is_the_machines or os.name != "posix" or not places.may_use_the_machines():
        return own
    machines = places.machine().state_dir
    try:
        # A service that is a user of its own could not use what root leaves there.
        return machines if machines.stat().st_uid == os.geteuid() else own
    except OSError:
        return own if own.exists() else machines  # it may have been run so before


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


def _from_toml(
    path: Path, problems: list[str], warnings: list[str], *, is_named: bool
) -> dict[str, str]:
    try:
        text = path.read_text(encoding=_ENCODING)
        # Imported here: most agents have no such file.
        import tomllib  # noqa: PLC0415

        table = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        if is_named:
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
    """Return the machine's file for who may read it and if there is one, else the user's."""
    machine = places.machine().config_file
    return machine if os.access(machine, os.R_OK) else places.user().config_file


def _warn_if_others_can_read(path: Path, warnings: list[str]) -> None:
    # systemd makes its credentials one service's alone by other means than their mode.
    if os.name != "posix" or str(path.parent) == os.environ.get("CREDENTIALS_DIRECTORY"):
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
