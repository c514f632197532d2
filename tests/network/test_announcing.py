"""A collector tells its network that it is there: where, what by, and when no more."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from forge_shared import __version__
from tests.network.hosts import Host
from tests.process import (
    PATIENCE_S,
    CollectorProcess,
    environment,
    running_collector,
    wait_for,
)

EVERYWHERE: Final = ("--host", "0.0.0.0")  # noqa: S104  of its own network alone
_BROWSE: Final = Path(__file__).with_name("browse.py")
_MDNS_PORT: Final = ":14E9 "


class Listener:
    """What a machine of the network hears of collectors."""

    def __init__(self, log_path: Path) -> None:
        self._log_path = log_path

    def heard(self, change: str) -> list[dict[str, Any]]:
        lines = self._log_path.read_text().splitlines()
        said = [json.loads(line) for line in lines if line.endswith("}")]
        return [one for one in said if one["change"] == change]

    def hears(self, change: str, *, times: int = 1) -> dict[str, Any]:
        wait_for(lambda: len(self.heard(change)) >= times, f"the network to hear: {change}")
        return self.heard(change)[-1]


@contextmanager
def listening(host: Host, folder: Path) -> Iterator[Listener]:
    log_path = folder / "heard"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [*host.prefix, sys.executable, str(_BROWSE), host.address, "60"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            env=environment(),
        )
    try:
        wait_for(lambda: "listening" in log_path.read_text(), "somebody to listen")
        yield Listener(log_path)
    finally:
        process.kill()
        process.wait(PATIENCE_S)


def speaks_mdns(collector: CollectorProcess) -> bool:
    """Tell whether anything in the collector's network listens for mDNS."""
    sockets = Path(f"/proc/{collector.pid}/net/udp").read_text()
    return _MDNS_PORT in sockets


def test_a_collector_is_found_where_it_is_and_missed_when_it_goes(
    hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    here, there = hosts
    with (
        listening(here, tmp_path) as listener,
        running_collector(
            tmp_path / "data", *EVERYWHERE, "--tls", "auto", prefix=there.prefix
        ) as collector,
    ):
        found = listener.hears("Added")
        assert found["name"] == socket.gethostname().partition(".")[0]
        assert (found["addresses"], found["port"]) == ([there.address], collector.port)
        ca_pem = (collector.data / "tls" / "ca.pem").read_text()
        assert found["told"] == {
            "v": "1",
            "tls": "1",
            "fp": hashlib.sha256(ssl.PEM_cert_to_DER_cert(ca_pem)).hexdigest(),
            "version": __version__,
        }

        there.move_to("10.87.0.78")
        # The one before could not be taken back: it is forgotten after two minutes.
        assert "10.87.0.78" in listener.hears("Updated")["addresses"]

        assert collector.stop() == 0
        listener.hears("Removed")


def test_one_without_tls_says_so(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    here, there = hosts
    options = (*EVERYWHERE, "--allow-plaintext")
    with (
        listening(here, tmp_path) as listener,
        running_collector(tmp_path / "data", *options, prefix=there.prefix),
    ):
        assert listener.hears("Added")["told"] == {"v": "1", "tls": "0", "version": __version__}


def test_nothing_is_told_on_loopback_nor_when_told_not_to(
    hosts: tuple[Host, Host], tmp_path: Path
) -> None:
    _, there = hosts
    told_not_to = (*EVERYWHERE, "--allow-plaintext", "--no-announce")
    on_loopback = ("--host", "127.0.0.1")
    for name, options in {"told": told_not_to, "loopback": on_loopback}.items():
        with running_collector(tmp_path / name, *options, prefix=there.prefix) as collector:
            assert not speaks_mdns(collector)
