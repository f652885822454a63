"""What no single field can know: rules between fields, and between workloads."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from prescaler.config.convert import to_capacity
from prescaler.config.models import ForecastSection, RetentionSection, WorkloadSection
from prescaler.config.yaml_file import KeyPath
from prescaler.core.policy import Unit

_DAY: Final = timedelta(days=1)
_LONGEST_DECISIONS: Final = timedelta(days=400)
_LONGEST_HORIZON: Final = timedelta(days=14)
_LEAST_HISTORY: Final = timedelta(days=2)
_MOST_HISTORY: Final = timedelta(days=732)

Complaint = tuple[KeyPath, str]


def workload_problems(section: WorkloadSection, sources: set[str] | None) -> Iterator[Complaint]:
    """Problems inside one workload; sources: the names under `prometheus`, None if unknown."""
    for number, name in enumerate(section.demand.source):
        if sources is not None and name not in sources:
            known = ", ".join(sorted(sources))
            yield ("demand", "source", number), f"no source {name!r} under prometheus ({known})"
    yield from _grid(section)
    yield from _late(section)
    yield from _reach(section.forecast)
    yield from _capacity(section)
    yield from _pods(section)
    yield from _starts(section)
    yield from _counted(section, sources)


def _counted(section: WorkloadSection, sources: set[str] | None) -> Iterator[Complaint]:
    asked = section.pods
    if asked.source is not None and sources is not None and asked.source not in sources:
        known = ", ".join(sorted(sources))
        yield ("pods", "source"), f"no source {asked.source!r} under prometheus ({known})"
    if asked.query is not None and asked.source is None and len(section.demand.source) > 1:
        yield ("pods", "source"), "say which of the demand's sources counts the pods"
    if section.lead_time.measure and not asked.observe:
        yield ("lead_time", "measure"), "needs pods.observe"


def retention_problems(section: RetentionSection) -> Iterator[Complaint]:
    """Ages below which the program would forget what it works with."""
    least = {
        "fine_demand": timedelta(days=7),
        "coarse_demand": timedelta(days=56),
        "forecast_runs": timedelta(days=56),
        "scores": timedelta(days=56),
    }
    for name, age in section:
        needed = least.get(name, _DAY)
        if age < needed:
            yield ("retention", name), f"must be at least {needed.days}d"
    if section.decisions > _LONGEST_DECISIONS:
        yield ("retention", "decisions"), f"must be at most {_LONGEST_DECISIONS.days}d"
    if section.coarse_demand < section.fine_demand:
        yield ("retention", "coarse_demand"), "must be at least retention.fine_demand"


def _grid(section: WorkloadSection) -> Iterator[Complaint]:
    step, resolution = section.forecast.step, section.demand.resolution
    for path, spacing in ((("forecast", "step"), step), (("demand", "resolution"), resolution)):
        if spacing <= timedelta(0) or _DAY % spacing:
            yield path, "must divide a day: 15s, 1m, 5m, 15m, 1h, ..."
            return
    if step % resolution:
        yield ("forecast", "step"), "must be a multiple of demand.resolution"


def _late(section: WorkloadSection) -> Iterator[Complaint]:
    if section.demand.reread > _DAY:
        yield ("demand", "reread"), "must be at most 1d; what is older is corrected by `backfill`"


def _reach(forecast: ForecastSection) -> Iterator[Complaint]:
    if not forecast.step <= forecast.horizon <= _LONGEST_HORIZON:
        yield ("forecast", "horizon"), "must lie between one step and 14d"
    if not _LEAST_HISTORY <= forecast.history <= _MOST_HISTORY:
        yield ("forecast", "history"), "must lie between 2d and 732d"
    if forecast.every < timedelta(seconds=15):
        yield ("forecast", "every"), "must be at least 15s"
    if forecast.refit < forecast.every:
        yield ("forecast", "refit"), "must be at least forecast.every"


def _capacity(section: WorkloadSection) -> Iterator[Complaint]:
    capacity = to_capacity(section.capacity)
    if capacity.unit is Unit.LOAD and capacity.target < 1:
        exact = capacity.per_pod * capacity.utilisation
        text = f"per_pod x utilisation is {exact:g}, a target in load units must be at least 1"
        yield (
            ("capacity", "per_pod"),
            f"{text} (KEDA's fallback takes whole numbers): use unit: pods",
        )


def _pods(section: WorkloadSection) -> Iterator[Complaint]:
    target, policy = section.scale_target, section.policy
    if target.min_pods > target.max_pods:
        yield ("scale_target", "min_pods"), "is above max_pods"
    if policy.max_pods is not None and policy.min_pods > policy.max_pods:
        yield ("policy", "min_pods"), "is above policy.max_pods"
    if policy.min_pods > target.max_pods:
        yield ("policy", "min_pods"), "is above scale_target.max_pods: it can never be reached"
    for number, window in enumerate(section.windows):
        path: KeyPath = ("windows", number, "min_pods")
        if window.min_pods > target.max_pods:
            yield path, "is above scale_target.max_pods: it can never be reached"


def _starts(section: WorkloadSection) -> Iterator[Complaint]:
    lead = section.lead_time
    for name, start in (("pod_start", lead.pod_start), ("node_start", lead.node_start)):
        if start.p50 > start.p95:
            yield ("lead_time", name, "p50"), "the median is above the 0.95 quantile"
    if lead.sync < timedelta(seconds=1):
        yield ("lead_time", "sync"), "must be at least 1s"


def strange_siblings(
    sections: Sequence[WorkloadSection],
) -> Iterator[tuple[int, KeyPath, str]]:
    """Workloads that borrow from nobody, from themselves, or from a borrower."""
    known = {section.name: section for section in sections}
    for number, section in enumerate(sections):
        if section.like is None:
            continue
        sibling = known.get(section.like.workload)
        place = ("like", "workload")
        if sibling is None or sibling is section:
            yield number, place, f"no other workload {section.like.workload!r} is configured"
        elif sibling.like is not None:
            yield (
                number,
                place,
                f"{sibling.name!r} borrows itself; name the one that it borrows from",
            )


def duplicate_names(
    sections: Sequence[WorkloadSection],
) -> Iterator[tuple[int, KeyPath, str]]:
    """Names and aliases that two workloads claim."""
    owners: dict[str, int] = {}
    for number, section in enumerate(sections):
        for name in (section.name, *section.aliases):
            if name in owners:
                other = sections[owners[name]].name
                yield number, ("name",), f"the name {name!r} is taken by workload {other!r}"
            owners.setdefault(name, number)
