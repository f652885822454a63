"""One run: bring history up to now, forecast from it, store the forecast once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from prescaler.core.engine import ModelState
from prescaler.core.errors import ForecastError, SourceError, TooLittleHistory
from prescaler.core.forecast import Basis, Forecast
from prescaler.core.instants import floor_to, format_instant
from prescaler.core.records import HistoryVersion, Outcome, RunStatus, SourceFailure
from prescaler.core.series import Series
from prescaler.core.workload import Workload
from prescaler.ports import (
    Clock,
    DemandSource,
    DemandStore,
    ForecastStore,
    PodSource,
    WorkloadStore,
)
from prescaler.usecases.borrow_history import borrowed
from prescaler.usecases.crowd_lore import LorePorts, lore_of
from prescaler.usecases.ingest_demand import ingest_demand
from prescaler.usecases.issue_forecast import Known, issue
from prescaler.usecases.pod_saturation import PodSaturation
from prescaler.usecases.review_trust import TrustRecord


@dataclass(frozen=True)
class ForecastPorts:
    """What a run needs of the world."""

    clock: Clock
    source: DemandSource
    workloads: WorkloadStore
    demand: DemandStore
    forecasts: ForecastStore
    lore: LorePorts
    pods: Mapping[str, PodSource] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """What a run did. points: new observations. seconds: by part of the work.

    trust: what guards and ladder did afterwards. afterwards_failed: why scoring or that failed;
    the forecast is stored anyway. pods_failure: why it is not known whether past crowds met pods at
    their limit; they are learnt from as they came.
    """

    workload: str
    outcome: Outcome
    detail: str | None
    cutoff: datetime | None
    points: int
    refitted: bool
    source_failure: SourceFailure | None
    seconds: dict[str, float]
    forecast: Forecast | None = field(default=None, repr=False)
    trust: TrustRecord = field(default_factory=TrustRecord)
    afterwards_failed: str | None = None
    pods_failure: SourceFailure | None = None


@dataclass(frozen=True)
class _Result:
    """How the forecasting part ended."""

    outcome: Outcome
    detail: str | None = None
    forecast: Forecast | None = None
    state: ModelState | None = None
    pods_failure: SourceFailure | None = None


def forecast_workload(workload: Workload, ports: ForecastPorts) -> RunRecord:
    """Run once for one workload.

    A source that fails is survived: the history that is there still carries a forecast.

    Raises:
        StoreError: nothing of the forecast was stored.
    """
    now, laps = ports.clock.now().replace(microsecond=0), _Laps(ports.clock)
    version = ports.workloads.ensure(workload, now)
    points, failure = _ingest(workload, version, ports, now)
    laps.end("fetch")
    series = _series(workload, version, ports, now)
    failure = failure or _silence(workload, series, now)
    laps.end("read")
    result = _forecast(workload, version, series, ports, now)
    laps.end("forecast")
    stored = ports.forecasts.save(
        version, _status(series, result, failure, now), result.forecast, result.state
    )
    laps.end("store")
    lost_race = result.forecast is not None and not stored
    return RunRecord(
        workload=workload.name,
        outcome=Outcome.UNCHANGED if lost_race else result.outcome,
        detail=result.detail,
        cutoff=series.end - series.step if len(series) else None,
        points=points,
        refitted=result.state is not None,
        source_failure=failure,
        seconds=laps.seconds,
        forecast=result.forecast,
        pods_failure=result.pods_failure,
    )


def _ingest(
    workload: Workload, version: HistoryVersion, ports: ForecastPorts, now: datetime
) -> tuple[int, SourceFailure | None]:
    try:
        done = ingest_demand(workload, version, ports.source, ports.demand, now)
    except SourceError as error:
        return 0, SourceFailure(error.kind, str(error))
    return done.points, None


def _series(
    workload: Workload, version: HistoryVersion, ports: ForecastPorts, now: datetime
) -> Series:
    """History on the forecast's step, from the first observation to the last whole step."""
    settings = workload.forecast
    end = floor_to(ports.demand.known_until(version) or now, settings.step)
    start = floor_to(end - settings.history, settings.step)
    return ports.demand.on_grid(version, start, end, settings.step).from_first_observation()


def _silence(workload: Workload, series: Series, now: datetime) -> SourceFailure | None:
    """A query that answers, but with nothing, is a failure too once that lasts."""
    newest = series.last_observation()
    if newest is not None and now - newest[0] <= workload.policy.stale_after:
        return None
    since = f"since {format_instant(newest[0])}" if newest else "in the whole history"
    text = f"the query of {workload.name!r} finds nothing {since}; try it in Prometheus"
    return SourceFailure("no_series", text)


def _forecast(
    workload: Workload,
    version: HistoryVersion,
    series: Series,
    ports: ForecastPorts,
    now: datetime,
) -> _Result:
    cutoff = series.end - series.step
    if ports.forecasts.cutoffs(version, cutoff, series.end):
        return _Result(Outcome.UNCHANGED)
    try:
        lent = borrowed(workload, series, ports.workloads, ports.demand)
        lore = lore_of(workload, version, ports.lore, series.start)
        full = PodSaturation(workload, ports.pods, now)
        known = Known(ports.forecasts.state(version), lore, full)
        issued = issue(workload, version, series if lent is None else lent, known, now)
    except TooLittleHistory as error:
        return _Result(Outcome.TOO_LITTLE_HISTORY, str(error))
    except ForecastError as error:
        return _Result(Outcome.FORECAST_FAILED, str(error))
    if issued.learnt is not None:
        ports.lore.uplifts.put(version, issued.learnt, now)
    basis = issued.forecast.basis if lent is None else Basis.BORROWED
    made = replace(issued.forecast, basis=basis)
    return _Result(Outcome.STORED, None, made, issued.refitted, full.failure)


def _status(
    series: Series, result: _Result, failure: SourceFailure | None, now: datetime
) -> RunStatus:
    newest = series.last_observation()
    return RunStatus(
        at=now,
        outcome=result.outcome,
        detail=result.detail,
        source_failure=failure,
        last_actual=newest[1] if newest else None,
        last_actual_at=newest[0] if newest else None,
    )


class _Laps:
    """Seconds spent in each part, one after the other."""

    def __init__(self, clock: Clock) -> None:
        self.seconds: dict[str, float] = {}
        self._clock = clock
        self._start = clock.elapsed()

    def end(self, part: str) -> None:
        now = self._clock.elapsed()
        self.seconds[part] = round(now - self._start, 4)
        self._start = now
