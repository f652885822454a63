"""Our own metrics, in a registry of our own.

Per workload only gauges that are worked out when somebody scrapes: nothing is kept per workload,
and a workload that is gone leaves no series behind.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from prescaler.core.decision import Decision, Status
from prescaler.core.forecast import Forecast
from prescaler.core.policy import Mode
from prescaler.core.quantiles import MEDIAN, QUANTILES

_LEADS: Final = (("0", timedelta(0)), ("15m", timedelta(minutes=15)), ("1h", timedelta(hours=1)))
_SHOWN: Final = (("0.5", MEDIAN), ("0.95", QUANTILES.index(0.95)))
_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0)


class Telemetry:
    """Counters and gauges of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers = self._counter(
            "answers", "Answers of the metric endpoint by status and HTTP code.", "status", "code"
        )
        self.answer_seconds = Histogram(
            "prescaler_answer_seconds",
            "Seconds to an answer of the metric endpoint.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.runs = self._counter("runs", "Forecast runs by outcome.", "outcome")
        self.source_errors = self._counter(
            "source_errors", "Failures of demand sources by kind.", "source", "kind"
        )
        self.feed_errors = self._counter(
            "feed_errors", "Fetches of an event calendar that failed.", "feed"
        )
        self.leader = self._gauge("leader", "1 while this process schedules.")
        self.store_up = self._gauge("store_up", "1 while the database can be read.")
        self.config_valid = self._gauge("config_valid", "0 while the file on disk is refused.")
        self.config_valid.set(1)
        self.snapshot_age = self._gauge(
            "snapshot_age_seconds", "Seconds since the local copy was last written."
        )
        self.target_mismatch = self._gauge(
            "target_mismatch", "1 where a ScaledObject asks with another target.", "workload"
        )

        self.guard_trips = self._counter(
            "guard_trips", "Guards that took the forecast part away.", "workload", "guard"
        )

    def watch(self, observe: Callable[[], Sequence["Observation"]]) -> None:
        """Add the gauges per workload, worked out by `observe` at every scrape."""
        self.registry.register(_ServingCollector(observe))

    def add(self, collector: Collector) -> None:
        """Add further metrics that are worked out at every scrape."""
        self.registry.register(collector)

    def exposition(self) -> bytes:
        """Everything in the text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"prescaler_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"prescaler_{name}", text, labels, registry=self.registry)


@dataclass(frozen=True)
class Observation:
    """One workload at the moment of a scrape. demand_age: of the newest observation.

    late_by: how much too late the pods of the next raise will be; None: in time. grows: whether
    the forecast acts as growth.
    """

    workload: str
    decision: Decision
    demand_age: timedelta | None
    late_by: timedelta | None = None
    grows: bool = False


class _ServingCollector(Collector):
    def __init__(self, observe: Callable[[], Sequence[Observation]]) -> None:
        self._observe = observe

    def describe(self) -> Iterable[Metric]:
        """Nothing is promised beforehand, so that registering asks nobody."""
        return []

    def collect(self) -> Iterator[Metric]:
        """One family after the other, over all workloads."""
        seen = self._observe()
        yield _family("value", "What is served (load units).", seen, lambda o: o.decision.value)
        yield _family("plan_pods", "Pods it asks for.", seen, lambda o: o.decision.pods)
        yield _family("growth", "What live demand is multiplied by; 1: not.", seen, _growth)
        yield _family("forecast_age_seconds", "Since the forecast was issued.", seen, _forecast_age)
        yield _family("demand_age_seconds", "Of the newest observation.", seen, _demand_age)
        yield _states("status", "1 for the present status.", seen, Status, lambda o: o.status)
        yield _states("mode", "1 for the present mode.", seen, Mode, lambda o: o.mode)
        yield _family(
            "plan_unreachable",
            "Seconds by which the pods of the next raise will be too late; 0: in time.",
            seen,
            lambda o: o.late_by.total_seconds() if o.late_by else 0.0,
        )
        yield _forecasts(seen)
        yield _error_ratios(seen)
        yield _coverage(seen)


def _family(
    name: str,
    text: str,
    seen: Sequence[Observation],
    value: Callable[[Observation], float | None],
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"prescaler_{name}", text, labels=["workload"])
    for observation in seen:
        found = value(observation)
        if found is not None:
            family.add_metric([observation.workload], found)
    return family


def _states(
    name: str,
    text: str,
    seen: Sequence[Observation],
    states: type[Status] | type[Mode],
    present: Callable[[Decision], Status | Mode],
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"prescaler_{name}", text, labels=["workload", name])
    for observation in seen:
        now = present(observation.decision)
        for state in states:
            family.add_metric([observation.workload, state.value], float(state is now))
    return family


def _forecasts(seen: Sequence[Observation]) -> GaugeMetricFamily:
    """The forecast at a few leads, so that a dashboard can overlay it."""
    family = GaugeMetricFamily(
        "prescaler_forecast",
        "Forecast demand (load units) at now + lead.",
        labels=["workload", "quantile", "lead"],
    )
    for observation in seen:
        forecast = observation.decision.forecast
        if forecast is None:
            continue
        for lead, ahead in _LEADS:
            step = (observation.decision.at + ahead - forecast.first_valid_at) // forecast.step
            if 0 <= step < len(forecast.values):
                for quantile, column in _SHOWN:
                    labels = [observation.workload, quantile, lead]
                    family.add_metric(labels, _at(forecast, step, column))
    return family


def _error_ratios(seen: Sequence[Observation]) -> GaugeMetricFamily:
    """How far the median missed, as a share of what naive missed."""
    family = GaugeMetricFamily(
        "prescaler_error_ratio",
        "Error of the median over naive's, at the longest lead of a bucket, last week or so.",
        labels=["workload", "bucket"],
    )
    for name, bucket, row in _track_records(seen):
        if "error_ratio" in row:
            family.add_metric([name, bucket], row["error_ratio"])
    return family


def _coverage(seen: Sequence[Observation]) -> GaugeMetricFamily:
    """What share of actuals a quantile carried: it should be the quantile itself."""
    family = GaugeMetricFamily(
        "prescaler_coverage",
        "Share of actuals at or below a quantile, at the longest lead of a bucket.",
        labels=["workload", "quantile", "bucket"],
    )
    for name, bucket, row in _track_records(seen):
        for quantile, share in row.items():
            if quantile not in {"outcomes", "error_ratio"}:
                family.add_metric([name, quantile, bucket], share)
    return family


def _track_records(
    seen: Sequence[Observation],
) -> Iterator[tuple[str, str, Mapping[str, float]]]:
    for observation in seen:
        forecast = observation.decision.forecast
        if forecast is not None:
            for bucket, row in forecast.track_record.items():
                yield observation.workload, bucket, row


def _at(forecast: Forecast, step: int, column: int) -> float:
    return float(forecast.values[step, column])


def _growth(observation: Observation) -> float | None:
    """Of a workload whose forecast acts as a plan nothing: a 1 there would look like silence."""
    return observation.decision.growth if observation.grows else None


def _forecast_age(observation: Observation) -> float | None:
    age = observation.decision.age
    return age.total_seconds() if age is not None else None


def _demand_age(observation: Observation) -> float | None:
    age = observation.demand_age
    return age.total_seconds() if age is not None else None
