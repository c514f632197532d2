"""The collector, put together: every part is made here, and handed what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web

from forge_collector import listening
from forge_collector.access import store as access_store
from forge_collector.access.live import Keyring
from forge_collector.access.routes import AccessRoutes
from forge_collector.access.tasks import expire_credentials
from forge_collector.announcing import Announcer
from forge_collector.backup.routes import BackupRoutes, remove_leftover
from forge_collector.clock import Clock, SystemClock
from forge_collector.config import DATABASE_FILE, Settings
from forge_collector.db import Database, SqliteEngine
from forge_collector.events import (
    CredentialRevoked,
    Events,
    JobFailed,
    NodeAdded,
    NodeForgotten,
    NodeStatusChanged,
    NodeTokenShared,
    WorkerLoadChanged,
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
from forge_collector.http.reach import Reach, is_loopback, url_of
from forge_collector.http.routing import Route, register
from forge_collector.http.service import ServiceRoutes
from forge_collector.http.site import Site
from forge_collector.http.streams import Streams
from forge_collector.jobs import rules as job_rules
from forge_collector.jobs import store as job_store
from forge_collector.jobs import tasks as job_tasks
from forge_collector.jobs.files import JobFiles
from forge_collector.jobs.job_types import JobTypes
from forge_collector.jobs.live import LiveJobs
from forge_collector.jobs.routes import JobRoutes
from forge_collector.joining import tasks as joining_tasks
from forge_collector.joining.routes import JoiningRoutes
from forge_collector.local_agent import LocalAgent
from forge_collector.releases.live import Published
from forge_collector.releases.routes import ReleaseRoutes
from forge_collector.tasks import Tasks
from forge_collector.telemetry import CONTENT_TYPE, Telemetry
from forge_collector.tls import source
from forge_collector.tls.routes import TlsRoutes
from forge_collector.tls.tasks import keep_fresh
from forge_shared import __version__, codec
from forge_shared.condition import condition

_log = structlog.get_logger()

_BACKLOG: Final = 1024
_KEEPALIVE_S: Final = 75.0
_SHUTDOWN_S: Final = 1.0
_READY_BELOW_WAITING: Final = 10_000
_LOOPBACK: Final = "127.0.0.1"
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
        limits = job_rules.Limits(settings.worker_slots, settings.fleet_slots)
        self.jobs = LiveJobs(self.clock, self.events, limits)
        self.job_files = JobFiles(settings.data)
        self._tasks = Tasks()
        self._is_ready = False

    async def start(self) -> None:
        """Open the store, bring the fleet back, and listen; raises ConfigError."""
        listener = listening.bind(self.settings.host, self.settings.port)
        self.port: int = listener.getsockname()[1]
        self.place = listening.place(self.settings.host, listener)
        self.certificate = source.of(self.settings, self.clock)
        self.reach = self._reach()
        remove_leftover(self.settings.data)
        self.db = Database(
            SqliteEngine(self.settings.data / DATABASE_FILE),
            observe_batch=self.telemetry.observe_commit,
        )
        self.sealer = Sealer(self.db, self.clock)
        self.job_types = JobTypes(self.db, self.jobs.lease_clock)
        self._subscribe()
        self._add_gauges()
        self.keyring.load(await self.db.read(access_store.load))
        await fleet_tasks.restore(self.live, self.db)
        await job_tasks.restore(self.jobs, self.job_types, self.db)
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            keepalive_timeout=_KEEPALIVE_S,
            shutdown_timeout=_SHUTDOWN_S,
        )
        await self._runner.setup()
        if self._runner.server is not None:
            ConnectionBounds(self._runner.server, self.settings.connections_per_address)
        context = self.certificate.context if self.certificate is not None else None
        await Site(self._runner, listener, backlog=_BACKLOG, ssl_context=context).start()
        await self._listen_for_own()
        self._start_tasks()
        await self._start_local_agent()
        self._is_ready = True

    async def stop(self) -> None:
        """Stop listening, let go of every stream, and commit what waits."""
        self._is_ready = False
        for site in list(self._runner.sites):
            await site.stop()
        self.streams.close_all()
        self.jobs.close()
        await self._tasks.stop()
        await self._runner.cleanup()
        self.job_types.close()
        await fleet_tasks.note_listened(self.live, self.db)
        await self.db.close()

    @property
    def url(self) -> str:
        """Where a browser on this machine reaches the collector."""
        host = self.certificate.host if self.certificate is not None else None
        return url_of(self.reach.scheme, host or self.place.host_here, self.port)

    def _reach(self) -> Reach:
        own = self.certificate
        return Reach(
            self.settings.public_url,
            "http" if own is None else "https",
            self._host_for_others,
            self.port,
            own.ca_fingerprint if own is not None else None,
        )

    def _host_for_others(self) -> str:
        # Asked each time: the certificate may be replaced by one for another name.
        named = self.certificate.host if self.certificate is not None else None
        return named or self.place.host_for_others()

    async def _listen_for_own(self) -> None:
        """Settle where this machine's agent and commands reach the collector: ``own_url``.

        They verify a certificate of the collector's own authority. One that the owner gave names
        neither this machine's loopback nor, for sure, anything that leads here from here: then they
        have a door of their own, on loopback, as without TLS.
        """
        if self.settings.tls_files is None:
            self.own_url = self.url
            return
        listener = listening.bind(_LOOPBACK, 0)
        self.own_url = url_of("http", _LOOPBACK, listener.getsockname()[1])
        await Site(self._runner, listener, backlog=_BACKLOG).start()

    def routes(self) -> list[Route[Any]]:
        """Return the whole route table."""
        access = AccessRoutes(
            self.db,
            self.keyring,
            self.clock,
            cookie=cookie_name(self.port),
            local_node_id=self.settings.local_node_id,
            version=__version__,
            reach=self.reach,
        )
        fleet = FleetRoutes(
            self.db,
            self.live,
            self.streams,
            self.clock,
            self.telemetry,
            is_known_elsewhere=job_store.has_workers,
        )
        history = HistoryRoutes(
            self.db, self.clock, self.live.interval_s, self.settings.history_hours
        )
        jobs = JobRoutes(
            db=self.db,
            live=self.jobs,
            job_types=self.job_types,
            files=self.job_files,
            streams=self.streams,
            clock=self.clock,
            authenticator=self.keyring,
        )
        service = ServiceRoutes(
            is_ready=lambda: self._is_ready and self.db.waiting < _READY_BELOW_WAITING,
            exposition=self.telemetry.exposition,
            exposition_type=CONTENT_TYPE,
            document=lambda: self._document,
        )
        return [
            *fleet.routes(),
            *history.routes(),
            *access.routes(),
            *jobs.routes(),
            *JoiningRoutes(self.db, self.clock, self.reach, admit=self.keyring.add).routes(),
            *BackupRoutes(self.db, self.settings.data, self.keyring).routes(),
            *ReleaseRoutes(Published(self.settings.releases_folder)).routes(),
            *TlsRoutes(self.certificate.ca_pem if self.certificate else None).routes(),
            *service.routes(),
        ]

    @cached_property
    def _document(self) -> bytes:
        """The OpenAPI document, made when it is asked for: few ask, and every start would wait."""
        return codec.encode(openapi.document(self.routes(), __version__))

    def _application(self) -> web.Application:
        guard = Guard(self.settings.host_names, self.settings.public_url, self._certified_names)
        app = web.Application(middlewares=[problems.middleware, guard.middleware()])
        app.on_response_prepare.append(add_security_headers)
        register(app, self.routes(), self.keyring, cookie_name(self.port))
        assets.register(app, _STATIC)
        return app

    def _certified_names(self) -> frozenset[str]:
        return self.certificate.current.names if self.certificate is not None else frozenset()

    def _subscribe(self) -> None:
        self.events.subscribe(CredentialRevoked, lambda e: self.streams.close(e.credential_id))
        self.events.subscribe(NodeForgotten, self.keyring.drop_of_node)
        self.events.subscribe(NodeAdded, lambda e: _log.info(e.name, node=e.node_id))
        self.events.subscribe(NodeForgotten, lambda e: _log.info(e.name, node=e.node_id))
        self.events.subscribe(
            CredentialRevoked, lambda e: _log.info(e.name, credential=e.credential_id)
        )
        self.events.subscribe(NodeForgotten, self.jobs.forget_node)
        self.events.subscribe(WorkerLoadChanged, self.live.note_load)
        self.events.subscribe(
            JobFailed, lambda e: _log.warning(e.name, job=e.job_id, type=e.job_type)
        )
        self.events.subscribe(NodeStatusChanged, _log_status)
        self.events.subscribe(NodeTokenShared, _log_token_shared)

    def _add_gauges(self) -> None:
        gauge = self.telemetry.gauge
        gauge("forge_nodes", "Nodes, by condition.", self.live.count_by_condition, "status")
        gauge("forge_nodes_watched", "Nodes watched live.", self.live.count_watched)
        gauge("forge_jobs", "Jobs, by status.", lambda: self.jobs.counts, "status")
        self.telemetry.counter(
            "forge_job_attempts",
            "Attempts of jobs that ended, by how.",
            lambda: self.jobs.attempts,
            "outcome",
        )
        gauge("forge_jobs_claims_waiting", "Claims that wait for a job.", self.jobs.count_waiting)
        gauge("forge_workers", "Workers, by state.", lambda: self.jobs.workers, "state")
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
            "forge_tls_certificate_expiration_timestamp_seconds",
            "When the certificate that is served expires, in Unix time.",
            self._certificate_expires_s,
        )
        gauge(
            "forge_database_log_bytes",
            "Size of the write-ahead log.",
            lambda: self.db.footprint().log_bytes,
        )

    def _certificate_expires_s(self) -> Mapping[str, float] | float:
        return self.certificate.current.not_after_ms / 1000 if self.certificate else {}

    def _start_tasks(self) -> None:
        start, db, clock, live = self._tasks.start, self.db, self.clock, self.live
        start("publish", lambda: fleet_tasks.publish_forever(live))
        start("age statuses", lambda: fleet_tasks.age_statuses(live, db))
        start("note listening", lambda: fleet_tasks.note_listening(live, db))
        kept = Kept(self.settings.history_hours, self.settings.rollup_days)
        start("seal", self.sealer.run)
        start("prune", lambda: prune_forever(db, clock, kept))
        start("sweep jobs", lambda: job_tasks.sweep_forever(self.jobs, self.job_types, db))
        start("publish jobs", lambda: job_tasks.publish_forever(self.jobs, db))
        days = self.settings.job_days
        start(
            "prune jobs",
            lambda: job_tasks.prune_forever(self.jobs, self.job_types, db, self.job_files, days),
        )
        start("expire credentials", lambda: expire_credentials(self.keyring, db, clock))
        start("prune invites", lambda: joining_tasks.prune_forever(db, clock))
        if (own := self.certificate) is not None:
            start("keep the certificate fresh", lambda: keep_fresh(own))
        if self._announces():
            announcer = Announcer(
                self.port,
                self.place.addresses_for_others,
                with_tls=self.certificate is not None,
                ca_fingerprint=self.reach.ca_fingerprint,
            )
            start("announce", announcer.run)

    def _announces(self) -> bool:
        """Tell whether to announce the collector: never on loopback, where nobody else finds it."""
        return self.settings.announce is not False and not is_loopback(self.place.address)

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
            self.own_url,
            ca_file=self.settings.ca_file,
            db=self.db,
            keyring=self.keyring,
            clock=self.clock,
        )
        self.events.subscribe(CredentialRevoked, agent.on_revoked)
        self._tasks.start("local agent", agent.run)


def _log_status(event: NodeStatusChanged) -> None:
    before = condition(event.before, ephemeral=event.ephemeral)
    after = condition(event.after, ephemeral=event.ephemeral)
    if before is not after:
        silence_s = round(event.silence_ms / 1000)
        _log.info(event.name, node=event.node_id, before=before, after=after, silence_s=silence_s)


def _log_token_shared(event: NodeTokenShared) -> None:
    _log.warning(event.name, node=event.node_id, sibling=event.sibling_id)
