"""Sealed history: columns and buckets as compact, checked bytes, without loss."""

from forge_collector.history.codec.chunks import (
    decode_buckets,
    decode_columns,
    encode_buckets,
    encode_columns,
)
from forge_collector.history.codec.frame import DamagedError

__all__ = [
    "DamagedError",
    "decode_buckets",
    "decode_columns",
    "encode_buckets",
    "encode_columns",
]
