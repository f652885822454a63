"""One forecast from what is known: the last fit rolled on, or a refit where it is time for one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from prescaler.core.engine import ModelState, Outlook, refit, roll
from prescaler.core.errors import ForecasterFailed
from prescaler.core.forecast import Forecast, Origin, storable
from prescaler.core.history import History
from prescaler.core.records import HistoryVersion
from prescaler.core.series import Series
from prescaler.core.workload import Workload


@dataclass(frozen=True, eq=False)
class Issued:
    """A forecast, and the state of the refit that it took; None where the last one still served."""

    forecast: Forecast
    refitted: ModelState | None


def issue(
    workload: Workload,
    version: HistoryVersion,
    series: Series,
    stored: ModelState | None,
    issued_at: datetime,
    origin: Origin = Origin.LIVE,
) -> Issued:
    """Forecast from a series that ends with the cutoff; live runs and walks alike.

    Raises:
        TooLittleHistory: fewer than 36 hours, or fewer than a quarter of their points observed.
        ForecasterFailed: no forecaster could handle this history.
    """
    settings = workload.forecast
    horizon = settings.horizon_steps
    history = History.of(series, settings.timezone, horizon, settings.country)
    state, outlook = _rolled(_usable(workload, stored, history), history, horizon)
    fresh = state is not None
    if state is None or outlook is None:
        state = refit(history, horizon, stored)
        outlook = roll(state, history, horizon)
    forecast = Forecast(
        workload=version.workload,
        version=version.number,
        cutoff=history.cutoff,
        issued_at=issued_at,
        step=settings.step,
        values=storable(outlook.values),
        peak_ratio=storable(outlook.peak_ratio),
        naive=storable(outlook.naive),
        historic_max=outlook.historic_max,
        origin=origin,
        basis=outlook.basis,
        weights=outlook.weights,
        track_record=outlook.track_record,
    )
    return Issued(forecast, None if fresh else state)


def _rolled(
    state: ModelState | None, history: History, horizon: int
) -> tuple[ModelState | None, Outlook | None]:
    """The stored state and its outlook; nothing where it does not suit history or release."""
    if state is None:
        return None, None
    try:
        return state, roll(state, history, horizon)
    except ForecasterFailed:
        return None, None


def _usable(workload: Workload, state: ModelState | None, history: History) -> ModelState | None:
    """The stored fit, where it was made for this grid and is not older than `forecast.refit`."""
    settings = workload.forecast
    if state is None or not state.fits(settings.step, settings.horizon_steps):
        return None
    age = history.cutoff - state.fitted_at
    return state if timedelta(0) <= age < settings.refit else None
