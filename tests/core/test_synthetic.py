from datetime import datetime, timedelta

import numpy as np

from prescaler.core.calendar import civil_slots
from prescaler.core.series import Series
from prescaler.core.synthetic import BACKOFFICE, PLAYER, Traffic, synthetic
from tests.support.builders import DAY, MINUTE, MONDAY, PARIS

START, NOW = MONDAY - 56 * DAY, MONDAY


def traffic(kind: Traffic = PLAYER, seed: int = 1) -> Series:
    return synthetic(kind, start=START, end=NOW + DAY, now=NOW, zone=PARIS, seed=seed)


def test_the_same_seed_gives_the_same_traffic() -> None:
    np.testing.assert_array_equal(traffic().mean, traffic().mean)
    assert not np.array_equal(traffic().mean, traffic(seed=2).mean, equal_nan=True)


def test_match_evenings_rise_fivefold_in_minutes_at_2055_local_time() -> None:
    found = traffic()
    slots = civil_slots(found.start, MINUTE, len(found), PARIS)
    match = np.isin(slots.weekday, [1, 2, 5])
    before = found.mean[match & (slots.slot == 20 * 60 + 54)]
    after = found.mean[match & (slots.slot == 20 * 60 + 59)]

    ratio = np.nanmedian(after / before)
    assert 4.5 < ratio < 5.5


def test_the_gap_is_a_hole_and_the_night_is_zero() -> None:
    found = traffic()
    closed = traffic(BACKOFFICE)
    gap = NOW - timedelta(days=9.3)

    assert np.isnan(found.mean[found.index_of(gap + MINUTE)])
    assert np.isnan(found.mean).sum() == 180
    night = datetime(2026, 11, 20, 2, tzinfo=MONDAY.tzinfo)
    assert closed.mean[closed.index_of(night)] == 0.0


def test_demand_is_never_negative() -> None:
    for kind in (PLAYER, BACKOFFICE):
        assert np.nanmin(traffic(kind).mean) >= 0
