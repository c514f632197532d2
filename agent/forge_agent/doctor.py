"""`forge-agent doctor`: looks for what keeps the agent from its work, and says what to do."""

from __future__ import annotations

import argparse
import email.utils
import json
import os
import shutil
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from forge_agent import config, noted, places, whereabouts
from forge_agent.config import Settings
from forge_agent.core.untrusted import json_object, printable
from forge_agent.log import NEUTRAL
from forge_agent.service import managers
from forge_agent.service.carrying_out import Tools
from forge_agent.service.described import Report
from forge_agent.tls import HandshakeError, Trust
from forge_agent.transport import Connection, Reply, TransportError
from forge_agent.whereabouts import Whereabouts
from forge_agent.work import noted as work_noted
from forge_agent.work import owner, suggested
from forge_shared import __version__

OK: Final = "ok"
FAILED: Final = "failed"
TOLD: Final = "told"  # nothing to repair, or nothing to look at
_MARKS: Final = {OK: "✓", FAILED: "✗", TOLD: NEUTRAL}

_CONNECT_TIMEOUT_S: Final = 5.0
_CLOCK_TOLERANCE_S: Final = 5  # from there on a collector speaks of a wrong clock too
_EXPIRES_SOON_S: Final = 7 * 86_400
_OLD_SPOOL_MS: Final = 60 * 60 * 1000
_LONGEST_SAID: Final = 2000  # a sentence for each setting that is wrong, and what to do at its end
_FEWEST_INODES: Final = 100
_AGENT: Final = {"User-Agent": f"forge-agent/{__version__}"}


class Check(NamedTuple):
    """What was looked at. ``said`` holds what to do when it ``failed``."""

    name: str
    outcome: str
    said: str


class FailedError(Exception):
    """A check failed; the message says what is wrong and what to do."""


class SkippedError(Exception):
    """A check has nothing to look at; the message says why."""


def main(given: argparse.Namespace) -> int:
    """Print what was found; return the exit code: 1 when anything failed."""
    machine, user = places.machine(), places.user()
    where = whereabouts.here(given.config, given.state_dir)
    failed = False
    checks = []
    examination = Examination(
        where,
        lambda: list(managers.reports(machine, user, Tools())),
        given,
    )
    for check in examination.run():
        failed = failed or check.outcome == FAILED
        checks.append(check)
        if not given.json:
            # One by one: some take seconds.
            said = printable(check.said, _LONGEST_SAID)
            print(f"{_MARKS[check.outcome]} {check.name:10} {said}", flush=True)  # noqa: T201
    if given.json:
        print(json.dumps({"ok": not failed, "checks": [check._asdict() for check in checks]}))  # noqa: T201
    return 1 if failed else 0


class Examination:
    """The checks in their order. ``reports``: asks how the services do; ``given``: the options by
    which the agent was named."""

    def __init__(
        self,
        where: Whereabouts,
        reports: Callable[[], list[Report]],
        given: argparse.Namespace | None = None,
    ) -> None:
        self._where = where
        self._reports = reports
        self._given = given or argparse.Namespace(config=None, state_dir=None)
        self._whoami: Reply | None = None
        self._offset_s: float | None = None

    def run(self) -> Iterator[Check]:
        # What needs the one before it: once a check has failed, those after it are left out.
        failed = ""
        for name, look in (
            ("settings", self._settings),
            ("address", self._address),
            ("name", self._name),
            ("reachable", self._reachable),
            ("tls", self._tls),
            ("collector", self._collector),
            ("token", self._token),
        ):
            if failed:
                yield Check(name, TOLD, f"skipped because of: {failed}")
                continue
            check = self._checked(name, look)
            failed = name if check.outcome == FAILED else ""
            yield check
        for name, look in (
            ("clock", self._clock),
            ("disk", self._disk),
            ("spool", self._spool),
            ("service", self._service),
            ("work", self._work),
        ):
            yield self._checked(name, look)

    # --- the collector ----------------------------------------------------------------------

    def _settings(self) -> str:
        hidden = self._where.hidden
        if self._where.settings is None and hidden is not None:
            raise FailedError(f"{hidden} is not yours to read: {self._with_rights()}")
        problems = [text for text in self._where.problems if not _is_about_address(text)]
        if problems:
            raise FailedError(" ".join(problems))
        settings = self._where.settings
        if settings is None:
            return "complete but for the address"
        if settings.warnings:
            raise FailedError(" ".join(settings.warnings))
        return f"{settings.node_id}, state in {settings.state_dir}"

    def _address(self) -> str:
        problems = [text for text in self._where.problems if _is_about_address(text)]
        if problems:
            raise FailedError(" ".join(problems))
        return self._known.url

    def _name(self) -> str:
        host, port = _host_and_port(self._known.url)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            # The latter where a part between two dots is empty, or longer than names may be.
            why = error.strerror if isinstance(error, OSError) else "it is no host name"
            raise FailedError(
                f"{host} cannot be resolved ({why}): check CENTRAL_URL and this"
                " machine's DNS, or use the collector's IP address."
            ) from None
        addresses = sorted({str(address[0]) for *_, address in found})
        if addresses == [host]:
            raise SkippedError(f"{host} is an address already")
        return f"{host} is {', '.join(addresses)}"

    def _reachable(self) -> str:
        host, port = _host_and_port(self._known.url)
        try:
            with socket.create_connection((host, port), _CONNECT_TIMEOUT_S) as connected:
                return f"{connected.getpeername()[0]} port {port} answers"
        except TimeoutError:
            why = f"no answer within {_CONNECT_TIMEOUT_S:.0f} s"
            what = "check that both are on one network and that no firewall drops it"
        except ConnectionRefusedError:
            why = "nothing listens there"
            what = "start the collector, and have it listen beyond its own machine (--host 0.0.0.0)"
        except OSError as error:
            why = error.strerror or type(error).__name__
            what = "check this machine's network"
        raise FailedError(f"{host} port {port}: {why}; {what}.")

    def _tls(self) -> str:
        settings = self._known
        if not settings.url.startswith("https"):
            raise SkippedError("the address is http: whoever is on the way can read the token")
        host, port = _host_and_port(settings.url)
        try:
            raw = socket.create_connection((host, port), _CONNECT_TIMEOUT_S)
            with (
                raw,
                Trust(settings.ca_file).wrap(
                    raw, host, time.monotonic() + _CONNECT_TIMEOUT_S
                ) as wrapped,
            ):
                certificate = wrapped.getpeercert() or {}
        except HandshakeError as error:
            raise FailedError(f"{error}.") from None
        except OSError as error:
            raise FailedError(
                f"the handshake failed ({error.strerror or error}): look for what is in between, a"
                " proxy or a firewall that takes TLS apart."
            ) from None
        expires_at_s = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        left_s = expires_at_s - time.time()
        until = time.strftime("%Y-%m-%d", time.gmtime(expires_at_s))
        if left_s < _EXPIRES_SOON_S:
            raise FailedError(
                f"its certificate ends on {until}: renew it. (A collector with --tls auto does so"
                " by itself, when it runs: start it again.)"
            )
        return f"trusted, for {host}, until {until}"

    def _collector(self) -> str:
        try:
            reply = self._get("/healthz")
        except FailedError:
            self._check_scheme()
            raise
        body = json_object(reply.body)
        if reply.status != 200 or not isinstance(body.get("status"), str):
            self._check_scheme()
            where = f" It points to {reply.location!r}." if reply.location else ""
            raise FailedError(
                f"what answers there is no collector (status {reply.status}): check CENTRAL_URL,"
                f" its path too.{where}"
            )
        return "a Forge Fleet collector"

    def _token(self) -> str:
        settings = self._known
        before_s = time.time()
        reply = self._get("/api/whoami", {"Authorization": f"Bearer {settings.token}"})
        self._offset_s = _clock_offset_s(reply.date, before_s, time.time())
        renew = "join again with a fresh join string, or mint a token and set BEARER_TOKEN"
        if reply.status in {401, 403}:
            raise FailedError(f"the collector does not know it (revoked, or of another): {renew}.")
        body = json_object(reply.body)
        if reply.status != 200:
            raise FailedError(
                f"the collector answers {reply.status} ({body.get('detail', 'without a reason')}):"
                " try again in a moment; if it goes on so, its log says why."
            )
        role, node_id = body.get("role"), body.get("node_id")
        if role != "node":
            raise FailedError(f"it is a {role}'s and no node's: {renew}.")
        if node_id != settings.node_id:
            raise FailedError(
                f"it is that of {node_id}, and NODE_ID is {settings.node_id}: set NODE_ID to"
                f" {node_id}, or {renew}."
            )
        return f"taken, for {settings.node_id}"

    def _clock(self) -> str:
        if self._offset_s is None:
            raise SkippedError("skipped because no collector was asked")
        offset_s = round(self._offset_s)
        if abs(offset_s) <= _CLOCK_TOLERANCE_S:
            return "as the collector's"
        direction = "ahead of" if offset_s > 0 else "behind"
        raise FailedError(
            f"{abs(offset_s)} s {direction} the collector's. If it is this machine's that is"
            f" wrong: {_SET_CLOCK.get(sys.platform, _SET_CLOCK['linux'])}"
        )

    # --- this machine -----------------------------------------------------------------------

    def _disk(self) -> str:
        folder = self._folder
        there = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        if not os.access(there, os.W_OK | os.X_OK):
            raise FailedError(f"{there} cannot be written: {self._with_rights()}")
        if there == folder:
            _try_writing(folder)
        free_mib = shutil.disk_usage(there).free / 2**20
        held_mib = noted.spooled(folder).bytes / 2**20
        limit_mib = self._where.settings.spool_limit_bytes / 2**20 if self._where.settings else 0
        if free_mib + held_mib < limit_mib:
            raise FailedError(
                f"{free_mib:.0f} MiB are free, and the spool may grow to {limit_mib:.0f} MiB: make"
                f" room, or set {config.SPOOL_MIB} lower."
            )
        if hasattr(os, "statvfs"):
            disk = os.statvfs(there)
            if disk.f_files and disk.f_favail < _FEWEST_INODES:
                raise FailedError(
                    f"no more than {disk.f_favail} files can be made on the disk of {there}:"
                    " remove small files."
                )
        return f"{folder} can be written, {free_mib:.0f} MiB are free"

    def _spool(self) -> str:
        folder = self._folder
        note, held = noted.read(folder), noted.spooled(folder)
        if note is not None and note.dropped:
            raise FailedError(
                f"{note.dropped} snapshots were lost since the agent started: the log says why"
                " (spool_full, disk_full, snapshots_refused)."
            )
        if not held.bytes:
            return "empty"
        age_ms = int(time.time() * 1000) - (held.oldest_ts or 0)
        online = note is not None and note.connection == "online" and noted.is_running(folder)
        if held.oldest_ts is not None and age_ms > _OLD_SPOOL_MS and not online:
            raise FailedError(
                f"about {held.snapshots} snapshots wait, the oldest for {age_ms // 3_600_000} h:"
                " they are sent once the agent reaches the collector."
            )
        return f"about {held.snapshots} snapshots wait to be sent"

    def _service(self) -> str:
        running = self._where.state_dir is not None and noted.is_running(self._where.state_dir)
        installed = [report for report in self._reports() if report.installed]
        stopped = [report for report in installed if not report.running]
        if stopped and not running:
            log = "journalctl -u forge-agent" if stopped[0].manager == "systemd" else "its log"
            raise FailedError(f"installed, and does not run: {log} says why.")
        if installed:
            return f"installed with {installed[0].manager}; an agent runs"
        if running:
            if self._given.state_dir is not None:
                raise SkippedError("an agent runs there by hand")  # a service has its own folder
            raise SkippedError(
                f"an agent runs, but no service: `{self._command('install')}` has it start"
            )
        raise FailedError(f"no agent runs: {suggested.starting(self._given)}.")

    def _work(self) -> str:
        folder, settings = self._folder, self._where.settings
        work = work_noted.look(folder, setting=settings is not None and settings.work)
        if work.enabled is None:
            raise FailedError(
                f"{folder / owner.FILE_NAME} is damaged: `{self._command('work on')}` writes it"
                " anew."
            )
        if not work.enabled:
            raise SkippedError(f"off: `{self._command('work on')}` lets this machine do jobs")
        worker = work.worker
        if worker is None and noted.is_running(folder):
            raise FailedError("on, but no worker runs: the agent's log says why (worker_ended).")
        if worker is None:
            raise SkippedError("on; it begins once the agent runs")
        if not worker.plugins:
            see = self._command("plugins list")
            raise FailedError(f"on, but there is no plugin to use: see `{see}`.")
        if worker.reason and worker.state != "ready":
            raise SkippedError(f"on, but no jobs now: {worker.reason}")
        return f"on, for {', '.join(worker.plugins)}; {len(worker.jobs)} jobs run"

    # --- what they share --------------------------------------------------------------------

    @property
    def _known(self) -> Settings:
        if self._where.settings is None:
            raise FailedError(" ".join(self._where.problems))
        return self._where.settings

    @property
    def _folder(self) -> Path:
        if self._where.state_dir is None:
            raise SkippedError("no agent is known here")
        return self._where.state_dir

    def _checked(self, name: str, look: Callable[[], str]) -> Check:
        try:
            return Check(name, OK, look())
        except FailedError as error:
            return Check(name, FAILED, str(error))
        except SkippedError as error:
            return Check(name, TOLD, str(error))
        except PermissionError as error:
            return Check(name, FAILED, f"{error.filename} is closed to you: {self._with_rights()}")
        except OSError as error:
            return Check(name, FAILED, f"{error.filename or 'it'}: {error.strerror or error}")

    def _command(self, words: str) -> str:
        return suggested.command(words, self._given)

    def _with_rights(self) -> str:
        again = self._command("doctor")
        return f"sudo {again}." if os.name == "posix" else f"run {again} as an administrator."

    def _check_scheme(self) -> None:
        """Raise FailedError when TLS is spoken where the address says http."""
        url = self._known.url
        if url.startswith("http:") and _speaks_tls(*_host_and_port(url)):
            raise FailedError(
                f"TLS is spoken there: set CENTRAL_URL to https:{url.removeprefix('http:')}, or"
                " join again with a join string, which also says whose certificate to trust."
            )

    def _get(self, path: str, headers: dict[str, str] | None = None) -> Reply:
        connection = Connection(self._known.url, ca_file=self._known.ca_file)
        try:
            return connection.get(path, {**_AGENT, **(headers or {})})
        except TransportError as error:
            raise FailedError(
                f"{error}: see whether the collector's machine is overloaded, and what is in"
                " between."
            ) from None
        finally:
            connection.close()


_SET_CLOCK: Final = {
    "linux": "sudo timedatectl set-ntp true",
    "darwin": "sudo sntp -sS time.apple.com",
    "win32": "as an administrator: w32tm /resync",
}


def _try_writing(folder: Path) -> None:
    """Write a file as the spool would, and take it away; raises FailedError."""
    path = folder / f".doctor-{os.getpid()}"
    path.unlink(missing_ok=True)
    try:
        # A new file, never one that something leads to: the folder is the service's, and who asks
        # may be root.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(b"\n" * 4096)
    except OSError as error:
        raise FailedError(f"{folder} cannot be written ({error.strerror}): make room.") from None
    finally:
        path.unlink(missing_ok=True)


def _is_about_address(problem: str) -> bool:
    return problem.startswith(config.CENTRAL_URL)


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _speaks_tls(host: str, port: int) -> bool:
    """Try a handshake, whoever answers: an empty reply, an alert or a web page may all be what a
    port with TLS has for plain HTTP."""
    try:
        with (
            socket.create_connection((host, port), _CONNECT_TIMEOUT_S) as raw,
            Trust(None, anybody=True).wrap(raw, host, time.monotonic() + _CONNECT_TIMEOUT_S),
        ):
            return True
    except OSError:
        return False


def _clock_offset_s(date: str, before_s: float, after_s: float) -> float | None:
    """Return how far this machine's clock is ahead of the reply's Date, which has whole seconds;
    None without a Date."""
    try:
        theirs_s = email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return (before_s + after_s) / 2 - (theirs_s + 0.5)
