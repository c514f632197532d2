"""What a run showed, as text for people and as JSON for benches."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from scripts.simulation.latency import Percentiles
from scripts.simulation.usage import Share


class Storage(Struct):
    """The collector's database. ``bytes_per_snapshot``: its growth by each push acknowledged."""

    database_bytes: int
    log_bytes: int
    bytes_per_snapshot: float | None


class Report(Struct):
    """``seconds``: what the figures are of, warm-up excluded; errors are of the whole run.

    ``acknowledged_ms``: from sending to the reply. ``late_ms``: from due to sending.
    ``from_due_ms``: from due to the reply. ``others_cpu_share``: what neither simulator nor
    collector used of this machine, where both run on it: how noisy it was.
    """

    nodes: int
    interval_s: float
    seconds: float
    connections: int
    values_per_snapshot: float
    pushes_sent: int
    pushes_acknowledged: int
    pushes_per_s: float
    bytes_sent: int
    acknowledged_ms: Percentiles
    late_ms: Percentiles
    from_due_ms: Percentiles
    errors: dict[str, int]
    error_examples: dict[str, str]
    simulator: Share | None
    collector: Share | None
    collector_us_per_push: float | None
    others_cpu_share: float | None
    cores: int
    storage: Storage | None


def text(report: Report) -> str:
    return "\n".join(f"{label:<14}{said}" for label, said in _lines(report))


def _lines(report: Report) -> Iterator[tuple[str, str]]:
    yield "fleet", _fleet(report)
    yield "pushes", _pushes(report)
    yield "acknowledged", f"{_percentiles(report.acknowledged_ms)}  after sending"
    yield "", f"{_percentiles(report.from_due_ms)}  after due"
    yield "late", f"{_percentiles(report.late_ms)}  from due to sending"
    yield from _error_lines(report)
    yield "simulator", _used(report.simulator)
    yield "collector", _used(report.collector)
    if report.collector_us_per_push is not None:
        yield "", f"{report.collector_us_per_push:,.0f} µs of CPU a push"
    if report.others_cpu_share is not None:
        yield "machine", f"{report.cores} cores; all else used {report.others_cpu_share:.1%} of one"
    if report.storage is not None:
        yield "database", _stored(report.storage)


def _fleet(report: Report) -> str:
    return (
        f"{report.nodes:,} nodes every {report.interval_s:g} s for {report.seconds:.1f} s, "
        f"{report.values_per_snapshot:.1f} values each, {report.connections:,} connections"
    )


def _pushes(report: Report) -> str:
    return (
        f"{report.pushes_sent:,} sent, {report.pushes_acknowledged:,} acknowledged, "
        f"{report.pushes_per_s:,.1f}/s, {_size(report.bytes_sent)}"
    )


def _error_lines(report: Report) -> Iterator[tuple[str, str]]:
    if not report.errors:
        yield "errors", "none"
    for kind, count in sorted(report.errors.items(), key=lambda item: -item[1]):
        example = report.error_examples.get(kind)
        yield "errors", f"{count:,} times: {kind}" + (f" ({example})" if example else "")


def _percentiles(ms: Percentiles) -> str:
    return f"p50 {ms.p50:8.2f}  p90 {ms.p90:8.2f}  p99 {ms.p99:8.2f}  max {ms.max:8.2f} ms"


def _used(share: Share | None) -> str:
    if share is None:
        return "figures not available"
    return (
        f"{share.cpu_s:.2f} s of CPU, {share.cpu_share:.1%} of a core, "
        f"{_size(share.rss_bytes)} resident ({_size(share.rss_bytes_before)} before)"
    )


def _stored(storage: Storage) -> str:
    each = storage.bytes_per_snapshot
    return f"{_size(storage.database_bytes)}, log {_size(storage.log_bytes)}" + (
        f", {each:,.0f} bytes a snapshot" if each is not None else ""
    )


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
