"""Large payloads, results and checkpoints, as files that come in parts."""

from __future__ import annotations

import asyncio
import errno
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from aiohttp import web

from forge_collector.db import Database, StorageFullError, Tx
from forge_collector.db.errors import DatabaseError
from forge_collector.http.auth import Authenticator, Principal, check_still_valid
from forge_collector.http.problems import ProblemError, invalid, not_found
from forge_collector.http.routing import Call, json_response
from forge_collector.jobs import rules, store
from forge_collector.jobs.files import NAMES, PAYLOAD, Draft, Grown, JobFiles, Part, PartError
from forge_collector.jobs.job_types import JobTypes
from forge_collector.jobs.live import LiveJobs
from forge_collector.jobs.payload_files import Looked
from forge_collector.jobs.routes.asked import (
    check_is_seen,
    job_id_of,
    lease_of,
    owner_seen,
    payload_not_taken,
    refusals_told,
)
from forge_shared.job_messages import FileDigest, JobFile
from forge_shared.messages import Role

SHA256_HEADER: Final = "Forge-Sha256"
BYTES: Final = "application/octet-stream"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Type": BYTES,
    "Content-Disposition": "attachment",
}
T = TypeVar("T")


class FileRoutes:
    def __init__(
        self,
        db: Database,
        live: LiveJobs,
        job_types: JobTypes,
        files: JobFiles,
        authenticator: Authenticator,
    ) -> None:
        self._db = db
        self._live = live
        self._job_types = job_types
        self._files = files
        self._authenticator = authenticator
        self._uploading: set[tuple[str, str]] = set()

    # --- coming in -------------------------------------------------------------------------

    async def upload(self, call: Call[bytes]) -> web.Response:
        job_id, name = job_id_of(call.path("id")), _name_of(call.path("name"))
        try:
            part = Part.of(call.request.headers.get("Content-Range"), len(call.body))
        except PartError as error:
            raise invalid("Content-Range", str(error)) from None
        with self._alone(job_id, name), refusals_told(job_id):
            whole, row = await self._begun(call, job_id, name, part)
            if whole is not None:
                return json_response(_file(whole))
            draft = Draft(job_id, name, row.sha256)
            grown = await self._grown(draft, part, call.body)
            if grown.is_whole:
                await self._finish(draft, grown, call.principal)
            elif part.first is not None:
                await self._db.write(
                    lambda tx: store.note_received(
                        tx, job_id, name, row.sha256, grown.received, self._live.moment()
                    )
                )
        return json_response(JobFile(name, row.size, row.sha256, grown.received))

    async def _begun(
        self, call: Call[bytes], job_id: str, name: str, part: Part
    ) -> tuple[store.FileRow | None, store.FileRow]:
        """Return the file if it is whole already, and the row it grows by."""
        sha256 = _announced(call.request)
        principal, lease = call.principal, lease_of(call.request)

        def unit(tx: Tx) -> tuple[store.FileRow | None, store.FileRow]:
            if principal.role is Role.NODE:
                if lease is None or not store.holds(tx, job_id, lease, principal.node_id or ""):
                    raise rules.stale_lease(job_id)
            else:
                check_is_seen(tx, job_id, owner_seen(principal))
            known = store.file(tx, job_id, name, whole=False)
            whole = store.file(tx, job_id, name, whole=True)
            named = known or whole
            if named is not None and principal.role is Role.NODE and named.lease != lease:
                named = None  # another attempt announced it, and this one may bring another file
            wanted = sha256 or ("" if named is None else named.sha256)
            if whole is not None and (whole.size, whole.sha256) == (part.total, wanted):
                return whole, whole
            if not wanted and name == PAYLOAD:
                raise store.no_payload_awaited(tx, job_id)
            if not wanted:
                raise rules.RefusedError(
                    "file_conflict", f"Say what the file will be: {SHA256_HEADER}, in hex."
                )
            digest = FileDigest(part.total, wanted)
            return None, store.begin_file(tx, job_id, name, digest, lease, self._live.moment())

        _check_may_bring(principal.role, name)
        return await self._db.write(unit)

    async def _grown(self, draft: Draft, part: Part, body: bytes) -> Grown:
        try:
            return await _on_disk(lambda: self._files.add(draft, part, body))
        except PartError as error:
            raise ProblemError("range_mismatch", f"{error}.") from None

    async def _finish(self, draft: Draft, grown: Grown, principal: Principal) -> None:
        if grown.sha256 != draft.sha256:
            await _on_disk(lambda: self._files.discard(draft))
            raise ProblemError(
                "file_conflict",
                f"What came has the SHA-256 {grown.sha256}, not {draft.sha256}; begin again.",
            )
        if draft.name == PAYLOAD:
            await self._check_payload(draft, grown.total)
            check_still_valid(principal, self._authenticator)  # others' may come first
        await _on_disk(lambda: self._files.finish(draft))
        change = await self._db.write(
            lambda tx: store.finish_file(
                tx, draft.job_id, draft.name, draft.sha256, self._live.moment()
            )
        )
        if change is not None:
            self._live.note([change])
        await _on_disk(lambda: self._files.remove_older(draft))

    async def _check_payload(self, draft: Draft, size: int) -> None:
        """Raise ProblemError for a payload that is not what its type takes; its job has failed
        then."""
        job_type = await self._db.read(lambda tx: store.type_of(tx, draft.job_id))
        with _storage_told():
            looked = await self._job_types.look_at_file(
                job_type, self._files.draft_path(draft), size
            )
        if not looked.faults:
            return
        error = rules.payload_invalid(f"{looked.faults[0].field}: {looked.faults[0].detail}")
        digest = FileDigest(size, draft.sha256)
        change = await self._db.write(
            lambda tx: store.refuse_payload(tx, draft.job_id, digest, error, self._live.moment())
        )
        if change is not None:
            self._live.note([change])
        raise _refused(job_type, looked)

    @contextmanager
    def _alone(self, job_id: str, name: str) -> Iterator[None]:
        if (job_id, name) in self._uploading:
            raise ProblemError(
                "file_conflict", "Another part of this file is on its way; send them in turn."
            )
        self._uploading.add((job_id, name))
        try:
            yield
        finally:
            self._uploading.discard((job_id, name))

    # --- going out -------------------------------------------------------------------------

    async def download(self, call: Call[None]) -> web.StreamResponse:
        job_id, name = job_id_of(call.path("id")), _name_of(call.path("name"))
        principal, lease = call.principal, lease_of(call.request)

        def look(tx: Tx) -> tuple[store.FileRow | None, store.FileRow | None]:
            check_is_seen(tx, job_id, owner_seen(principal))
            found = [row for row in store.files(tx, job_id) if row.name == name]
            return (
                next((row for row in found if row.is_whole), None),
                next((row for row in found if not row.is_whole), None),
            )

        def look_as_holder(tx: Tx) -> tuple[store.FileRow | None, store.FileRow | None]:
            if lease is None or not store.holds(tx, job_id, lease, principal.node_id or ""):
                raise rules.stale_lease(job_id)
            store.hear_lease(tx, job_id, lease)
            return look(tx)

        with refusals_told(job_id):
            if principal.role is Role.NODE:
                whole, partial = await self._db.write(look_as_holder)
            else:
                whole, partial = await self._db.read(look)
        if whole is None:
            if partial is None:
                raise not_found(f"file {name} of the job")
            raise ProblemError(
                "file_incomplete",
                f"{partial.received:,} of its {partial.size:,} bytes have been uploaded so far.",
            )
        _check_range(call.request, whole.size)
        path = self._files.path(Draft(job_id, name, whole.sha256))
        if not await asyncio.to_thread(path.is_file):
            raise not_found(f"file {name} of the job any more: the collector's folder lacks it")
        return web.FileResponse(path, headers=_HEADERS)


def _refused(job_type: str, looked: Looked) -> ProblemError:
    if looked.is_json:
        return payload_not_taken(job_type, looked.faults)
    (fault,) = looked.faults
    return ProblemError("payload_invalid", f"{fault.field}: {fault.detail}.", errors=looked.faults)


def _check_may_bring(role: Role, name: str) -> None:
    """Raise ProblemError unless it is for such a caller to bring this file."""
    if (role is Role.NODE) == (name == PAYLOAD):
        who = "who submits" if name == PAYLOAD else "the worker that holds the job"
        raise ProblemError("forbidden", f"The file {name} is for {who} to bring.")


def _check_range(request: web.Request, size: int) -> None:
    try:
        wanted = request.http_range
        is_there = wanted.start is None or (wanted.start < size if size else False)
    except ValueError:
        is_there = False
    if not is_there:
        raise ProblemError(
            "range_not_satisfiable",
            f"The file has {size:,} bytes; ask for some of them, as `bytes=0-1023`.",
            headers={"Content-Range": f"bytes */{size}"},
        )


def _announced(request: web.Request) -> str:
    sha256 = request.headers.get(SHA256_HEADER, "")
    if sha256 and not _SHA256.fullmatch(sha256):
        raise invalid(SHA256_HEADER, "must be 64 hex digits, in lower case")
    return sha256


def _name_of(text: str) -> str:
    if text not in NAMES:
        raise not_found(f"such file of a job; there are {', '.join(NAMES)}")
    return text


def _file(row: store.FileRow) -> JobFile:
    return JobFile(row.name, row.size, row.sha256, row.size if row.is_whole else row.received)


async def _on_disk(work: Callable[[], T]) -> T:
    """Do something with files in a thread."""
    with _storage_told():
        return await asyncio.to_thread(work)


@contextmanager
def _storage_told() -> Iterator[None]:
    """Tell of a full disk as of one of the store."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StorageFullError(str(error.strerror)) from None
        raise DatabaseError(f"a file of a job: {error.strerror}") from None
