"""What the mix missed comes back as far as it did before, and no further."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.arrays import FloatArray
from prescaler.core.echo import Echo, listen
from prescaler.core.trial import Expert, Trial
from tests.support.builders import STEP

LEADS = np.array([1, 2, 3, 6, 12, 36])
CUTOFFS = 14 * 48


def make_trial(actual: FloatArray, leads: FloatArray = LEADS) -> Trial:
    """Cutoffs half an hour apart."""
    return Trial(
        experts=(Expert("days", "log"),),
        leads=np.asarray(leads),
        actual=actual,
        peak=actual,
        predicted=np.zeros((1, *actual.shape)),
        age_days=np.arange(len(actual))[::-1] / 48,
        hour=np.zeros(actual.shape),
        spacing=6,
        spacing_days=1 / 48,
    )


def levels(seed: int, kept: float) -> FloatArray:
    """[M] a level of which so much is kept from one half hour to the next."""
    random = np.random.default_rng(seed)
    found = np.zeros(CUTOFFS)
    for at in range(1, CUTOFFS):
        found[at] = kept * found[at - 1] + random.normal()
    return found


def test_a_level_that_stays_comes_back() -> None:
    actual = 100.0 + levels(1, 0.9)[:, None] * np.ones(len(LEADS))
    mixed = np.full(actual.shape, 100.0)

    echo, corrected = listen(make_trial(actual), mixed, STEP, 5.0)

    before, after = (np.abs(actual - said)[:, :5].mean() for said in (mixed, corrected))
    assert after < 0.8 * before
    assert (echo.share[:5] > 0.5).all()
    assert (echo.share[:5] < 0.9).all()  # the ridge holds it back


def test_beyond_the_first_hour_nothing_comes_back() -> None:
    actual = 100.0 + levels(1, 0.9)[:, None] * np.ones(len(LEADS))
    mixed = np.full(actual.shape, 100.0)

    echo, corrected = listen(make_trial(actual), mixed, STEP, 5.0)

    assert echo.share[5] == 0.0
    np.testing.assert_array_equal(corrected[:, 5], mixed[:, 5])


def test_noise_has_no_echo() -> None:
    actual = 100.0 + np.random.default_rng(2).normal(size=(CUTOFFS, len(LEADS)))

    echo, _ = listen(make_trial(actual), np.full(actual.shape, 100.0), STEP, 5.0)

    assert (np.abs(echo.share) < 0.2).all()


def test_a_burst_counts_as_what_is_rare() -> None:
    echo = Echo(np.ones(1), 3.0)

    np.testing.assert_allclose(
        echo.misses(np.array([[1.0, 2.0], [500.0, -1.0], [np.nan, 1.0], [np.nan, np.nan]])),
        [0.0, 1.5, 1.0, 1.0, 0.0],
    )


@given(st.integers(0, 10_000), st.integers(1, CUTOFFS - 1))
def test_a_cutoff_hears_only_what_had_come(seed: int, at: int) -> None:
    random = np.random.default_rng(seed)
    echo = Echo(random.normal(size=6), 2.0)
    residual = random.normal(size=(CUTOFFS, 4))
    later = residual.copy()
    later[at:] = random.normal(size=later[at:].shape)

    np.testing.assert_array_equal(echo.misses(residual)[: at + 1], echo.misses(later)[: at + 1])


@pytest.mark.parametrize("shown", ["nothing", "later leads", "exactly"])
def test_where_nothing_was_missed_nothing_comes_back(shown: str) -> None:
    mixed = np.full((CUTOFFS, len(LEADS)), 100.0)
    actual = np.full(mixed.shape, np.nan if shown == "nothing" else 100.0)
    leads = LEADS + 288 if shown == "later leads" else LEADS

    echo, corrected = listen(make_trial(actual, leads), mixed, STEP, 5.0)

    assert not echo.share.any()
    np.testing.assert_array_equal(corrected, mixed)
