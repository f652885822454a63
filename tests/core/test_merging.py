"""What a piece brings to what is stored."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.arrays import FloatArray
from prescaler.core.merging import Keep, Merged, compared, merge
from prescaler.core.series import Series, missing_series
from tests.support.builders import MINUTE, MONDAY, series

VALUES = st.lists(st.sampled_from([np.nan, 0.0, 1.0, 2.5]), min_size=1, max_size=12).map(np.array)


def at(offset: int, values: FloatArray) -> Series:
    return series(values, MONDAY + offset * MINUTE, MINUTE)


def table(one: Series) -> dict[object, float]:
    known = zip(one.stamps, one.mean, strict=True)
    return {stamp: value for stamp, value in known if np.isfinite(value)}


@given(VALUES, VALUES, st.integers(-15, 15), st.sampled_from(Keep))
def test_merging_is_that_of_two_tables(
    first: FloatArray, second: FloatArray, offset: int, keep: Keep
) -> None:
    stored, piece = at(0, first), at(offset, second)

    found, counts = merge(stored, piece, keep)

    old, new = table(stored), table(piece)
    assert table(found) == (old | new if keep is Keep.NEWEST else new | old)
    assert counts == Merged(
        added=len(new.keys() - old.keys()),
        same=sum(old.get(k) == v for k, v in new.items()),
        differing=sum(k in old and old[k] != v for k, v in new.items()),
    )
    assert counts.points == len(new)


def test_what_float32_cannot_tell_apart_is_the_same() -> None:
    stored = at(0, np.array([0.1, 0.1]).astype(np.float32).astype(np.float64))

    assert compared(stored, at(0, np.array([0.1, 0.1001]))) == Merged(0, 1, 1)


def test_another_peak_is_a_difference() -> None:
    one = np.ones(1)

    assert compared(
        Series(MONDAY, MINUTE, one, one), Series(MONDAY, MINUTE, one, 2 * one)
    ) == Merged(0, 0, 1)


def test_into_nothing_everything_is_new() -> None:
    nothing = missing_series(MONDAY, MINUTE, 0)

    assert compared(nothing, at(0, np.ones(3))) == Merged(3, 0, 0)
    assert Merged(1, 2, 3) + Merged(1, 1, 1) == Merged(2, 3, 4)
