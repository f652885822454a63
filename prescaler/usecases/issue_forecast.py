"""One forecast from what is known: the last fit rolled on, or a refit where it is time for one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from prescaler.core.arrays import BoolArray
from prescaler.core.engine import ModelState, Outlook, refit
from prescaler.core.errors import ForecasterFailed
from prescaler.core.event_book import acts_at
from prescaler.core.forecast import Forecast, Origin, storable
from prescaler.core.history import History
from prescaler.core.records import HistoryVersion
from prescaler.core.series import Series
from prescaler.core.uplift import AROUND, Crowd, Ordinary, UpliftModel, fingerprint, roll_ordinary
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
    model = lore.model(workload)
    usable = _usable(workload, known, model, history, issued_at)
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
        taken = _taken_out(workload, lore, learnt, state.fitted_at, issued_at)
        state = replace(state, without=taken)
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


def _usable(
    workload: Workload,
    known: Known,
    model: UpliftModel,
    history: History,
    issued_at: datetime,
) -> ModelState | None:
    """The stored fit, where it was made for this grid and is not older than `forecast.refit`.

    Nor where other crowds of its time are known by now, or others act: what it took for pattern
    would be put on top of itself, and what there is to learn would wait.
    """
    settings, state = workload.forecast, known.state
    if state is None or not state.fits(settings.step, settings.horizon_steps):
        return None
    age = history.cutoff - state.fitted_at
    if not timedelta(0) <= age < settings.refit:
        return None
    taken = _taken_out(workload, known.lore, model, state.fitted_at, issued_at)
    return state if taken == state.without else None


def _taken_out(
    workload: Workload, lore: Lore, model: UpliftModel, fitted_at: datetime, known_at: datetime
) -> int:
    """Fingerprint of the crowds that a fit knows of, and of those that it takes out of its history.

    Those of its first hours are left aside: until the next refit they drop out of the history.
    """
    settings = workload.forecast
    first = fitted_at - settings.history + settings.refit + AROUND
    found = lore.book.occurrences(first, fitted_at)
    crowds = model.crowds(o for o in found if acts_at(o.event, known_at))
    known = [crowd for crowd in crowds if first <= crowd.start < fitted_at]
    return fingerprint([*known, *(crowd for crowd in known if model.acts(crowd))])
