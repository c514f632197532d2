"""The collector's own authority, and the certificate it issues to itself, in the data folder."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from forge_collector.clock import Clock
from forge_collector.config import AUTHORITY_FILE, ConfigError, sync_folder, write_private
from forge_collector.tls import files, rules, x509
from forge_collector.tls.serving import Serving
from forge_collector.tls.x509 import Pair

_log = structlog.get_logger()

_AUTHORITY_KEY_FILE: Final = "ca.key"
_CERTIFICATE_FILE: Final = "cert.pem"
_KEY_FILE: Final = "key.pem"
_SOON_MS: Final = 365 * 24 * 3_600_000


class OwnCertificate:
    """``wanted``: returns the names to be reached by. Raises ConfigError when the folder is
    damaged, and OSError when it cannot be written."""

    host: str | None = None

    def __init__(self, folder: Path, wanted: Callable[[], frozenset[str]], clock: Clock) -> None:
        self._folder = folder
        self._wanted = wanted
        self._clock = clock
        draft = folder.with_name(folder.name + ".draft")
        shutil.rmtree(draft, ignore_errors=True)  # of one that was killed
        if not folder.exists():
            _make_authority(draft, folder, clock.now_ms())
        self._authority = _load_authority(folder)
        self._authority_says = x509.read(self._authority.certificate)
        self._check_authority()
        self.ca_pem: str | None = self._authority.certificate
        self.ca_fingerprint: bytes | None = x509.fingerprint(self._authority.certificate)
        reason = self._why_renew()
        if reason is not None:
            self._issue(reason)
        self._version = self._versions()
        self.current = x509.read(self._certificate.read_text())
        self._serving = Serving(self._certificate, self._key)

    @property
    def context(self) -> ssl.SSLContext:
        return self._serving.context

    def refresh(self) -> None:
        """Renew the certificate if it is time; raises ConfigError and OSError, and then goes on as
        before."""
        version = self._versions()
        due = rules.why_renew(
            self.current, self._authority_says, self._wanted(), self._clock.now_ms()
        )
        if due is None and version == self._version:
            return
        self._check_authority()
        # What lies in the files by now may do: somebody replaced it, or it was put back.
        if (reason := self._why_renew()) is not None:
            self._issue(reason)
        found = x509.read(self._certificate.read_text())
        version = self._versions()
        self._serving.exchange(self._certificate, self._key)
        self._version, self.current = version, found

    def _why_renew(self) -> str | None:
        """Return why what is in the files has to be replaced; None when it can be served."""
        try:
            pair = Pair(self._certificate.read_text(), self._key.read_text())
            if not x509.is_pair(pair) or not x509.is_issued_by(pair.certificate, self._authority):
                return "the one that is there is not the authority's, or not its key's"
            current = x509.read(pair.certificate)
        except FileNotFoundError:
            return "there is none"
        except (OSError, ValueError, TypeError):
            return "the one that is there cannot be read"
        return rules.why_renew(current, self._authority_says, self._wanted(), self._clock.now_ms())

    def _issue(self, reason: str) -> None:
        now_ms = self._clock.now_ms()
        pair = x509.issue(self._authority, self._wanted(), now_ms)
        # Should it end between the two, they do not match, and the next start replaces both.
        write_private(self._key, pair.key)
        write_private(self._certificate, pair.certificate)
        _log.info(
            "certificate issued",
            reason=reason,
            expires_at=x509.read(pair.certificate).not_after_ms,
        )

    def _check_authority(self) -> None:
        left_ms = self._authority_says.not_after_ms - self._clock.now_ms()
        if left_ms <= 0:
            raise ConfigError(
                f"The authority in {self._folder} has expired, by this machine's clock. If the "
                f"clock is right, remove that folder: a new authority is made, and every machine "
                "has to join anew."
            )
        if left_ms < _SOON_MS:
            _log.warning(
                "the collector's own authority expires within a year: then every machine has to "
                "join anew",
                expires_at=self._authority_says.not_after_ms,
            )

    def _versions(self) -> tuple[files.Version | None, ...]:
        return files.versions(self._certificate, self._key)

    @property
    def _certificate(self) -> Path:
        return self._folder / _CERTIFICATE_FILE

    @property
    def _key(self) -> Path:
        return self._folder / _KEY_FILE


def _make_authority(draft: Path, folder: Path, now_ms: int) -> None:
    """Make the folder with a new authority in it, whole or not at all."""
    draft.mkdir(mode=0o700)
    made = x509.make_authority(socket.gethostname(), now_ms)
    write_private(draft / _AUTHORITY_KEY_FILE, made.key)
    write_private(draft / AUTHORITY_FILE, made.certificate)
    draft.replace(folder)
    sync_folder(folder.parent)  # before anybody is told its fingerprint
    _log.info("made an authority for certificates", folder=str(folder))


def _load_authority(folder: Path) -> Pair:
    try:
        pair = Pair(
            (folder / AUTHORITY_FILE).read_text(), (folder / _AUTHORITY_KEY_FILE).read_text()
        )
        if x509.is_pair(pair):
            return pair
        fault = f"{_AUTHORITY_KEY_FILE} is not the key of {AUTHORITY_FILE}"
    except OSError as error:
        name = Path(str(error.filename)).name
        fault = f"{name} cannot be read: {error.strerror}"
    except (ValueError, TypeError):
        fault = f"{AUTHORITY_FILE} or {_AUTHORITY_KEY_FILE} is damaged"
    raise ConfigError(
        f"The collector's own authority in {folder} cannot be used ({fault}). Put both files back "
        "from a copy; or, if there is none, remove the folder: a new authority is made, and every "
        "machine has to join anew."
    )
