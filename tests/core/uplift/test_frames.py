from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.planned import Effect
from prescaler.core.uplift import Crowd, Frame
from tests.support.crowds import STEP, Night, crowd

durings = st.integers(1, 30)


def frame(during: int) -> Frame:
    return Frame(STEP, 8, during, 8)


@given(durings, durings)
def test_stretching_keeps_the_ends_and_fills_the_middle(here: int, there: int) -> None:
    values = np.arange(float(frame(here).length))

    found = frame(here).stretched(values, frame(there))

    assert len(found) == frame(there).length
    np.testing.assert_array_equal(found[:8], values[:8])
    np.testing.assert_array_equal(found[-8:], values[-8:])
    assert set(found[8:-8]) <= set(values[8:-8])
    assert np.all(np.diff(found) >= 0)


@given(durings)
def test_a_frame_stretched_to_itself_is_unchanged(during: int) -> None:
    values = np.random.default_rng(during).normal(size=frame(during).length)

    np.testing.assert_array_equal(frame(during).stretched(values, frame(during)), values)


def test_only_crowds_of_about_the_same_length_tell_of_each_other() -> None:
    assert frame(7).stretches_to(frame(10))
    assert frame(10).stretches_to(frame(7))
    assert not frame(7).stretches_to(frame(20))
    assert not frame(7).stretches_to(Frame(timedelta(minutes=5), 8, 7, 8))


def test_rows_count_from_the_start_and_are_minus_one_outside() -> None:
    match = crowd(Night(day=3, factor=5.0))
    around = Frame.around(match, STEP)
    start = int(match.start.timestamp())
    ends = np.array([start - 2 * 3600 - 1, start - 2 * 3600, start, start + 899, start + 13499])

    assert (around.before, around.during, around.after) == (8, 7, 8)
    assert list(around.rows(ends, match.start)) == [-1, 0, 8, 8, 22]
    assert around.rows(ends[-1:] + 1, match.start)[0] == -1


def test_a_ramp_longer_than_two_hours_widens_what_a_crowd_shows_in() -> None:
    effect = Effect(ramp_before=timedelta(hours=5), ramp_after=timedelta(hours=1))
    match = crowd(Night(day=3, factor=5.0, effect=effect))

    assert match.start - match.shows_from == timedelta(hours=5)
    assert match.shows_until - match.end == timedelta(hours=2)


def test_the_declared_factor_is_laid_out_with_its_ramps() -> None:
    effect = Effect(factor=3.0, ramp_before=timedelta(minutes=30))
    match = crowd(Night(day=3, factor=3.0, effect=effect))

    declared = match.declared(Frame.around(match, STEP))

    np.testing.assert_allclose(np.exp(declared[6:10]), [1.0, 2.0, 3.0, 3.0])
    np.testing.assert_allclose(np.exp(declared[14:16]), [3.0, 1.0])


@pytest.mark.parametrize("factor", [None, 0.0])
def test_no_factor_declares_nothing(factor: float | None) -> None:
    match = crowd(Night(day=3, factor=1.0, effect=Effect(factor=factor)))

    assert not match.declares
    assert not match.declared(Frame.around(match, STEP)).any()


def test_a_crowd_lives_in_civil_time() -> None:
    tuesday, saturday = crowd(Night(day=1, factor=1.0)), crowd(Night(day=5, factor=1.0))

    assert isinstance(tuesday, Crowd)
    assert (tuesday.hour, tuesday.day_off) == (21.0, False)
    assert saturday.day_off
