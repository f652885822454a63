"""The three metrics of prescaling-exporter, under their own names."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class LegacyRow(Protocol):
    """One workload; code None: not known."""

    @property
    def project(self) -> str:
        """Label."""
        ...

    @property
    def deployment(self) -> str:
        """Label."""
        ...

    @property
    def namespace(self) -> str:
        """Label."""
        ...

    @property
    def least(self) -> int:
        """Pods to have, with the multiplier."""
        ...

    @property
    def code(self) -> int | None:
        """0, 9, 10 or 11."""
        ...


class LegacyCollector(Collector):
    """Worked out at every scrape."""

    def __init__(self, observe: Callable[[], tuple[Iterable[LegacyRow], float]]) -> None:
        self._observe = observe

    def describe(self) -> Iterable[Metric]:
        """Nothing is promised beforehand, so that registering asks nobody."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The three families."""
        rows, multiplier = self._observe()
        labels = ["project", "deployment", "namespace"]
        code = GaugeMetricFamily("prescaling_metric", "0, 9, 10 or 11.", labels=labels)
        least = GaugeMetricFamily("prescaling_min_replica", "Pods to have.", labels=labels)
        for row in rows:
            names = [row.project, row.deployment, row.namespace]
            least.add_metric(names, row.least)
            if row.code is not None:
                code.add_metric(names, row.code)
        total = GaugeMetricFamily("prescaling_multiplier", "Of the events that last.")
        total.add_metric([], multiplier)
        yield from (code, least, total)
