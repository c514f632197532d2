"""Which files of the folder are a release's."""

from __future__ import annotations

from forge_shared import codec, releases
from forge_shared.messages import Release


class UnreadableError(ValueError):
    """release.json is no description of a release."""


def names_of(manifest: bytes) -> frozenset[str]:
    """Return the names that release.json lists; raises UnreadableError.

    A name that would lead out of the folder, or to what is hidden there, is none.
    """
    if len(manifest) > releases.MAX_MANIFEST_BYTES:
        raise UnreadableError(f"it is larger than {releases.MAX_MANIFEST_BYTES:,} bytes")
    try:
        release = codec.decode(manifest, Release)
    except (codec.MalformedError, codec.InvalidError) as error:
        raise UnreadableError(str(error)) from None
    return frozenset(file.name for file in release.files if releases.is_name(file.name))
