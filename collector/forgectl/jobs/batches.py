"""Sending many jobs: each line of a file is one, many go in a request, and none becomes two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from forge_shared import codec, identity
from forge_shared.job_messages import (
    MAX_INLINE_BYTES,
    JobSubmission,
    SubmittedJobs,
    SubmittedLine,
)
from forge_shared.messages import Rejection
from forgectl import output
from forgectl.client import Client, ClientError
from forgectl.jobs import bars, payloads, submitting

_MOST_BYTES: Final = 7 * 1024 * 1024  # of a request, which may have 8 MiB
_LONGEST_LINE: Final = 2 * MAX_INLINE_BYTES
_BOM: Final = b"\xef\xbb\xbf"
_NO_COLLECTOR: Final = "The answer is not a Forge Fleet collector's; check the address."

Tell = Callable[[SubmittedJobs], None]


class _Line(NamedTuple):
    """A line of the file. ``end``: how many bytes it and those before it have; ``text``: None when
    it is too long to be read."""

    number: int
    end: int
    text: bytes | None


class _Request(NamedTuple):
    """What goes to the collector at once, with the number of each line, and what would be refused
    there."""

    numbers: list[int]
    messages: list[bytes]
    refused: list[Rejection]
    end: int
    is_last: bool


def submit(client: Client, source: str, batch_id: str, tell: Tell) -> None:
    """Submit what a file holds, or the standard input, and tell what became of it request by
    request, with the file's numbers of the lines.

    A line without an id is given one, which follows from the batch's, its number and what it says:
    the same again makes no second jobs. Raises ClientError.
    """
    was_sent = False
    try:
        with _opened(source) as (file, size), bars.bytes_shown("Submitting", size) as progress:
            for request in _requests(file, batch_id):
                if not (was_sent or request.is_last):
                    output.notice(f"A long batch. {_to_go_on(batch_id)}")
                tell(_answered(client, request, was_sent=was_sent))
                was_sent = True
                progress(request.end)
    except ClientError as error:
        if not (was_sent or error.was_sent):
            raise
        raise ClientError(f"{error} {_to_go_on(batch_id)}") from None
    except KeyboardInterrupt:
        output.notice(f"Interrupted. {_to_go_on(batch_id)}")
        raise


def _to_go_on(batch_id: str) -> str:
    return (
        f"After a break the same command with --id {batch_id} goes on, and submits no line twice."
    )


def _answered(client: Client, request: _Request, *, was_sent: bool) -> SubmittedJobs:
    if not request.messages:
        return SubmittedJobs([], request.refused)
    told = submitting.until_answered(
        lambda: client.post_lines("/api/jobs", request.messages, SubmittedJobs), was_sent=was_sent
    )
    every: list[SubmittedLine | Rejection] = [*told.jobs, *told.refused]
    if sorted(each.line for each in every) != list(range(1, len(request.messages) + 1)):
        raise ClientError(_NO_COLLECTOR)
    for each in every:
        each.line = request.numbers[each.line - 1]
    told.refused = sorted([*told.refused, *request.refused], key=lambda each: each.line)
    return told


# --- the file ---------------------------------------------------------------------------------


def _requests(file: BinaryIO, batch_id: str) -> Iterator[_Request]:
    """Yield the file in requests of as many lines and bytes as the collector takes."""
    numbers: list[int] = []
    messages: list[bytes] = []
    refused: list[Rejection] = []
    size = end = 0
    for line in _lines(file):
        message = _message(line, batch_id)
        more = len(message) + 1 if isinstance(message, bytes) else 0
        if len(messages) + len(refused) == codec.MAX_LINES or size + more > _MOST_BYTES:
            yield _Request(numbers, messages, refused, end, is_last=False)
            numbers, messages, refused, size = [], [], [], 0
        if isinstance(message, bytes):
            numbers.append(line.number)
            messages.append(message)
            size += more
        else:
            refused.append(message)
        end = line.end
    yield _Request(numbers, messages, refused, end, is_last=True)


def _message(line: _Line, batch_id: str) -> bytes | Rejection:
    """Return what to send of a line, or why that would be no use."""
    if line.text is None:
        return _too_large(line)
    try:
        wanted = codec.decode(line.text, JobSubmission)
    except (codec.MalformedError, codec.InvalidError) as error:
        return Rejection(line.number, error.code, str(error))
    if len(bytes(wanted.payload)) > MAX_INLINE_BYTES:
        return _too_large(line)
    if wanted.id is not None:
        return line.text
    job_id = identity.numbered(batch_id, line.number, line.text)
    return codec.encode(msgspec.structs.replace(wanted, id=job_id))


def _too_large(line: _Line) -> Rejection:
    return Rejection(
        line.number,
        "too_large",
        f"payload holds {MAX_INLINE_BYTES:,} bytes at most; submit a job with a larger one by "
        "itself, with the payload in a FILE.",
    )


def _lines(file: BinaryIO) -> Iterator[_Line]:
    """Yield the lines that hold something."""
    number = end = 0
    while text := _piece(file):
        number += 1
        end += len(text)
        is_whole = True
        last = text
        while len(last) == _LONGEST_LINE and not last.endswith(b"\n"):
            is_whole = False
            last = _piece(file)
            end += len(last)
        text = (text.removeprefix(_BOM) if number == 1 else text).strip()
        if text:
            yield _Line(number, end, text if is_whole else None)


def _piece(file: BinaryIO) -> bytes:
    try:
        return file.readline(_LONGEST_LINE)
    except OSError as error:
        raise ClientError(f"What is left of the file cannot be read: {error.strerror}.") from None


@contextmanager
def _opened(source: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """Open a file, or the standard input; give it with its size, as far as that is known."""
    if source == payloads.STDIN:
        yield payloads.stdin(), None
        return
    try:
        file = Path(source).open("rb")  # noqa: SIM115  what happens within is not of its opening
        size = Path(source).stat().st_size
    except OSError as error:
        raise ClientError(f"{source} cannot be read: {error.strerror}.") from None
    with file:
        yield file, size
