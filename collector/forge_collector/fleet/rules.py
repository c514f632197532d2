"""Pure decisions about nodes: what a push holds, whether a node is there, what its card shows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Final, NamedTuple

from forge_shared import codec, metrics
from forge_shared.messages import Host, Rejection, Snapshot, Status

PUSH_INTERVAL_S: Final = 5
WATCHED_INTERVAL_S: Final = 1
SPARKLINE_POINTS: Final = 30
SPARKLINE_METRIC: Final = "cpu.pct"

_ONLINE_BELOW_MS: Final = 15_000
_OFFLINE_ABOVE_MS: Final = 60_000
_ONLINE_INTERVALS: Final = 3
_OFFLINE_INTERVALS: Final = 12

_CARD_GAUGES: Final = ("cpu.pct", "mem.pct", "load.1m", "uptime.s")
_CARD_LARGEST: Final = "disk.pct"
_CARD_SUMS: Final = ("net.rx_bytes_per_s", "net.tx_bytes_per_s")


class Push(NamedTuple):
    """What one request brought. ``is_live``: one snapshot, pushed as it was measured; a batch is
    a replay, and history only."""

    snapshots: list[Snapshot]
    rejected: list[Rejection]
    is_live: bool


class TooManyLinesError(ValueError):
    """The batch is longer than one request may be."""


def read_live(body: bytes) -> Push:
    """Read a push of one snapshot; raises the codec's errors."""
    return Push([codec.decode_snapshot(body)], [], is_live=True)


def read_replay(body: bytes) -> Push:
    """Read a batch, one snapshot a line; a bad line is rejected by number, the others stand."""
    lines = list(islice(codec.lines(body), codec.MAX_LINES + 1))
    if len(lines) > codec.MAX_LINES:
        raise TooManyLinesError(
            f"A batch holds {codec.MAX_LINES} lines at most; send it in smaller parts."
        )
    snapshots: list[Snapshot] = []
    rejected: list[Rejection] = []
    for number, line in lines:
        try:
            snapshots.append(codec.decode_snapshot(line))
        except (codec.MalformedError, codec.InvalidError) as error:
            rejected.append(Rejection(number, error.code, str(error)))
    return Push(snapshots, rejected, is_live=False)


def status(silence_ms: int, interval_s: int) -> Status:
    """Return a node's status after this silence, for the interval it pushes at."""
    interval_ms = interval_s * 1000
    if silence_ms < max(_ONLINE_BELOW_MS, _ONLINE_INTERVALS * interval_ms):
        return Status.ONLINE
    if silence_ms <= max(_OFFLINE_ABOVE_MS, _OFFLINE_INTERVALS * interval_ms):
        return Status.DEGRADED
    return Status.OFFLINE


def expected_interval_s(host: Host) -> int:
    """Return the interval a node pushes at: ours, or its owner's where that is longer."""
    return max(PUSH_INTERVAL_S, host.interval_s)


def wanted_interval_s(*, is_watched: bool) -> int:
    """Return the interval to ask a node for. Its status goes by the usual one all the same: who
    watches a node must not make it degraded."""
    return WATCHED_INTERVAL_S if is_watched else PUSH_INTERVAL_S


def card_values(values: Mapping[str, int | float]) -> dict[str, int | float]:
    """Return what a card shows: some gauges, the fullest disk, and traffic of all interfaces."""
    shown = {key: values[key] for key in _CARD_GAUGES if key in values}
    for key, value in values.items():
        name, instance = metrics.split(key)
        if instance is None:
            continue
        if name == _CARD_LARGEST:
            shown[name] = max(value, shown.get(name, value))
        elif name in _CARD_SUMS:
            shown[name] = value + shown.get(name, 0)
    return shown
