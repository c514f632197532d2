"""Looks at payloads that came as files: whether they are JSON, and what their type takes.

What reads JSON keeps the interpreter to itself meanwhile, a second where there are 256 MiB of it,
and the values may take thirty times the room of their text. So a large payload is looked at in a
process of its own, which this module is too; the time and the room end with it.
"""

from __future__ import annotations

import asyncio
import codecs
import sys
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from forge_collector.config import bare_environment
from forge_collector.jobs.schemas import PayloadSchema
from forge_shared import codec
from forge_shared.messages import FieldError

MAX_CHECKED_BYTES: Final = 8 * 1024 * 1024  # of more it is told alone whether it is JSON
_PART_BYTES: Final = 1024 * 1024
_TIME_S: Final = 20.0  # who sends the last part waits no longer than half a minute
_FIELD: Final = "payload"


class Looked(Struct):
    """What is wrong with a payload: nothing, or it is no JSON, or not what its type takes."""

    faults: list[FieldError] = []
    is_json: bool = True


class UnseenError(Exception):
    """It could not be looked at; the message says why."""


def look_at(path: Path, schema: PayloadSchema | None) -> Looked:
    """Look at the payload in a file; raises OSError."""
    content = path.read_bytes()
    try:
        if len(content) > MAX_CHECKED_BYTES:
            _check_json(content)
            return Looked()
        value = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        fault = FieldError(_FIELD, f"it is no JSON that can be read again: {error}")
        return Looked([fault], is_json=False)
    return Looked([] if schema is None else schema.faults_in(value))


async def look_beside(path: Path, schema: PayloadSchema | None) -> Looked:
    """Look at the payload in a file, in a process of its own; raises UnseenError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        __name__,
        str(path),
        env=bare_environment(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_TIME_S):
            said, _ = await process.communicate(b"" if schema is None else schema.text)
    except TimeoutError:
        raise UnseenError("it takes too long") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    if process.returncode != 0:
        raise UnseenError(f"what looks at it ended with {process.returncode}")
    return codec.decode(said, Looked)


def _check_json(content: bytes) -> None:
    """Raise unless this is JSON; makes no values of it, and no copy."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(content)
    for start in range(0, len(view), _PART_BYTES):
        decoder.decode(view[start : start + _PART_BYTES])
    decoder.decode(b"", final=True)
    msgspec.json.decode(content, type=msgspec.Raw)


def _main() -> None:
    schema = sys.stdin.buffer.read()
    looked = look_at(Path(sys.argv[1]), PayloadSchema(schema) if schema else None)
    sys.stdout.buffer.write(codec.encode(looked))


if __name__ == "__main__":
    _main()
