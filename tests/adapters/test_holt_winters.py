"""Holt-Winters beside ours: what it needs, and that holes do not stop it."""

from datetime import timedelta

import numpy as np
import pytest

from prescaler.adapters.peers.holt_winters import HoltWinters
from prescaler.core.errors import ForecasterFailed
from prescaler.core.history import History
from prescaler.core.quantiles import MEDIAN
from prescaler.core.series import Series
from tests.support.builders import MONDAY, PARIS, daily_demand

HOURLY = timedelta(hours=1)


def history(values: np.ndarray) -> History:
    return History.of(Series(MONDAY, HOURLY, values, values), PARIS, 24)


def test_it_follows_a_daily_rhythm_through_holes() -> None:
    values = daily_demand(10, step=HOURLY)
    values[30:40] = np.nan
    model = HoltWinters()

    found = model.roll(model.refit(history(values), 24, None), history(values), 24)

    assert found.shape == (24, 8)
    assert np.corrcoef(found[:, MEDIAN], values[-24:])[0, 1] > 0.9


@pytest.mark.parametrize("values", [np.ones(30), np.full(400, np.nan)])
def test_it_says_what_it_needs(values: np.ndarray) -> None:
    with pytest.raises(ForecasterFailed, match="Holt-Winters"):
        HoltWinters().refit(history(values), 24, None)
