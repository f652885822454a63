"""Look back at planned events, and at what crowds have taught."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prescaler.core.debrief import Debrief, debrief
from prescaler.core.errors import BadParameter
from prescaler.core.event_book import acts_at, effect_on_demand, occurrences
from prescaler.core.instants import floor_to
from prescaler.core.planned import Occurrence, PlannedEvent
from prescaler.core.records import HistoryVersion
from prescaler.core.series import Series
from prescaler.ports import DecisionStore, DemandStore, ForecastStore
from prescaler.usecases.review import Span
from prescaler.usecases.serve_metric import Served

_DAY_AHEAD: Final = timedelta(hours=24)
_LOOK_BACK: Final = timedelta(days=8)
_ANSWERS_FROM: Final = timedelta(hours=1)
_LONGEST_AGO: Final = timedelta(days=400)


@dataclass(frozen=True)
class DebriefPorts:
    """What a debrief needs of the world. ready: counted pods of a span, None where not known."""

    demand: DemandStore
    forecasts: ForecastStore
    decisions: DecisionStore
    ready: Callable[[Served, Span], Series | None] = lambda *_: None


def newest_occurrence(event: PlannedEvent, before: datetime) -> Occurrence:
    """The last occurrence that was over by an instant.

    Raises:
        BadParameter: none was, or not within the 400 days for which answers are kept.
    """
    found = [o for o in occurrences(event, before - _LONGEST_AGO, before) if o.end <= before]
    if not found:
        raise BadParameter("no occurrence of this event is over; a debrief comes after it")
    return found[-1]


def debriefs(
    occurrence: Occurrence, workloads: Iterable[Served], ports: DebriefPorts
) -> dict[str, Debrief]:
    """One occurrence on each of these workloads that it selects and that has a history, by name.

    What is judged is the forecast issued a day ahead (where none was, the newest before the
    start), lifted by what crowds had taught by then.
    """
    return {
        served.workload.name: _debrief(occurrence, served, served.state.version, ports)
        for served in workloads
        if selected(occurrence.event, served) and served.state.version is not None
    }


def selected(event: PlannedEvent, served: Served) -> bool:
    """Whether an event is about a workload."""
    one = served.workload
    return event.selection.takes(one.name, one.labels, one.aliases)


def _debrief(
    occurrence: Occurrence, served: Served, version: HistoryVersion, ports: DebriefPorts
) -> Debrief:
    stored = served.state.uplift
    step = served.workload.forecast.step
    start, end = (
        floor_to(occurrence.start - _LOOK_BACK, step),
        floor_to(occurrence.end, step) + step,
    )
    actual = ports.demand.on_grid(version, start, end, step)
    forecast = ports.forecasts.as_of(version, occurrence.start - _DAY_AHEAD)
    if forecast is None or forecast.valid_until < occurrence.end:
        forecast = ports.forecasts.as_of(version, occurrence.start)
    known = stored.model.as_of(forecast.issued_at) if stored and forecast else None
    acting = acts_at(occurrence.event, forecast.issued_at if forecast else None)
    effect = effect_on_demand(occurrence, known)
    log = ports.decisions.between(version.workload, occurrence.start - _ANSWERS_FROM, end)
    counted = ports.ready(served, Span(floor_to(occurrence.start, step), end, step))
    judged = forecast if acting else None
    return debrief(effect, judged, actual, log, served.policy, counted=counted)
