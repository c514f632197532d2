"""Hosts on a network of their own: network namespaces joined by a cable, made for one test.

Nothing in them reaches this machine's network. As root they are plain namespaces; others get them
within a user namespace, where the kernel allows that.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.process import PATIENCE_S, wait_for

_LIFE_S: Final = 600  # should we be killed, what holds the namespaces goes by itself


class Host:
    """A host with one network card. ``run`` and ``prefix`` start commands on it."""

    def __init__(self, name: str, address: str, holder: int, user_options: list[str]) -> None:
        self.name = name
        self.address = address
        self.card = f"card-{name}"
        self._holder = holder
        self._user_options = user_options

    @property
    def prefix(self) -> list[str]:
        """What to put before a command so that it runs here, with its own pid."""
        return [
            *("nsenter", "--target", str(self._holder)),
            *self._user_options,
            *("--net", "--mount", "--"),
        ]

    def run(self, *command: str, text: str | None = None) -> str:
        """Run a command to its end; return what it printed."""
        done = subprocess.run(
            [*self.prefix, *command],
            input=text,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def pull_the_cable(self) -> None:
        self.run("ip", "link", "set", self.card, "down")

    def plug_it_in(self) -> None:
        self.run("ip", "link", "set", self.card, "up")

    def lose(self, percent: int) -> None:
        """Lose so many of the packets that come in, at random, without a word; 100: all."""
        loss = "drop" if percent == 100 else f"numgen random mod 100 < {percent} drop"
        self.run("nft", "-f", "-", text=f"{_NO_RULES}\n{_RULES.format(loss=loss)}")

    def lose_nothing(self) -> None:
        self.run("nft", "-f", "-", text=_NO_RULES)

    def move_to(self, address: str) -> None:
        """Take another address, as a lease that ran out brings it."""
        self.run("ip", "address", "flush", "dev", self.card)
        self.run("ip", "address", "add", f"{address}/24", "dev", self.card)
        self.address = address

    def knows(self, name: str, address: str, scratch: Path) -> None:
        """Let the name stand for the address on this host."""
        # Written in place: the file is mounted over the system's.
        names = scratch / f"hosts-{self.name}"
        first = not names.exists()
        names.write_text(f"127.0.0.1 localhost\n{address} {name}\n")
        if first:
            self.run("mount", "--bind", str(names), "/etc/hosts")


_NO_RULES: Final = "table inet loss\ndelete table inet loss"
_RULES: Final = """
table inet loss {{
  chain incoming {{
    type filter hook input priority 0;
    iif != lo {loss}
  }}
}}
"""


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Two hosts with a cable between them."""
    with ExitStack() as stack:
        user_options: list[str] = []
        if os.geteuid() != 0:
            owner = stack.enter_context(_held(["unshare", "--user", "--map-root-user"]))
            user_options = [f"--user=/proc/{owner}/ns/user", "--preserve-credentials"]
        hosts = []
        for number, name in enumerate(("one", "two"), start=1):
            enter = ["nsenter", *user_options, "--"] if user_options else []
            holder = stack.enter_context(_held([*enter, "unshare", "--net", "--mount"]))
            hosts.append(Host(name, f"10.87.0.{number}", holder, user_options))
        _join(*hosts)
        yield hosts[0], hosts[1]


def _join(one: Host, two: Host) -> None:
    one.run(
        *("ip", "link", "add", one.card, "type", "veth"),
        *("peer", "name", two.card, "netns", str(two._holder)),
    )
    for host in (one, two):
        host.run("ip", "link", "set", "lo", "up")
        host.run("ip", "address", "add", f"{host.address}/24", "dev", host.card)
        host.run("ip", "link", "set", host.card, "up")
        # mDNS asks by multicast, which needs to know where to.
        host.run("ip", "route", "add", "224.0.0.0/4", "dev", host.card)


@contextmanager
def _held(unshare: Sequence[str]) -> Iterator[int]:
    """A process that holds new namespaces open; gives its pid."""
    before = _namespaces("self")
    holder = subprocess.Popen([*unshare, "sleep", str(_LIFE_S)], stdin=subprocess.DEVNULL)

    def made() -> bool:
        assert holder.poll() is None, f"{unshare} is not allowed here: tests/network needs it"
        is_sleeping = Path(f"/proc/{holder.pid}/comm").read_text().strip() == "sleep"
        return is_sleeping and _namespaces(str(holder.pid)) != before

    try:
        wait_for(made, "the namespaces")
        yield holder.pid
    finally:
        holder.kill()
        holder.wait(PATIENCE_S)


def _namespaces(process: str) -> list[Path]:
    return [Path(f"/proc/{process}/ns/{kind}").readlink() for kind in ("net", "user")]
