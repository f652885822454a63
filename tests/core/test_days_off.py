"""Public holidays are forgotten where they looked like Sundays, and only there."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from prescaler.core.arrays import FloatArray
from prescaler.core.day_table import DayTable, day_table
from prescaler.core.days_off import without_days_off
from prescaler.core.engine import refit, roll
from prescaler.core.errors import UnknownCountry
from prescaler.core.history import History
from prescaler.core.quantiles import MEDIAN
from prescaler.core.scales import DemandScale
from prescaler.core.series import Series
from tests.support.builders import PARIS

HOUR = timedelta(hours=1)
START = datetime(2026, 4, 5, 22, tzinfo=UTC)  # Easter Monday, midnight in Paris
MAY_DAY, ASCENSION = 25, 38  # rows: Friday 1 May, Thursday 14 May


def demand(days: int, *sundays: int) -> FloatArray:
    """Hourly demand with quiet weekends; some other days look like Sundays too."""
    day = np.arange(24 * days) // 24
    level = np.where((day % 7 >= 5) | np.isin(day, sundays), 30.0, 100.0)
    noise = np.exp(0.03 * np.random.default_rng(4).standard_normal(len(day)))
    return level * (1.5 + np.sin(np.arange(24 * days) * np.pi / 12)) * noise


def history(values: FloatArray, country: str | None = "FR") -> History:
    return History.of(Series(START, HOUR, values, values), PARIS, 24, country)


def table(values: FloatArray) -> DayTable:
    known = history(values)
    return day_table(known, DemandScale.of(known.demand), 24)


def test_holidays_that_looked_like_sundays_are_forgotten() -> None:
    found = table(demand(45, MAY_DAY, ASCENSION))

    calm = without_days_off(found, "FR")

    for logs in calm.logs.values():
        assert np.isnan(logs[[MAY_DAY, ASCENSION]]).all()
    ordinary = np.delete(np.arange(45), [0, MAY_DAY, 32, ASCENSION])  # 32: 8 May
    np.testing.assert_array_equal(calm.logs["near"][ordinary], found.logs["near"][ordinary])


@pytest.mark.parametrize(
    ("values", "country"),
    [
        (demand(45), "FR"),  # holidays are working days here
        (demand(45, MAY_DAY, ASCENSION), None),
        (demand(45, MAY_DAY, ASCENSION), "JP"),  # Golden Week, on other days
        (np.where(np.isin(np.arange(45 * 24) // 24, [0, MAY_DAY, 32, ASCENSION]), np.nan, 9), "FR"),
        (demand(2), "FR"),
    ],
)
def test_elsewhere_nothing_is_forgotten(values: FloatArray, country: str | None) -> None:
    found = table(values)

    assert without_days_off(found, country) is found


def test_a_country_without_tables_is_a_named_error() -> None:
    with pytest.raises(UnknownCountry):
        without_days_off(table(demand(10)), "XX")


def test_the_week_after_a_holiday_is_forecast_better_for_it() -> None:
    values = demand(47, MAY_DAY, 32, ASCENSION)  # the next day to come is a Thursday
    known, truth = values[: 45 * 24], values[45 * 24 : 46 * 24]
    missed = []
    for country in ("FR", None):
        past = history(known, country)
        said = roll(refit(past, 24), past, 24).values[:, MEDIAN]
        missed.append(float(np.abs(said - truth).mean()))

    assert missed[0] < missed[1]
