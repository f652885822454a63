"""Ask each demand source whether a workload's query gives one series, and for how long."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from prescaler.core.engine import LEAST_HISTORY
from prescaler.core.errors import PrescalerError, SeveralSeries
from prescaler.core.instants import floor_to
from prescaler.core.series import Series
from prescaler.core.workload import Workload
from prescaler.ports import DemandSource

_LOOK: Final = timedelta(hours=1)


class ProbedSource(DemandSource, Protocol):
    """A demand source that can also say which series a query gives right now."""

    def series_now(self, query: str, at: datetime) -> tuple[str, ...]:
        """Label sets of the series."""
        ...


@dataclass(frozen=True)
class SourceCheck:
    """One workload at one source. first: stamp of the oldest observation that was found.

    hours: how many hours of the wanted history have an observation, of `wanted` hours.
    problem: what is wrong and what to do, None where all is well; kind: its short name.
    """

    workload: str
    source: str
    series: int
    first: datetime | None
    hours: int
    wanted: int
    problem: str | None
    kind: str | None


def check_sources(
    workload: Workload, sources: Mapping[str, ProbedSource], now: datetime
) -> list[SourceCheck]:
    """Look at a workload in each of its sources; failures become results."""
    return [_check(workload, name, sources[name], now) for name in workload.demand.sources]


def _check(workload: Workload, name: str, source: ProbedSource, now: datetime) -> SourceCheck:
    query, wanted = workload.demand.query, workload.forecast.history // _LOOK
    try:
        series = source.series_now(query, workload.known_until(now))
        if len(series) > 1:
            shown = " and ".join(series[:2])
            text = f"the query gives {len(series)} series, the first two {shown}; use sum(...)"
            return _wrong(workload, name, text, SeveralSeries.kind, len(series))
        end = floor_to(now, _LOOK)
        history = source.fetch(query, end - wanted * _LOOK, end, _LOOK)
    except PrescalerError as error:
        return _wrong(workload, name, str(error), error.kind, 0)
    return _judged(workload, name, len(series), history)


def _judged(workload: Workload, name: str, series: int, history: Series) -> SourceCheck:
    hours = int(history.observed.sum())
    first = history.from_first_observation().start if hours else None
    problem, kind = None, None
    if not series:
        problem, kind = "the query finds nothing right now; try it in Prometheus", "no_series"
    elif timedelta(hours=hours) < LEAST_HISTORY:
        problem, kind = f"{hours} h of history, 36 h are needed", "too_little_history"
    return SourceCheck(workload.name, name, series, first, hours, len(history), problem, kind)


def _wrong(workload: Workload, name: str, text: str, kind: str, series: int) -> SourceCheck:
    wanted = workload.forecast.history // _LOOK
    return SourceCheck(workload.name, name, series, None, 0, wanted, text, kind)
