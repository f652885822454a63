"""One forecast from what is known: the last fit rolled on, or a refit where it is time for one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from prescaler.core.arrays import BoolArray
from prescaler.core.engine import ModelState, Outlook, refit
from prescaler.core.errors import ForecasterFailed
from prescaler.core.forecast import Forecast, Origin, storable
from prescaler.core.history import History
from prescaler.core.records import HistoryVersion
from prescaler.core.series import Series
from prescaler.core.uplift import Crowd, Ordinary, UpliftModel, roll_ordinary
from prescaler.core.workload import Workload
from prescaler.usecases.crowd_lore import NO_LORE, Lore, without_crowds


@dataclass(frozen=True, eq=False)
class Issued:
    """A forecast, and the state of the refit that it took; None where the last one still served.

    learnt: what crowds have taught since the last refit; None where nothing new.
    """

    forecast: Forecast
    refitted: ModelState | None
    learnt: UpliftModel | None = None


class Saturation(Protocol):
    """Knows when pods were at their limit."""

    def points(
        self, model: UpliftModel, history: History, crowds: Sequence[Crowd]
    ) -> BoolArray | None:
        """[N] true where the demand of crowds is a lower bound; None: of none is that known."""
        ...


@dataclass(frozen=True, eq=False)
class Known:
    """What earlier runs have learnt (None: nothing), and what is known of crowds.

    saturation: None = whatever was known before.
    """

    state: ModelState | None
    lore: Lore = NO_LORE
    saturation: Saturation | None = None


def issue(
    workload: Workload,
    version: HistoryVersion,
    series: Series,
    known: Known,
    issued_at: datetime,
    origin: Origin = Origin.LIVE,
) -> Issued:
    """Forecast ordinary demand from a series that ends with the cutoff; live runs and walks alike.

    Planned crowds are taken out of the history by what is known of them at `issued_at`; the plan
    puts those to come on top.

    Raises:
        TooLittleHistory: fewer than 36 hours, or fewer than a quarter of their points observed.
        ForecasterFailed: no forecaster could handle this history.
    """
    settings = workload.forecast
    horizon = settings.horizon_steps
    history = History.of(series, settings.timezone, horizon, settings.country)
    lore, learnt = known.lore, None
    model, usable = lore.model(workload), _usable(workload, known.state, history)
    state, outlook = None, None
    if usable is not None:
        ordinary = without_crowds(lore, model, history, issued_at)
        if not usable.drifted(ordinary.calm):
            state, outlook = _rolled(usable, ordinary, horizon)
    fresh = state is not None
    if state is None or outlook is None:
        crowds = lore.crowds(model, history, issued_at)
        learnt = model.learned(history, crowds, _saturated(known, model, history, crowds))
        ordinary = without_crowds(lore, learnt, history, issued_at)
        state = refit(ordinary.calm, horizon, known.state)
        outlook = roll_ordinary(state, ordinary, horizon)
    forecast = Forecast(
        workload=version.workload,
        version=version.number,
        cutoff=history.cutoff,
        issued_at=issued_at,
        step=settings.step,
        values=storable(outlook.values),
        peak_ratio=storable(outlook.peak_ratio),
        naive=storable(outlook.naive),
        historic_max=float(np.nanmax(history.series.peak)),
        origin=origin,
        basis=outlook.basis,
        weights=outlook.weights,
        track_record=outlook.track_record,
        plan_record=outlook.plan_record,
        plan_widths=outlook.plan_widths,
    )
    return Issued(forecast, None if fresh else state, None if learnt is model else learnt)


def _saturated(
    known: Known, model: UpliftModel, history: History, crowds: Sequence[Crowd]
) -> BoolArray | None:
    if known.saturation is None:
        return model.censored(history)
    return known.saturation.points(model, history, crowds)


def _rolled(
    state: ModelState, ordinary: Ordinary, horizon: int
) -> tuple[ModelState | None, Outlook | None]:
    """The stored state and its outlook; nothing where it does not suit history or release."""
    try:
        return state, roll_ordinary(state, ordinary, horizon)
    except ForecasterFailed:
        return None, None


def _usable(workload: Workload, state: ModelState | None, history: History) -> ModelState | None:
    """The stored fit, where it was made for this grid and is not older than `forecast.refit`."""
    settings = workload.forecast
    if state is None or not state.fits(settings.step, settings.horizon_steps):
        return None
    age = history.cutoff - state.fitted_at
    return state if timedelta(0) <= age < settings.refit else None
