"""Histories for the engine, and what every outlook must be."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from prescaler.core.arrays import FloatArray
from prescaler.core.engine import Outlook, refit, roll
from prescaler.core.history import History
from prescaler.core.quantiles import QUANTILES
from tests.support.builders import MONDAY, PARIS, series

H = 120
FIFTY_HOURS = timedelta(hours=50)
BOTH_DAYS = pytest.mark.parametrize("horizon", [H, 600])


def history(values: FloatArray, start: datetime = MONDAY, ahead: int = 600) -> History:
    return History.of(series(values, start), PARIS, ahead)


def outlook_of(known: History, horizon: int = H) -> Outlook:
    return roll(refit(known, horizon), known, horizon)


def assert_sound(outlook: Outlook, horizon: int = H) -> None:
    assert outlook.values.shape == (horizon, len(QUANTILES))
    assert np.isfinite(outlook.values).all()
    assert (outlook.values >= 0).all()
    assert (np.diff(outlook.values, axis=1) >= 0).all()
    assert outlook.peak_ratio.shape == outlook.naive.shape == (horizon,)
    assert (outlook.peak_ratio >= 1).all()
    assert np.isfinite(outlook.naive).all()


def error_of(said: FloatArray, truth: FloatArray) -> float:
    return float(np.abs(said - truth).mean() / truth.mean())
