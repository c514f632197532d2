"""A collector's life, from the start of its process to the signal that ends it."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Iterator
from typing import Final

import click
import structlog

from forge_collector import config
from forge_collector.access import rules, store
from forge_collector.app import Collector
from forge_collector.config import Settings
from forge_collector.http.reach import is_loopback
from forge_shared import joining
from forge_shared.messages import HumanRole

_log = structlog.get_logger()
_DESCRIPTORS_WANTED: Final = 65_536
_YOUNG_OBJECTS: Final = 10_000  # that the collector of garbage lets come before it looks


def run(settings: Settings) -> None:
    """Run the collector until it is told to stop; raises ConfigError and DatabaseError."""
    _raise_descriptor_limit()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    stopping = asyncio.Event()
    _on_stop_signal(stopping)
    collector = Collector(settings)
    await collector.start()
    # What is there now stays: a full garbage collection, which holds everybody up, passes it by.
    gc.freeze()
    # Requests leave little for it to find: each look at the newest objects is mostly wasted
    # (measured: docs/performance.md).
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)
    with config.address_told(settings.data, collector.own_url):
        _log.info("listening", url=collector.url, port=collector.port, data=str(settings.data))
        if sys.stdout.isatty():
            await _print_login_link(collector)
        else:
            _log.info("nobody is at the terminal: forgectl login-link makes a link to sign in with")
        await stopping.wait()
        _log.info("stopping")
    await collector.stop()


async def _print_login_link(collector: Collector) -> None:
    """Show the way in on the terminal, and nowhere else: whoever has the link is admin."""
    code, credential = rules.mint_code(HumanRole.ADMIN, collector.clock.now_ms())
    await collector.db.write(lambda tx: store.add(tx, credential))
    minutes = rules.CODE_LIFETIME_MS // 60_000
    link = f"{collector.reach.public_url or collector.url}/#/login/{code}"
    click.echo(
        f"\n  Open {click.style(link, bold=True)}\n"
        f"  It works once, within {minutes} minutes; `forgectl login-link` makes another.\n"
    )
    if reached := "".join(f"  {line}\n" for line in _how_others_reach(collector)):
        click.echo(reached)


def _how_others_reach(collector: Collector) -> Iterator[str]:
    """Yield what somebody at another machine has to know."""
    url = collector.reach.url_for("localhost")
    if not is_loopback(collector.place.address):
        yield f"Other machines reach it at {url}"
    fingerprint = collector.reach.ca_fingerprint
    if fingerprint is not None:
        yield f"Its authority's fingerprint: {joining.grouped(fingerprint)}"
        yield f"Browsers warn until they trust that authority: {url}/ca.pem"


def _on_stop_signal(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopping.set))
        else:
            loop.add_signal_handler(number, stopping.set)


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415  not there on Windows

    return uvloop.Loop


def _raise_descriptor_limit() -> None:
    """Allow a connection for each of many agents; the usual soft limit is 1,024."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  not there on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = (
        _DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS_WANTED)
    )
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
