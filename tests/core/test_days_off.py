"""Public holidays are forgotten where they looked like Sundays; one that comes goes their way."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.arrays import FloatArray
from prescaler.core.calendar import is_holiday
from prescaler.core.day_table import DayTable, day_table
from prescaler.core.days_off import days_off, expected_way, remembered
from prescaler.core.engine import refit, roll
from prescaler.core.errors import UnknownCountry
from prescaler.core.history import DayOff, History
from prescaler.core.quantiles import MEDIAN
from prescaler.core.scales import DemandScale
from prescaler.core.series import Series
from tests.support.builders import PARIS

HOUR = timedelta(hours=1)
START = datetime(2026, 4, 5, 22, tzinfo=UTC)  # Easter Monday, midnight in Paris
MAY_DAY, ASCENSION = 25, 38  # rows: Friday 1 May, Thursday 14 May
VICTORY, WHIT_MONDAY = 32, 49  # Friday 8 May, Monday 25 May
NAMED = tuple(DayOff(date(year, 12, 25), 0.9) for year in (2023, 2024, 2025))


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


def measured(values: FloatArray, *earlier: DayOff, country: str | None = "FR") -> list[DayOff]:
    known = history(values, country)
    return list(remembered(known, DemandScale.of(known.demand), earlier))


def said(past: History) -> FloatArray:
    return roll(refit(past, 24), past, 24).values[:, MEDIAN]


def test_holidays_that_looked_like_sundays_are_forgotten() -> None:
    found = table(demand(45, MAY_DAY, ASCENSION))

    calm = days_off(found, history(demand(45, MAY_DAY, ASCENSION))).calm

    for logs in calm.logs.values():
        assert np.isnan(logs[[MAY_DAY, ASCENSION]]).all()
    ordinary = np.delete(np.arange(45), [0, MAY_DAY, VICTORY, ASCENSION])
    np.testing.assert_array_equal(calm.logs["near"][ordinary], found.logs["near"][ordinary])


@pytest.mark.parametrize(
    ("values", "country"),
    [
        (demand(45), "FR"),  # holidays are working days here
        (demand(45, MAY_DAY, ASCENSION), None),
        (demand(45, MAY_DAY, ASCENSION), "JP"),  # Golden Week, on other days
        (np.where(np.isin(np.arange(45 * 24) // 24, [0, MAY_DAY, 32, ASCENSION]), np.nan, 9), "FR"),
        (demand(2), "FR"),
        (demand(20), "TH"),  # none of its holidays in these weeks is past
    ],
)
def test_elsewhere_nothing_is_forgotten(values: FloatArray, country: str | None) -> None:
    found = table(values)

    assert days_off(found, history(values, country)).calm is found


def test_a_country_without_tables_is_a_named_error() -> None:
    with pytest.raises(UnknownCountry):
        days_off(table(demand(10)), history(demand(10), "XX"))


def test_the_week_after_a_holiday_is_forecast_better_for_it() -> None:
    values = demand(47, MAY_DAY, VICTORY, ASCENSION)  # the next day to come is a Thursday
    known, truth = values[: 45 * 24], values[45 * 24 : 46 * 24]

    missed = [np.abs(said(history(known, country)) - truth).mean() for country in ("FR", None)]

    assert missed[0] < missed[1]


def test_it_is_measured_how_far_each_holiday_went() -> None:
    found = measured(demand(45, MAY_DAY, ASCENSION))

    assert [one.day for one in found] == [date(2026, 5, 1), date(2026, 5, 8), date(2026, 5, 14)]
    assert [one.way for one in found] == pytest.approx([1, 0, 1], abs=0.1)


def test_what_is_remembered_is_not_measured_again_and_outlives_the_history() -> None:
    old, may_day = DayOff(date(2025, 12, 25), 0.8), DayOff(date(2026, 5, 1), 0.123)

    found = measured(demand(30, MAY_DAY), may_day, old)

    assert found == [old, may_day]


def test_it_is_remembered_for_three_years() -> None:
    old, older = DayOff(date(2023, 5, 29), 0.8), DayOff(date(2023, 4, 10), 0.8)

    assert measured(demand(45), old, older)[:1] == [old]


def test_a_holiday_of_which_half_is_unknown_is_not_measured() -> None:
    values = demand(30, MAY_DAY)
    values[24 * MAY_DAY + 6 : 24 * MAY_DAY + 20] = np.nan

    assert measured(values) == []


def test_without_a_country_nothing_is_measured_and_nothing_forgotten() -> None:
    assert measured(demand(45, MAY_DAY), *NAMED, country=None) == list(NAMED)


@given(st.lists(st.tuples(st.dates(date(2023, 1, 1), date(2027, 1, 1)), st.floats(-0.5, 1.5))))
def test_the_expected_way_is_between_none_and_all_of_it(seen: list[tuple[date, float]]) -> None:
    way = expected_way(date(2026, 12, 25), "FR", tuple(DayOff(*one) for one in seen))

    assert 0.0 <= way <= 1.0
    if not any(is_holiday(day, "FR") and day < date(2026, 12, 25) for day, _ in seen):
        assert way == 0.0


def test_the_same_holiday_of_other_years_says_most() -> None:
    others = tuple(DayOff(date(year, 7, 14), 0.0) for year in (2023, 2024, 2025))

    assert expected_way(date(2026, 12, 25), "FR", others) == 0.0
    assert expected_way(date(2026, 12, 25), "FR", (*NAMED[:1], *others)) > 0.55
    assert expected_way(date(2026, 12, 25), "FR", NAMED) > 0.8
    assert 0.3 < expected_way(date(2026, 7, 14), "FR", NAMED) < 0.6


def test_one_holiday_alone_says_little_and_days_that_differ_say_less() -> None:
    one = (DayOff(date(2026, 5, 1), 1.0),)
    apart = (*one, DayOff(date(2026, 5, 8), 0.0))

    assert 0.1 < expected_way(date(2026, 5, 14), "FR", one) < 0.4
    assert expected_way(date(2026, 5, 14), "FR", apart) < 0.2


def test_a_holiday_that_ended_after_the_cutoff_says_nothing() -> None:
    eve = (DayOff(date(2026, 5, 14), 1.0),)

    assert expected_way(date(2026, 5, 15), "FR", eve, gap=1) == 0.0
    assert expected_way(date(2026, 5, 16), "FR", eve, gap=1) > 0.0


def test_a_holiday_that_comes_is_drawn_on_its_way_to_a_sunday() -> None:
    off = (MAY_DAY, VICTORY, ASCENSION, WHIT_MONDAY)
    values = demand(51, *off)
    known, truth = values[: 24 * WHIT_MONDAY], values[24 * WHIT_MONDAY : 24 * (WHIT_MONDAY + 1)]

    missed = [np.abs(said(history(known, country)) - truth).mean() for country in ("FR", None)]

    assert missed[0] < 0.6 * missed[1]


def test_last_year_says_what_the_history_does_not() -> None:
    last_year = tuple(DayOff(date(2025, 5, day), 1.0) for day in (1, 8))
    known = history(demand(MAY_DAY))  # no holiday but its first day

    told, plain = (said(replace(known, holidays=seen)) for seen in (last_year, ()))

    np.testing.assert_array_less(told, 0.7 * plain)


def test_what_was_remembered_goes_from_fit_to_fit() -> None:
    first = refit(history(demand(30, MAY_DAY)), 24)
    second = refit(history(demand(31)), 24, first)

    assert first.holidays == second.holidays
    assert [one.day for one in first.holidays] == [date(2026, 5, 1)]
