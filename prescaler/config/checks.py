"""What no single field can know: rules between fields, and between workloads."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from prescaler.config.convert import to_capacity
from prescaler.config.fields import UnsoundField
from prescaler.config.models import (
    LeadTimeSection,
    RetentionSection,
    WindowSection,
    WorkloadSection,
)
from prescaler.config.partial import Complaint, answered
from prescaler.config.yaml_file import KeyPath
from prescaler.core.calendar import is_holiday
from prescaler.core.errors import UnknownCountry
from prescaler.core.policy import ActsAs, Unit

_DAY: Final = timedelta(days=1)
_SOME_DAY: Final = date(2026, 1, 1)
_LONGEST_DECISIONS: Final = timedelta(days=400)
_LONGEST_HORIZON: Final = timedelta(days=14)
_LEAST_HISTORY: Final = timedelta(days=2)
_MOST_HISTORY: Final = timedelta(days=732)
_OUT_OF_REACH: Final = "is above scale_target.max_pods: it can never be reached"


def workload_problems(section: WorkloadSection, sources: set[str] | None) -> Iterator[Complaint]:
    """Problems inside one workload; sources: the names under `prometheus`, None if unknown."""
    yield from answered(_sources, section, sources)
    for rule in (_grid, _late, _horizon, _history, _cadence, _country, _capacity):
        yield from answered(rule, section)
    for rule in (_bounds, _policy_bounds, _floor, _windows, _acts_as):
        yield from answered(rule, section)
    yield from answered(_starts, section)
    yield from answered(_counted_where, section, sources)
    yield from answered(_counted, section)


def _sources(section: WorkloadSection, sources: set[str] | None) -> Iterator[Complaint]:
    for number, name in enumerate(section.demand.source):
        if sources is not None and name not in sources:
            known = ", ".join(sorted(sources))
            yield ("demand", "source", number), f"no source {name!r} under prometheus ({known})"


def _counted_where(section: WorkloadSection, sources: set[str] | None) -> Iterator[Complaint]:
    source = section.pods.source
    if source is not None and sources is not None and source not in sources:
        known = ", ".join(sorted(sources))
        yield ("pods", "source"), f"no source {source!r} under prometheus ({known})"
    if section.pods.query is not None and source is None and len(section.demand.source) > 1:
        yield ("pods", "source"), "say which of the demand's sources counts the pods"


def _acts_as(section: WorkloadSection) -> Iterator[Complaint]:
    target = section.scale_target
    if section.policy.acts_as is ActsAs.GROWTH and 0 in {target.min_pods, target.idle_pods}:
        yield (
            ("policy", "acts_as"),
            "growth needs a formula: not for a workload that sleeps at 0 pods",
        )


def _counted(section: WorkloadSection) -> Iterator[Complaint]:
    if section.lead_time.measure and not section.pods.observe:
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
    yield from answered(_longest_retention, section)
    yield from answered(_coarse_retention, section)


def _longest_retention(section: RetentionSection) -> Iterator[Complaint]:
    if section.decisions > _LONGEST_DECISIONS:
        yield ("retention", "decisions"), f"must be at most {_LONGEST_DECISIONS.days}d"


def _coarse_retention(section: RetentionSection) -> Iterator[Complaint]:
    if section.coarse_demand < section.fine_demand:
        yield ("retention", "coarse_demand"), "must be at least retention.fine_demand"


def _grid(section: WorkloadSection) -> Iterator[Complaint]:
    spacings = [*answered(_step, section), *answered(_resolution, section)]
    yield from spacings
    step, resolution = section.forecast.step, section.demand.resolution
    if not spacings and step % resolution:
        yield ("forecast", "step"), "must be a multiple of demand.resolution"


def _step(section: WorkloadSection) -> Iterator[Complaint]:
    yield from _divides(("forecast", "step"), section.forecast.step)


def _resolution(section: WorkloadSection) -> Iterator[Complaint]:
    yield from _divides(("demand", "resolution"), section.demand.resolution)


def _divides(path: KeyPath, spacing: timedelta) -> Iterator[Complaint]:
    if spacing <= timedelta(0) or _DAY % spacing:
        yield path, "must divide a day: 15s, 1m, 5m, 15m, 1h, ..."


def _late(section: WorkloadSection) -> Iterator[Complaint]:
    if section.demand.reread > _DAY:
        yield ("demand", "reread"), "must be at most 1d; what is older is corrected by `backfill`"


def _horizon(section: WorkloadSection) -> Iterator[Complaint]:
    if not section.forecast.step <= section.forecast.horizon <= _LONGEST_HORIZON:
        yield ("forecast", "horizon"), "must lie between one step and 14d"


def _history(section: WorkloadSection) -> Iterator[Complaint]:
    if not _LEAST_HISTORY <= section.forecast.history <= _MOST_HISTORY:
        yield ("forecast", "history"), "must lie between 2d and 732d"


def _cadence(section: WorkloadSection) -> Iterator[Complaint]:
    forecast = section.forecast
    if forecast.every < timedelta(seconds=15):
        yield ("forecast", "every"), "must be at least 15s"
    if forecast.refit < forecast.every:
        yield ("forecast", "refit"), "must be at least forecast.every"


def _country(section: WorkloadSection) -> Iterator[Complaint]:
    country = section.forecast.country
    try:
        if country is not None:
            is_holiday(_SOME_DAY, country)
    except UnknownCountry as error:
        yield ("forecast", "country"), str(error)


def _capacity(section: WorkloadSection) -> Iterator[Complaint]:
    capacity = to_capacity(section.capacity)
    if capacity.unit is Unit.LOAD and capacity.target < 1:
        exact = capacity.per_pod * capacity.utilisation
        text = f"per_pod x utilisation is {exact:g}, a target in load units must be at least 1"
        yield (
            ("capacity", "per_pod"),
            f"{text} (KEDA's fallback takes whole numbers): use unit: pods",
        )


def _bounds(section: WorkloadSection) -> Iterator[Complaint]:
    if section.scale_target.min_pods > section.scale_target.max_pods:
        yield ("scale_target", "min_pods"), "is above max_pods"
    if section.scale_target.idle_pods == section.scale_target.min_pods:
        yield ("scale_target", "idle_pods"), "must be below min_pods; with min_pods 0 leave it out"
    if section.scale_target.wake_at >= 1:
        yield (
            ("scale_target", "wake_at"),
            "must be below 1: a declared minimum of one pod would not wake it",
        )


def _policy_bounds(section: WorkloadSection) -> Iterator[Complaint]:
    policy = section.policy
    if policy.max_pods is not None and policy.min_pods > policy.max_pods:
        yield ("policy", "min_pods"), "is above policy.max_pods"


def _floor(section: WorkloadSection) -> Iterator[Complaint]:
    if section.policy.min_pods > section.scale_target.max_pods:
        yield ("policy", "min_pods"), _OUT_OF_REACH


def _windows(section: WorkloadSection) -> Iterator[Complaint]:
    most = section.scale_target.max_pods
    for number, window in enumerate(section.windows):
        yield from answered(_window, window, number, most)


def _window(window: WindowSection, number: int, most: int) -> Iterator[Complaint]:
    if window.min_pods > most:
        yield ("windows", number, "min_pods"), _OUT_OF_REACH


def _starts(section: WorkloadSection) -> Iterator[Complaint]:
    for name in ("pod_start", "node_start"):
        yield from answered(_start, section.lead_time, name)
    if section.lead_time.sync < timedelta(seconds=1):
        yield ("lead_time", "sync"), "must be at least 1s"
    if section.lead_time.polling < timedelta(seconds=1):
        yield ("lead_time", "polling"), "must be at least 1s"


def _start(lead: LeadTimeSection, name: str) -> Iterator[Complaint]:
    start = lead.pod_start if name == "pod_start" else lead.node_start
    if start.p50 > start.p95:
        yield ("lead_time", name, "p50"), "the median is above the 0.95 quantile"


def between_workloads(
    sections: Sequence[WorkloadSection],
) -> Iterator[tuple[int, KeyPath, str]]:
    """What is wrong between the workloads of a file: the number of one, the place in it, why."""
    known = {name: section for section in sections if (name := _name(section)) is not None}
    owners: dict[str, str] = {}
    for number, section in enumerate(sections):
        for path, text in answered(_names_taken, section, owners):
            yield number, path, text
        for path, text in answered(_strange_sibling, section, known):
            yield number, path, text


def _name(section: WorkloadSection) -> str | None:
    try:
        return section.name
    except UnsoundField:
        return None


def _names_taken(section: WorkloadSection, owners: dict[str, str]) -> Iterator[Complaint]:
    """Names and aliases that two workloads claim; those of this one join the owners."""
    for name in (section.name, *section.aliases):
        if name in owners:
            yield ("name",), f"the name {name!r} is taken by workload {owners[name]!r}"
        owners.setdefault(name, section.name)


def _strange_sibling(
    section: WorkloadSection, known: Mapping[str, WorkloadSection]
) -> Iterator[Complaint]:
    """It borrows from nobody, from itself, or from a borrower."""
    if section.like is None:
        return
    sibling = known.get(section.like.workload)
    place = ("like", "workload")
    if sibling is None or sibling is section:
        yield place, f"no other workload {section.like.workload!r} is configured"
    elif sibling.like is not None:
        yield place, f"{sibling.name!r} borrows itself; name the one that it borrows from"
