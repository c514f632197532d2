"""The agent's peer: prometheus-node-exporter as Debian packages it, scraped as Prometheus does."""

from __future__ import annotations

import http.client
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from scripts.benches import servers

PROGRAM: Final = "prometheus-node-exporter"
_TIMEOUT_S: Final = 10.0
_PATIENCE_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.05
# What a Prometheus server sends.
_HEADERS: Final = {
    "Accept": "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3",
    "Accept-Encoding": "gzip",
}


def version() -> str:
    told = subprocess.run(
        [PROGRAM, "--version"], capture_output=True, text=True, check=True, timeout=10
    )
    found = re.search(r"version (\S+)", told.stdout + told.stderr)
    return found[1] if found else "of unknown version"


@contextmanager
def running(interval_s: float) -> Iterator[int]:
    """Run one with its default collectors, scraped at this interval; yields its pid."""
    port = servers.free_port()
    with servers.running([PROGRAM, f"--web.listen-address=127.0.0.1:{port}"]) as output:
        scraper = Scraper(port, interval_s)
        try:
            yield output.process.pid
        finally:
            scraper.stop()


class Scraper:
    """Asks over one kept connection, in a thread, until stopped."""

    def __init__(self, port: int, interval_s: float) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        self._interval_s = interval_s
        self._stopping = threading.Event()
        self._failure = ""
        self._wait_until_it_listens()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it; raises ClickException when a scrape failed: the figures are worth nothing."""
        self._stopping.set()
        self._thread.join(_TIMEOUT_S)
        self._connection.close()
        if self._failure:
            raise click.ClickException(f"{PROGRAM} could not be scraped: {self._failure}")

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._failure:
            try:
                self._connection.request("GET", "/metrics", headers=_HEADERS)
                reply = self._connection.getresponse()
                reply.read()
            except (OSError, http.client.HTTPException) as error:
                self._failure = repr(error)
                return
            if reply.status != http.HTTPStatus.OK:
                self._failure = f"it answered {reply.status}"
            due_s += self._interval_s
            if self._stopping.wait(max(0.0, due_s - time.monotonic())):
                return

    def _wait_until_it_listens(self) -> None:
        until_s = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._connection.connect()
            except OSError as error:
                if time.monotonic() > until_s:
                    raise click.ClickException(f"{PROGRAM} does not listen: {error}") from None
                time.sleep(_LOOK_EVERY_S)
            else:
                return
