"""The pool. One line a forecaster, sorted by name; the contract suite picks each of them up."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from prescaler.core.forecasters.base import Forecaster, LogScale, Parameters
from prescaler.core.forecasters.harmonic import HarmonicAutoregression
from prescaler.core.forecasters.naive import SeasonalNaive
from prescaler.core.forecasters.profile import WeekProfile

POOL: Final[tuple[Forecaster, ...]] = (
    HarmonicAutoregression(),
    SeasonalNaive("naive_day", timedelta(days=1)),
    SeasonalNaive("naive_week", timedelta(weeks=1)),
    WeekProfile(),
)

NAIVE: Final = ("naive_day", "naive_week")
"""The bar: a combination that does not beat the better of these is replaced by it."""

BY_NAME: Final[Mapping[str, Forecaster]] = MappingProxyType({f.name: f for f in POOL})

__all__ = ["BY_NAME", "NAIVE", "POOL", "Forecaster", "LogScale", "Parameters"]
