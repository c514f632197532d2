"""Pure decisions about nodes: what a push holds, whether a node is there, what its card shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from forge_shared import codec, metrics, names
from forge_shared.messages import Host, Rejection, Snapshot, Status

PUSH_INTERVAL_S: Final = 5
WATCHED_INTERVAL_S: Final = 1
SPARKLINE_POINTS: Final = 30
SPARKLINE_METRIC: Final = "cpu.pct"

_ONLINE_BELOW_MS: Final = 15_000
_OFFLINE_ABOVE_MS: Final = 60_000
_ONLINE_INTERVALS: Final = 3
_OFFLINE_INTERVALS: Final = 12

# An agent that was told to stop does so within 2 s, and a request of it lasts 10 s at most: what
# still comes of one that was replaced has come by then.
BOTH_PUSHING_MS: Final = 15_000
_OVERDUE_INTERVALS: Final = 2
_SAME_BOOT_TIME_WITHIN_MS: Final = 5_000  # it is computed from clocks that are set now and then
# With the first machine a power of two: one token must not fill the fleet.
SIBLING_NUMBERS: Final = range(2, 257)

_CARD_GAUGES: Final = ("cpu.pct", "mem.pct", "load.1m", "uptime.s")
_CARD_LARGEST: Final = "disk.pct"
_CARD_SPOOL: Final = "agent.spool_bytes"
# A push that went wrong leaves a snapshot or two behind: that is no catching up.
_CATCHING_UP_BYTES: Final = 64 * 1024
_CARD_SUMS: Final = ("net.rx_bytes_per_s", "net.tx_bytes_per_s")


class Push(NamedTuple):
    """What one request brought. ``is_live``: one snapshot, pushed as it was measured; a batch is
    a replay, and history only."""

    snapshots: list[Snapshot]
    rejected: list[Rejection]
    is_live: bool


def read_live(body: bytes) -> Push:
    """Read a push of one snapshot; raises the codec's errors."""
    return Push([codec.decode_snapshot(body)], [], is_live=True)


def read_replay(body: bytes) -> Push:
    """Read a batch, one snapshot a line; a bad line is rejected by number, the others stand. Raises
    codec.TooManyLinesError."""
    snapshots: list[Snapshot] = []
    rejected: list[Rejection] = []
    for number, line in codec.batch(body):
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


def is_overdue(silence_ms: int, interval_s: int) -> bool:
    """Tell whether a push is missing."""
    return silence_ms >= _OVERDUE_INTERVALS * interval_s * 1000


class Rivalry(Enum):
    """What it means that a boot goes on pushing which another had followed."""

    UNDECIDED = auto()
    RETURNED = auto()  # the other was there for a moment only
    SHARED = auto()  # both are there: two machines use one token


def rivalry(
    now_ms: int,
    late_since_ms: int,
    live_heard_ms: int,
    interval_s: int,
    *,
    have_both_returned: bool,
) -> Rivalry:
    """Judge a push of a boot that pushed live before, at ``late_since_ms``, although another boot
    had followed it. ``live_heard_ms``: when that other was last heard; ``interval_s``: how often it
    pushes. Times are by the listening clock.

    One late push proves nothing: it may have been on its way while the agent was replaced.
    ``have_both_returned``: each was followed by the other and came back; machines that take turns,
    as laptops do, never push at once, and are two all the same.
    """
    if live_heard_ms - late_since_ms >= BOTH_PUSHING_MS:
        return Rivalry.SHARED
    is_other_there = status(now_ms - live_heard_ms, interval_s) is Status.ONLINE
    if is_other_there or now_ms - late_since_ms < BOTH_PUSHING_MS:
        return Rivalry.UNDECIDED
    return Rivalry.SHARED if have_both_returned else Rivalry.RETURNED


class Member(NamedTuple):
    """One of the nodes that share a token, as a boot that comes is compared with it."""

    node_id: str
    host: Host
    silence_ms: int
    is_overdue: bool


def continued(members: Sequence[Member], host: Host | None) -> str | None:
    """Return the node that a new boot most likely continues, of those that share its token; None
    when all of them are there, and it may be one more.

    A restarted agent tells the same host name and start of the machine as before; a restarted
    machine the same name; failing that it is the one that fell silent last.
    """
    host = host or Host()
    same_run = [each for each in members if _is_same_run(each.host, host)]
    if same_run:
        return max(same_run, key=lambda each: each.silence_ms).node_id
    namesakes = [each for each in members if host.hostname and each.host.hostname == host.hostname]
    if len(namesakes) == 1:
        return namesakes[0].node_id
    silent = [each for each in namesakes or members if each.is_overdue]
    return min(silent, key=lambda each: each.silence_ms).node_id if silent else None


def _is_same_run(known: Host, host: Host) -> bool:
    """Tell whether both are of a machine between two starts of it."""
    if not host.boot_time or not host.hostname or known.hostname != host.hostname:
        return False
    return abs(known.boot_time - host.boot_time) <= _SAME_BOOT_TIME_WITHIN_MS


def sibling_id(node_id: str, number: int) -> str:
    return names.with_suffix(node_id, f".{number}")


def sibling_name(node_id: str, name: str, number: int) -> str:
    """Return what a sibling is called until people call it something: as the node is, with the
    number; its own id where the node goes by its id."""
    if name == node_id:
        return sibling_id(node_id, number)
    return names.with_suffix(name, f" ({number})")


def wanted_interval_s(*, is_watched: bool) -> int:
    """Return the interval to ask a node for. Its status goes by the usual one all the same: who
    watches a node must not make it degraded."""
    return WATCHED_INTERVAL_S if is_watched else PUSH_INTERVAL_S


def card_values(values: Mapping[str, int | float]) -> dict[str, int | float]:
    """Return what a card shows: some gauges, the fullest disk, traffic of all interfaces, and what
    is left to replay, if that is worth a word."""
    shown = {key: values[key] for key in _CARD_GAUGES if key in values}
    if values.get(_CARD_SPOOL, 0) >= _CATCHING_UP_BYTES:
        shown[_CARD_SPOOL] = values[_CARD_SPOOL]
    for key, value in values.items():
        name, instance = metrics.split(key)
        if instance is None:
            continue
        if name == _CARD_LARGEST:
            shown[name] = max(value, shown.get(name, value))
        elif name in _CARD_SUMS:
            shown[name] = value + shown.get(name, 0)
    return shown
