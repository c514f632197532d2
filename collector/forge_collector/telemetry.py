"""The collector's figures about itself, for Prometheus. docs/operations.md lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from forge_shared.condition import Condition
from forge_shared.job_messages import AttemptOutcome, JobStatus

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_COMMIT_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_UNITS_BUCKETS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

Counts = (
    Mapping[str, float]
    | Mapping[Condition, int]
    | Mapping[JobStatus, int]
    | Mapping[AttemptOutcome, int]
)
Reading = Callable[[], float | Counts]
_Family = GaugeMetricFamily | CounterMetricFamily


class Telemetry:
    """Counters that features bump, and gauges that are read when somebody asks."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._readings = _Readings()
        self._registry.register(self._readings)
        snapshots = Counter(
            "forge_ingest_snapshots",
            "Snapshots received, by what became of them.",
            ["outcome"],
            registry=self._registry,
        )
        self._accepted = snapshots.labels("accepted")
        self._duplicates = snapshots.labels("duplicate")
        self._rejected = snapshots.labels("rejected")
        self._pushes = Counter(
            "forge_ingest_pushes", "Pushes that were stored.", registry=self._registry
        )
        self._commit_seconds = Histogram(
            "forge_commit_seconds",
            "Time of one group commit, fsync included.",
            buckets=_COMMIT_BUCKETS_S,
            registry=self._registry,
        )
        self._commit_units = Histogram(
            "forge_commit_units",
            "Units in one group commit.",
            buckets=_UNITS_BUCKETS,
            registry=self._registry,
        )

    def count_push(self, accepted: int, duplicates: int, rejected: int) -> None:
        self._pushes.inc()
        self._accepted.inc(accepted)
        # Each inc takes a lock; nearly every push has neither.
        if duplicates:
            self._duplicates.inc(duplicates)
        if rejected:
            self._rejected.inc(rejected)

    def observe_commit(self, units: int, seconds: float) -> None:
        self._commit_units.observe(units)
        self._commit_seconds.observe(seconds)

    def gauge(self, name: str, help_text: str, read: Reading, label: str | None = None) -> None:
        """Add a gauge; ``read`` returns a number, or with a label a number for each value of it."""
        self._readings.rows.append((GaugeMetricFamily, name, help_text, read, label))

    def counter(self, name: str, help_text: str, read: Reading, label: str | None = None) -> None:
        """Add what only grows, and is counted elsewhere, read as a gauge is."""
        self._readings.rows.append((CounterMetricFamily, name, help_text, read, label))

    def exposition(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self._registry)

    def names(self) -> set[str]:
        """Return the names of the metrics that are ours, without a histogram's suffixes."""
        return {
            family.name for family in self._registry.collect() if family.name.startswith("forge_")
        }


class _Readings(Collector):
    def __init__(self) -> None:
        self.rows: list[tuple[type[_Family], str, str, Reading, str | None]] = []

    def collect(self) -> Iterator[_Family]:
        for kind, name, help_text, read, label in self.rows:
            family = kind(name, help_text, labels=[label] if label else [])
            reading = read()
            if isinstance(reading, Mapping):
                for value, number in reading.items():
                    family.add_metric([value], number)
            else:
                family.add_metric([], reading)
            yield family
