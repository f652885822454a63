from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from prescaler.core.backtest import BacktestPlan, Fold, play, segments
from prescaler.core.calendar_model import CalendarModel
from prescaler.core.event_book import EventBook
from prescaler.core.planned import Effect, PlannedEvent, Selection
from prescaler.core.quantiles import QUANTILES
from prescaler.core.series import Series
from tests.support.crowds import FIRST_DAY, PARIS, STEP, Night, history

DAYS = (2, 5, 9, 11, 13, 17, 22, 26, 29)
NIGHTS = [Night(day, 5.0) for day in DAYS]
WHOLE = history(32, NIGHTS, noise=0.05).series
PLAN = BacktestPlan(cutoffs=18, roll_every=timedelta(days=1), refit_every=timedelta(days=1))


def events(known_from: datetime | None = None) -> EventBook:
    return EventBook(
        tuple(
            PlannedEvent(
                UUID(int=night.day), f"match {night.day}", "football",
                FIRST_DAY + timedelta(days=night.day, hours=night.hour),
                FIRST_DAY + timedelta(days=night.day, hours=night.hour) + night.lasts,
                PARIS, Selection(everything=True), Effect(), known_from=known_from,
            )
            for night in NIGHTS
        )
    )  # fmt: skip


def forecasts(series: Series, book: EventBook) -> dict[datetime, np.ndarray]:
    fold = Fold(series, PARIS, None, PLAN.history)
    model = CalendarModel(book, PARIS)
    played = [one for part in segments(series, PLAN) for one in play(fold, part, PLAN, model)]
    return {issue.cutoff: issue.values for issue in played if issue.whole}


KICK_OFF = FIRST_DAY + timedelta(days=29, hours=19)


def evening(found: dict[datetime, np.ndarray]) -> np.ndarray:
    """Rows about the last match, from the forecast issued before it."""
    cutoff = max(at for at in found if at < KICK_OFF and KICK_OFF - at < timedelta(hours=22))
    first = (KICK_OFF - cutoff) // STEP - 1
    return found[cutoff][first : first + 7]


def test_a_planned_evening_is_forecast_the_day_before() -> None:
    rows = evening(forecasts(WHOLE, events()))
    actual = WHOLE.mean[29 * 96 + 76 :][:7]

    np.testing.assert_allclose(rows[:, 3], actual, rtol=0.3)
    assert np.all(np.diff(rows, axis=1) >= 0)
    assert rows.shape[1] == len(QUANTILES)


def test_what_nobody_knew_of_changes_nothing() -> None:
    later = WHOLE.start + timedelta(days=90)

    plain, unknown = forecasts(WHOLE, EventBook()), forecasts(WHOLE, events(later))

    for cutoff, values in plain.items():
        np.testing.assert_array_equal(unknown[cutoff], values)


def test_no_forecast_before_a_planted_future_changes() -> None:
    planted = WHOLE.mean.copy()
    planted[28 * 96 :] = 9999.0

    honest = forecasts(WHOLE, events())
    tempted = forecasts(replace(WHOLE, mean=planted, peak=planted), events())

    before = [at for at in honest if at < FIRST_DAY + timedelta(days=28) - STEP]
    assert before
    for cutoff in before:
        np.testing.assert_array_equal(tempted[cutoff], honest[cutoff])


def test_a_state_of_another_model_is_refused() -> None:
    with pytest.raises(TypeError, match="calendar"):
        CalendarModel(EventBook(), PARIS).roll("fit", history(5, []), 4)
