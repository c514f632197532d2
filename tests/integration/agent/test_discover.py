"""Finding collectors over mDNS, on a network that is made for it, and somebody false on it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from forge_shared import joining
from forge_shared.joining import JoinString
from tests.network.hosts import Host, two_hosts
from tests.process import (
    ADMIN_SECRET,
    PATIENCE_S,
    CollectorProcess,
    environment,
    running_collector,
    wait_for,
)

URL = "https://10.87.0.2:8750"

INVITE = """
import pathlib, sys
from forge_agent.transport import Connection
url, ca_file, secret = sys.argv[1:]
headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
print(Connection(url, ca_file=pathlib.Path(ca_file)).post("/api/invites", b"{}", headers).body
      .decode())
"""

# Announces itself with the fingerprint of another, and shows the other's authority; and once more
# with a fingerprint of its own, and words that a terminal would obey; and by a name that cannot be.
# It tells what it got.
SPOOFER = """
import json, pathlib, sys, threading
from zeroconf import DNSOutgoing, DNSPointer, ServiceInfo, Zeroconf
from tests.integration.agent.recorder import Recorder, as_collector
ca_file, identity, fingerprint = sys.argv[1:]
KIND = "_forge-fleet._tcp.local."
answer = as_collector(pathlib.Path(ca_file).read_bytes())
with Recorder(answer, pathlib.Path(identity), "10.87.0.1") as recorder:
    zeroconf = Zeroconf(interfaces=["10.87.0.1"])
    for name, claimed in (("aaa", fingerprint), ("bbb", "ab" * 32)):
        told = {"v": "1", "tls": "1", "version": "9\\x1b[2J", "fp": claimed}
        zeroconf.register_service(ServiceInfo(
            KIND, f"{name}.{KIND}", port=recorder.port, properties=told, server="spoof.local.",
            parsed_addresses=["10.87.0.1"]))
    impossible = DNSOutgoing(0x8400)
    impossible.add_answer_at_time(DNSPointer(KIND, 12, 1, 4500, "bad\\x1b[2J." + KIND), 0)
    def shout():
        zeroconf.send(impossible)
        again = threading.Timer(0.2, shout)
        again.daemon = True
        again.start()
    shout()
    print("ready", flush=True)
    code = sys.stdin.readline().strip()
    print(json.dumps({"requests": recorder.requests, "got": [
        text for text in (code, "forge_", "secret_hash") if recorder.got(text)]}), flush=True)
    zeroconf.close()
"""


class Network(NamedTuple):
    """``here``: where machines join. ``there``: where the collector is."""

    here: Host
    there: Host
    collector: CollectorProcess
    ca_file: Path

    def invited(self) -> JoinString:
        minted = self.there.run(sys.executable, "-c", INVITE, URL, str(self.ca_file), ADMIN_SECRET)
        return joining.parse(json.loads(minted)["join_string"])


class Joining:
    """A join on the network, beside others; ``typed``: it has a terminal, and this is typed."""

    def __init__(
        self, network: Network, folder: Path, *arguments: str, typed: str | None = None
    ) -> None:
        folder.mkdir()
        self.settings = folder / "agent.toml"
        self._terminal: int | None = None
        keyboard = subprocess.DEVNULL
        if typed is not None:
            self._terminal, keyboard = pty.openpty()
            os.write(self._terminal, typed.encode())
        self._process = subprocess.Popen(
            [
                *(*network.here.prefix, sys.executable, "-m", "forge_agent", "join"),
                *("--config", str(self.settings), "--discover", *arguments),
            ],
            env=environment(),
            cwd=folder,
            stdin=keyboard,
            stdout=subprocess.PIPE if typed is None else keyboard,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if typed is not None:
            os.close(keyboard)

    def ended(self) -> tuple[int, str]:
        """Return the exit code, and what was said."""
        said, _ = self._process.communicate(timeout=PATIENCE_S)
        if self._terminal is not None:
            said = os.read(self._terminal, 65536).decode().replace("\r\n", "\n")
            os.close(self._terminal)
        return self._process.returncode, said

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate(timeout=PATIENCE_S)

    def url(self) -> str:
        """Return where this machine's collector is, once it has joined."""
        code, said = self.ended()
        assert code == 0, said
        url: str = tomllib.loads(self.settings.read_text())["CENTRAL_URL"]
        return url


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    data = tmp_path_factory.mktemp("discover") / "data"
    options = ("--host", "0.0.0.0", "--port", "8750", "--tls", "auto")  # noqa: S104  in there alone
    with (
        two_hosts() as (here, there),
        running_collector(data, *options, prefix=there.prefix) as collector,
    ):
        wait_for(lambda: collector.events("announced"), "the collector to announce itself")
        yield Network(here, there, collector, data / "tls" / "ca.pem")


@pytest.fixture
def start(network: Network, tmp_path: Path) -> Iterator[Callable[..., Joining]]:
    """Start joins, each with a name of its own, which are ended when the test is over."""
    started: list[Joining] = []

    def one(name: str, *arguments: str, typed: str | None = None) -> Joining:
        joining_one = Joining(network, tmp_path / name, *arguments, typed=typed)
        started.append(joining_one)
        return joining_one

    yield one
    for each in started:
        each.end()


@contextmanager
def spoofer(network: Network, folder: Path) -> Iterator[subprocess.Popen[str]]:
    identity = folder / "identity.pem"
    trustme.CA().issue_cert("10.87.0.1").private_key_and_cert_chain_pem.write_to_path(identity)
    fingerprint = network.invited().ca_fingerprint
    assert fingerprint is not None
    process = subprocess.Popen(
        [
            *(*network.here.prefix, sys.executable, "-c", SPOOFER),
            *(str(network.ca_file), str(identity), fingerprint.hex()),
        ],
        env=environment(PYTHONPATH=str(Path(__file__).parents[3])),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)


def test_a_collector_is_found_shown_and_joined(
    network: Network, start: Callable[..., Joining]
) -> None:
    wanted = network.invited()
    assert wanted.ca_fingerprint is not None
    gone = wanted._replace(url="https://10.87.0.2:9")
    listing = start("listing")
    by_code = start("by-code", wanted.code.upper(), typed="y\n")
    by_string = start("by-string", str(gone._replace(code=another(network))))
    refused = start("refused", another(network), typed="\n")
    no_terminal = start("no-terminal", another(network))

    code, said = listing.ended()
    assert code == 0
    assert URL in said
    assert joining.grouped(wanted.ca_fingerprint) in said
    assert by_code.url() == URL
    assert by_string.url() == URL
    code, said = refused.ended()
    assert code == 1
    assert f"  {joining.grouped(wanted.ca_fingerprint)}\nDoes the collector's page show" in said
    assert "Nothing was sent" in said
    assert not refused.settings.exists()
    code, said = no_terminal.ended()
    assert code == 2
    assert "add --fingerprint" in said


def another(network: Network) -> str:
    return network.invited().code


def test_somebody_who_announces_what_the_collector_does_gets_nothing(
    network: Network, start: Callable[..., Joining], tmp_path: Path
) -> None:
    wanted = network.invited()
    assert wanted.ca_fingerprint is not None
    prefix = wanted.ca_fingerprint.hex()[:16]
    with spoofer(network, tmp_path) as false:
        listing = start("listing")
        several = start("several", another(network), typed="y\n")
        joined = start("joined", wanted.code, "--fingerprint", prefix)
        fooled = start("fooled", wanted.code, "--fingerprint", "ab" * 8)

        code, said = listing.ended()
        assert code == 0
        assert "https://10.87.0.1:" in said
        assert URL in said
        assert "\x1b" not in said
        code, said = several.ended()
        assert code == 1
        assert "Several collectors announce themselves" in said
        assert "--fingerprint HEX" in said
        assert joined.url() == URL
        code, said = fooled.ended()
        assert code == 1
        assert "is not the collector that you were invited to" in said

        assert false.stdin is not None
        assert false.stdout is not None
        false.stdin.write(f"{wanted.code}\n")
        false.stdin.flush()
        told = json.loads(false.stdout.readline())
    # It was tried, its name being the first; and all it heard was the question for a certificate.
    assert told["requests"] == 2 * ["GET /ca.pem HTTP/1.1"]
    assert told["got"] == []
