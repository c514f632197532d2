"""What is known of job types: the class of each, and the schema that payloads are held to."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import structlog
from msgspec import UNSET

from forge_collector.db import Database, Tx
from forge_collector.jobs import rules, store
from forge_collector.jobs.payload_files import Looked, UnseenError, look_at, look_beside
from forge_collector.jobs.schemas import PayloadSchema, UnusableSchemaError
from forge_shared.job_messages import MAX_INLINE_BYTES, PluginOffer, ResourceClass
from forge_shared.messages import FieldError

_MANY_TIME_S: Final = 10.0  # for all the payloads of a request
_TURN_S: Final = 0.1  # of them in the thread, before others have theirs
_log = structlog.get_logger()
T = TypeVar("T")


class JobTypes:
    """The types that workers have registered. Schemas are made ready when the first payload asks
    for them, and checked in a thread of their own, which takes them one at a time."""

    def __init__(self, db: Database, lease_clock: rules.LeaseClock) -> None:
        self._db = db
        self._clock = lease_clock
        self._classes: dict[str, ResourceClass] = {}
        self._schemas: dict[str, PayloadSchema | None] = {}
        self._thread = ThreadPoolExecutor(1, "payload-check")
        self._beside = asyncio.Semaphore(1)  # so is a large file looked at, for the room it takes

    async def load(self) -> None:
        """Take what the store knows now."""
        known = await self._db.read(lambda tx: store.types(tx, self._clock.moment()))
        self._classes = {one.name: one.resource_class for one in known}
        self._schemas = {}  # what is being made ready of an old schema stays with the old

    def class_of(self, job_type: str) -> ResourceClass:
        """Return the class that a job of this type has unless it says otherwise."""
        return self._classes.get(job_type, ResourceClass.CPU)

    async def faults(self, job_type: str, payload: bytes) -> list[FieldError]:
        """Return what is wrong with a payload; nothing where no schema is registered."""
        schema = await self._schema(job_type)
        if schema is None:
            return []
        return await self._in_thread(partial(schema.faults, payload))

    async def look_at_file(self, job_type: str, path: Path, size: int) -> Looked:
        """Return what is wrong with the payload in a file; raises OSError. What cannot be looked at
        is left to the plugin."""
        schema = await self._schema(job_type)
        if size <= MAX_INLINE_BYTES:
            return await self._in_thread(partial(look_at, path, schema))
        async with self._beside:
            try:
                return await look_beside(path, schema)
            except UnseenError as error:
                _log.warning("a payload was not looked at", path=str(path), error=str(error))
                return Looked()

    async def faults_of_all(self, payloads: Sequence[tuple[str, bytes]]) -> list[list[FieldError]]:
        """Return what is wrong with each payload; it stands behind its type. Those that are not
        reached in time are left to the plugins."""
        until = time.monotonic() + _MANY_TIME_S
        by_type: defaultdict[str, list[int]] = defaultdict(list)
        for number, (job_type, _) in enumerate(payloads):
            by_type[job_type].append(number)
        found: list[list[FieldError]] = [[] for _ in payloads]
        for job_type, numbers in by_type.items():
            schema = await self._schema(job_type)
            if schema is None:
                continue
            left = numbers
            while left and time.monotonic() < until:
                turn = partial(_faults_of_some, schema, [payloads[number][1] for number in left])
                checked = await self._in_thread(turn)
                for number, faults in zip(left, checked, strict=False):
                    found[number] = faults
                left = left[len(checked) :]
        return found

    async def drop_unusable(self, plugins: Iterable[PluginOffer]) -> None:
        """Take schemas out that are none: a plugin may be offered all the same."""
        for plugin in plugins:
            if plugin.payload_schema is UNSET:
                continue
            try:
                await self._in_thread(partial(PayloadSchema, bytes(plugin.payload_schema)))
            except UnusableSchemaError as error:
                plugin.payload_schema = UNSET
                _log.warning("a payload schema is unusable", plugin=plugin.name, error=str(error))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _schema(self, job_type: str) -> PayloadSchema | None:
        if job_type not in self._classes:
            return None
        schemas = self._schemas
        if job_type not in schemas:
            schemas[job_type] = await self._load(job_type)
        return schemas[job_type]

    async def _load(self, job_type: str) -> PayloadSchema | None:
        def query(tx: Tx) -> bytes | None:
            return store.schema_of(tx, job_type)

        schema = await self._db.read(query)
        if schema is None:
            return None
        try:
            return await self._in_thread(partial(PayloadSchema, schema))
        except UnusableSchemaError as error:  # a later release may have thought otherwise
            _log.warning("a payload schema is unusable", plugin=job_type, error=str(error))
            return None

    async def _in_thread(self, work: partial[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _faults_of_some(schema: PayloadSchema, payloads: Sequence[bytes]) -> list[list[FieldError]]:
    """Check one after another for a while; return what was found of those that were checked."""
    until = time.monotonic() + _TURN_S
    found: list[list[FieldError]] = []
    for payload in payloads:
        found.append(schema.faults(payload))
        if time.monotonic() > until:
            break
    return found
