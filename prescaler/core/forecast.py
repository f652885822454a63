"""A forecast: what one run said about the next hours of one workload."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

import numpy as np

from prescaler.core.arrays import Float32Array, FloatArray, IntArray
from prescaler.core.instants import to_epoch
from prescaler.core.quantiles import QUANTILES
from prescaler.core.widths import Widths

BUCKETS: Final[Mapping[str, timedelta]] = MappingProxyType(
    {
        "15m": timedelta(minutes=15),
        "1h": timedelta(hours=1),
        "6h": timedelta(hours=6),
        "24h": timedelta(hours=24),
        "48h": timedelta(hours=48),
    }
)
"""Lead buckets by their longest lead; each contains the shorter ones."""

_MANTISSA_BITS: Final = 11
"""Bits kept of a mantissa: a relative error of at most 2**-12 (0.025 %), far below any forecast's
own error, and half the bytes in the store."""


class Origin(StrEnum):
    """Why a forecast was made. Only `live` ones are served."""

    LIVE = "live"
    BACKFILL = "backfill"
    BACKTEST = "backtest"


class Basis(StrEnum):
    """What the values rest on."""

    POOL = "pool"
    NAIVE = "naive"
    BORROWED = "borrowed"


@dataclass(frozen=True, eq=False)
class Forecast:
    """Values for the H steps after `cutoff`; values[h] is about cutoff + (h + 1) * step.

    values: [H, Q] load units, mean demand inside the step, quantiles ascending in a row.
    peak_ratio: [H] >= 1, maximum inside the step over its mean.
    naive: [H] load units, the better naive forecast's median.
    historic_max: the highest demand in the history that was used.
    weights: lead bucket -> forecaster -> share of the combination.
    track_record: lead bucket -> how earlier forecasts turned out: error_ratio to naive, and
    quantile -> share of actuals at or below it. plan_record: the same of the maxima over the
    window of a plan. plan_widths: the plan's own correction, so that these keep their promise.
    """

    workload: UUID
    version: int
    cutoff: datetime
    issued_at: datetime
    step: timedelta
    values: Float32Array = field(repr=False)
    peak_ratio: Float32Array = field(repr=False)
    naive: Float32Array = field(repr=False)
    historic_max: float
    origin: Origin = Origin.LIVE
    basis: Basis = Basis.POOL
    weights: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    track_record: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    quantiles: tuple[float, ...] = QUANTILES
    plan_record: Mapping[str, Mapping[str, float]] = field(default_factory=dict, repr=False)
    plan_widths: Widths = field(default_factory=Widths, repr=False)

    def __post_init__(self) -> None:
        leads = len(self.values)
        if self.values.shape != (leads, len(self.quantiles)):
            raise ValueError(f"values {self.values.shape} must be [H, {len(self.quantiles)}]")
        if self.peak_ratio.shape != (leads,) or self.naive.shape != (leads,):
            raise ValueError("peak_ratio and naive must be [H] like values")

    @property
    def for_plan(self) -> FloatArray:
        """[H, Q] values whose maximum over a plan's window keeps what the quantile promises."""
        return self.plan_widths.applied(self.values.astype(np.float64))

    @property
    def horizon(self) -> timedelta:
        """How far it reaches from the cutoff's next stamp on."""
        return len(self.values) * self.step

    @property
    def first_valid_at(self) -> datetime:
        """Stamp of the first value."""
        return self.cutoff + self.step

    @property
    def valid_until(self) -> datetime:
        """First instant about which it says nothing any more."""
        return self.first_valid_at + self.horizon

    @property
    def stamps(self) -> IntArray:
        """[H] epoch seconds of the values."""
        seconds = int(self.step.total_seconds())
        return to_epoch(self.first_valid_at) + seconds * np.arange(len(self.values), dtype=np.int64)


def storable(values: np.ndarray) -> Float32Array:
    """Round to the precision that is stored, so that what is served is what can be read back.

    Round to nearest on the bits of the float32 (bit grooming, Zender 2016).
    """
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    dropped = 23 - _MANTISSA_BITS
    half = np.uint32(1 << (dropped - 1))
    rounded = (bits + half) & np.uint32(~((1 << dropped) - 1) & 0xFFFFFFFF)
    return rounded.view(np.float32)
