"""The collector's settings, and the data folder they live in."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from forge_collector.access.rules import MIN_ADMIN_SECRET_LENGTH
from forge_shared import names
from forge_shared.job_messages import USUAL_SLOTS, ResourceClass

DATABASE_FILE: Final = "fleet.db"
ADMIN_SECRET_FILE: Final = "admin-secret"
LOCK_FILE: Final = "lock"
RELEASES_FOLDER: Final = "releases"
ADDRESS_FILE: Final = "address"
TLS_FOLDER: Final = "tls"
AUTHORITY_FILE: Final = "ca.pem"

USUAL_FLEET_SLOTS: Final[Mapping[ResourceClass, int]] = {ResourceClass.LLM: 1}

# What a process needs of its surroundings to run at all.
_BARE_ENVIRONMENT: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "USERPROFILE",
)


class ConfigError(Exception):
    """A setting is wrong; the message says which, and what to do."""


class CertificateFiles(NamedTuple):
    """A certificate that the owner gave, with those it was issued by, and its key."""

    certificate: Path
    key: Path


class FolderInUseError(ConfigError):
    """Another process holds the data folder."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``serve`` was told. docs/operations.md explains each."""

    host: str
    port: int
    data: Path
    admin_secret: str = field(repr=False)
    allowed_hosts: tuple[str, ...] = ()
    local_agent: bool = True
    history_hours: int = 48
    rollup_days: int = 30
    job_days: int = 30
    worker_slots: Mapping[ResourceClass, int] = field(default_factory=lambda: USUAL_SLOTS)
    fleet_slots: Mapping[ResourceClass, int] = field(default_factory=lambda: USUAL_FLEET_SLOTS)
    connections_per_address: int = 4096
    releases: Path | None = None
    tls_auto: bool = False
    tls_files: CertificateFiles | None = None
    public_url: str | None = None
    announce: bool | None = None  # None: where other machines can reach it

    @property
    def local_node_id(self) -> str | None:
        return names.node_id_from(socket.gethostname()) if self.local_agent else None

    @property
    def releases_folder(self) -> Path:
        return self.releases or self.data / RELEASES_FOLDER

    @property
    def with_tls(self) -> bool:
        return self.tls_auto or self.tls_files is not None

    @property
    def ca_file(self) -> Path | None:
        """The collector's own authority, by which this machine's own programs know it."""
        return own_authority(self.data) if self.tls_auto else None

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names this collector goes by; IP addresses are always welcome."""
        own = socket.gethostname().lower()
        public = urlsplit(self.public_url or "").hostname
        further = (self.host, public or "", *self.allowed_hosts)
        return ("localhost", own, f"{own.partition('.')[0]}.local", *filter(None, further))


def slots_of(
    option: str, text: str | None, usual: Mapping[ResourceClass, int]
) -> dict[ResourceClass, int]:
    """Read slots such as ``cpu=4,llm=1``; a class that is not named has as many as usual."""
    slots = dict(usual)
    for pair in filter(None, (text or "").split(",")):
        name, _, number = (part.strip() for part in pair.partition("="))
        if name not in set(ResourceClass) or not (number.isascii() and number.isdigit()):
            raise ConfigError(
                f"{option} {text!r} is not understood. Write it as cpu=4,io=10,llm=1, or with "
                "some of these."
            )
        slots[ResourceClass(name)] = int(number)
    return slots


def own_authority(data: Path) -> Path:
    return data / TLS_FOLDER / AUTHORITY_FILE


def prepare_data_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The data folder {path} cannot be made ({error.strerror}). "
            "Give another with --data DIR."
        ) from None


def admin_secret(data: Path) -> str:
    """Return ADMIN_SECRET, or the secret kept in the data folder, made now if there is none."""
    path = data / ADMIN_SECRET_FILE
    if "ADMIN_SECRET" not in os.environ and not path.exists():
        write_private(path, secrets.token_urlsafe(32) + "\n")
    return known_admin_secret(data)


def known_admin_secret(data: Path) -> str:
    """Return the secret that a collector on this folder has; raises ConfigError."""
    if (given := os.environ.get("ADMIN_SECRET")) is not None:
        if len(given) < MIN_ADMIN_SECRET_LENGTH:
            raise ConfigError(
                f"ADMIN_SECRET has fewer than {MIN_ADMIN_SECRET_LENGTH} characters. Set a longer "
                "one, or unset it and the collector makes its own."
            )
        return given
    path = data / ADMIN_SECRET_FILE
    try:
        kept = path.read_text().strip()
    except OSError as error:
        raise ConfigError(
            f"The admin secret cannot be read: {path}: {error.strerror}. If the collector was "
            "given ADMIN_SECRET, set the same here."
        ) from None
    if len(kept) < MIN_ADMIN_SECRET_LENGTH:
        raise ConfigError(
            f"{path} holds fewer than {MIN_ADMIN_SECRET_LENGTH} characters. Remove it, and the "
            "collector makes a new one."
        )
    return kept


@contextmanager
def address_told(data: Path, url: str) -> Iterator[None]:
    """Tell the commands on this machine where the collector that holds the folder listens."""
    path = data / ADDRESS_FILE
    write_private(path, url + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def told_address(data: Path) -> str:
    """Return where the collector that holds the folder listens; raises ConfigError."""
    try:
        return (data / ADDRESS_FILE).read_text().strip()
    except OSError:
        raise ConfigError(
            f"Something holds the data folder {data}, but no collector listens there: it is "
            "starting or stopping, or this is another backup, check or restore. Try again in a "
            "moment."
        ) from None


def bare_environment() -> dict[str, str]:
    """Return an environment for a child process, without any secret of this one."""
    return {name: os.environ[name] for name in _BARE_ENVIRONMENT if name in os.environ}


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all, after a power cut as well."""
    draft = path.with_name(path.name + ".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123  it owns the descriptor
        os.fchmod(file.fileno(), 0o600) if hasattr(os, "fchmod") else None
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was made, renamed or removed in the folder outlive a power cut."""
    if os.name == "nt":  # folders cannot be opened there, and need not be
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the data folder for this process alone; raises ConfigError when another has it."""
    try:
        descriptor = os.open(data / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(
            f"The collector cannot write in its data folder: {data / LOCK_FILE}: {error.strerror}. "
            "Give it a folder of its own with --data DIR."
        ) from None
    try:
        try:
            _lock(descriptor)
        except OSError:
            raise FolderInUseError(
                f"Another collector is running on the data folder {data}. Stop it, or give this "
                "one a folder of its own with --data DIR."
            ) from None
        # One that was killed may have left it; another listens there by now, or nobody.
        (data / ADDRESS_FILE).unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    # The operating system lets go of the lock when the process ends, however it ends.
    if os.name == "nt":
        import msvcrt  # noqa: PLC0415  there on Windows only

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl  # noqa: PLC0415  not there on Windows

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
