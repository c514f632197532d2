"""The collector, put together: every part is made here, and handed what it needs."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web

from forge_collector.access import store as access_store
from forge_collector.access.live import Keyring
from forge_collector.access.routes import AccessRoutes
from forge_collector.access.tasks import expire_credentials
from forge_collector.backup.routes import BackupRoutes, remove_leftover
from forge_collector.clock import Clock, SystemClock
from forge_collector.config import DATABASE_FILE, ConfigError, Settings
from forge_collector.db import Database, SqliteEngine
from forge_collector.events import (
    CredentialRevoked,
    Events,
    NodeAdded,
    NodeForgotten,
    NodeStatusChanged,
)
from forge_collector.fleet import tasks as fleet_tasks
from forge_collector.fleet.live import LiveFleet
from forge_collector.fleet.routes import FleetRoutes
from forge_collector.history.routes import HistoryRoutes
from forge_collector.history.tasks import Kept, Sealer, prune_forever
from forge_collector.http import assets, openapi, problems
from forge_collector.http.auth import cookie_name
from forge_collector.http.connections import ConnectionBounds
from forge_collector.http.guard import Guard, add_security_headers
from forge_collector.http.routing import Route, register
from forge_collector.http.service import ServiceRoutes
from forge_collector.http.streams import Streams
from forge_collector.local_agent import LocalAgent
from forge_collector.tasks import Tasks
from forge_collector.telemetry import CONTENT_TYPE, Telemetry
from forge_shared import __version__, codec

_log = structlog.get_logger()

_BACKLOG: Final = 1024
_KEEPALIVE_S: Final = 75.0
_SHUTDOWN_S: Final = 1.0
_READY_BELOW_WAITING: Final = 10_000
_STATIC: Final = Path(__file__).parent / "static"


class Collector:
    """One running collector: ``start``, then ``stop``."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.events = Events()
        self.telemetry = Telemetry()
        self.streams = Streams()
        self.keyring = Keyring(settings.admin_secret, self.clock, self.events)
        self.live = LiveFleet(self.clock, self.events)
        self._tasks = Tasks()
        self._is_ready = False

    async def start(self) -> None:
        """Open the store, bring the fleet back, and listen; raises ConfigError."""
        listener = _bind(self.settings.host, self.settings.port)
        self.port: int = listener.getsockname()[1]
        remove_leftover(self.settings.data)
        self.db = Database(
            SqliteEngine(self.settings.data / DATABASE_FILE),
            observe_batch=self.telemetry.observe_commit,
        )
        self.sealer = Sealer(self.db, self.clock)
        self._subscribe()
        self._add_gauges()
        self.keyring.load(await self.db.read(access_store.load))
        await fleet_tasks.restore(self.live, self.db)
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            keepalive_timeout=_KEEPALIVE_S,
            shutdown_timeout=_SHUTDOWN_S,
        )
        await self._runner.setup()
        if self._runner.server is not None:
            ConnectionBounds(self._runner.server, self.settings.connections_per_address)
        await web.SockSite(self._runner, listener, backlog=_BACKLOG).start()
        self._start_tasks()
        await self._start_local_agent()
        self._is_ready = True

    async def stop(self) -> None:
        """Stop listening, let go of every stream, and commit what waits."""
        self._is_ready = False
        for site in list(self._runner.sites):
            await site.stop()
        self.streams.close_all()
        await self._tasks.stop()
        await self._runner.cleanup()
        await fleet_tasks.note_listened(self.live, self.db)
        await self.db.close()

    @property
    def url(self) -> str:
        """Where this machine itself reaches the collector."""
        host = self.settings.host
        if host in {"0.0.0.0", ""}:  # noqa: S104  compared, not bound
            host = "127.0.0.1"
        elif host == "::":
            host = "::1"
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def routes(self) -> list[Route[Any]]:
        """Return the whole route table."""
        access = AccessRoutes(
            self.db,
            self.keyring,
            self.clock,
            cookie=cookie_name(self.port),
            local_node_id=self.settings.local_node_id,
            version=__version__,
        )
        fleet = FleetRoutes(self.db, self.live, self.streams, self.clock, self.telemetry)
        history = HistoryRoutes(
            self.db, self.clock, self.live.interval_s, self.settings.history_hours
        )
        service = ServiceRoutes(
            is_ready=lambda: self._is_ready and self.db.waiting < _READY_BELOW_WAITING,
            exposition=self.telemetry.exposition,
            exposition_type=CONTENT_TYPE,
            document=lambda: self._document,
        )
        routes = [
            *fleet.routes(),
            *history.routes(),
            *access.routes(),
            *BackupRoutes(self.db, self.settings.data, self.keyring).routes(),
            *service.routes(),
        ]
        self._document = codec.encode(openapi.document(routes, __version__))
        return routes

    def _application(self) -> web.Application:
        app = web.Application(
            middlewares=[problems.middleware, Guard(self.settings.host_names).middleware()]
        )
        app.on_response_prepare.append(add_security_headers)
        register(app, self.routes(), self.keyring, cookie_name(self.port))
        assets.register(app, _STATIC)
        return app

    def _subscribe(self) -> None:
        self.events.subscribe(CredentialRevoked, lambda e: self.streams.close(e.credential_id))
        self.events.subscribe(NodeForgotten, self.keyring.drop_of_node)
        self.events.subscribe(NodeAdded, lambda e: _log.info(e.name, node=e.node_id))
        self.events.subscribe(NodeForgotten, lambda e: _log.info(e.name, node=e.node_id))
        self.events.subscribe(
            CredentialRevoked, lambda e: _log.info(e.name, credential=e.credential_id)
        )
        self.events.subscribe(NodeStatusChanged, _log_status)

    def _add_gauges(self) -> None:
        gauge = self.telemetry.gauge
        gauge("forge_nodes", "Nodes, by status.", self.live.count_by_status, "status")
        gauge("forge_nodes_watched", "Nodes watched live.", self.live.count_watched)
        gauge("forge_streams", "Open event streams.", lambda: len(self.streams))
        gauge("forge_commit_waiting", "Units waiting for the writer.", lambda: self.db.waiting)
        gauge(
            "forge_history_unsealed",
            "Snapshots due to be sealed.",
            lambda: self.sealer.unsealed,
        )
        gauge("forge_history_unmerged", "Spans due to be merged.", lambda: self.sealer.unmerged)
        gauge(
            "forge_database_bytes",
            "Size of the database file.",
            lambda: self.db.footprint().database_bytes,
        )
        gauge(
            "forge_database_log_bytes",
            "Size of the write-ahead log.",
            lambda: self.db.footprint().log_bytes,
        )

    def _start_tasks(self) -> None:
        start, db, clock, live = self._tasks.start, self.db, self.clock, self.live
        start("publish", lambda: fleet_tasks.publish_forever(live))
        start("age statuses", lambda: fleet_tasks.age_statuses(live, db))
        start("note listening", lambda: fleet_tasks.note_listening(live, db))
        kept = Kept(self.settings.history_hours, self.settings.rollup_days)
        start("seal", self.sealer.run)
        start("prune", lambda: prune_forever(db, clock, kept))
        start("expire credentials", lambda: expire_credentials(self.keyring, db, clock))

    async def _start_local_agent(self) -> None:
        node_id = self.settings.local_node_id
        if node_id is None:
            return
        if not LocalAgent.is_installed():
            _log.warning("no local agent: the package forge_agent is not installed here")
            return
        agent = LocalAgent(
            self.settings.data,
            node_id,
            self.url,
            db=self.db,
            keyring=self.keyring,
            clock=self.clock,
        )
        self.events.subscribe(CredentialRevoked, agent.on_revoked)
        self._tasks.start("local agent", agent.run)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--host {host} is no address of this machine ({error}).") from None
    if os.name == "posix":  # elsewhere it would let two collectors share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"Port {port} is taken, perhaps by another collector. Give another with --port N."
            ) from None
        raise ConfigError(f"Cannot listen on {host}:{port}: {error.strerror}.") from None
    return listener


def _log_status(event: NodeStatusChanged) -> None:
    _log.info(
        event.name,
        node=event.node_id,
        before=event.before,
        after=event.after,
        silence_s=round(event.silence_ms / 1000),
    )
