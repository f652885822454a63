"""Small real values to test with; every field may be set."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.forecast import Forecast, storable
from prescaler.core.planned import Effect, PlannedEvent, Selection
from prescaler.core.policy import (
    Capacity,
    LeadTime,
    Mode,
    OnUnavailable,
    Policy,
    StartTime,
    Tolerance,
)
from prescaler.core.series import Series
from prescaler.core.workload import (
    DemandQuery,
    ForecastSettings,
    Reactive,
    ScaleTarget,
    Workload,
)

PARIS = ZoneInfo("Europe/Paris")
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
WORKLOAD_ID = UUID("00000000-0000-4000-8000-000000000001")
MINUTE = timedelta(minutes=1)
STEP = timedelta(minutes=5)
DAY = timedelta(days=1)


def lead_time(**changes: Any) -> LeadTime:
    """45 s of pod start at most, nodes beyond 15 % spare room."""
    values: dict[str, Any] = {
        "pod_start": StartTime(timedelta(seconds=30), timedelta(seconds=60)),
        "node_start": StartTime(timedelta(seconds=120), timedelta(seconds=240)),
        "spare_room": 0.15,
        "sync": timedelta(seconds=15),
        "polling": timedelta(seconds=30),
        "tolerance": Tolerance(),
        "behavior": None,
    }
    return LeadTime(**{**values, **changes})


def policy(**changes: Any) -> Policy:
    """Mode active, target 80, no windows."""
    values: dict[str, Any] = {
        "quantile": 0.95,
        "hold": timedelta(minutes=5),
        "mode": Mode.ACTIVE,
        "cap": 0.5,
        "on_unavailable": OnUnavailable.ZERO,
        "hold_for": timedelta(minutes=15),
        "min_pods": 0,
        "max_pods": None,
        "scale_min": 1,
        "stale_after": timedelta(minutes=21),
        "windows": (),
        "capacity": Capacity(100, 0.8),
        "lead_time": lead_time(),
        "timezone": PARIS,
    }
    return Policy(**{**values, **changes})


def workload(**changes: Any) -> Workload:
    """One workload on one source."""
    values: dict[str, Any] = {
        "name": "web",
        "aliases": (),
        "labels": {"team": "player"},
        "scale_target": ScaleTarget("Deployment", "web", "prod", 2, 200),
        "demand": DemandQuery(("main",), "sum(rate(requests[1m]))", MINUTE, MINUTE),
        "forecast": ForecastSettings(
            STEP, timedelta(days=28), timedelta(hours=50), STEP, timedelta(hours=1), PARIS, None
        ),
        "policy": policy(),
        "reactive": Reactive(None, None),
    }
    return Workload(**{**values, **changes})


def forecast(median: FloatArray | None = None, **changes: Any) -> Forecast:
    """A forecast whose quantiles lie -30 % ... +50 % around a median [H]."""
    path = np.linspace(800.0, 1200.0, 600) if median is None else median
    spread = np.array([0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5])
    values: dict[str, Any] = {
        "workload": WORKLOAD_ID,
        "version": 1,
        "cutoff": MONDAY - STEP,
        "issued_at": MONDAY,
        "step": STEP,
        "values": storable(path[:, None] * spread),
        "peak_ratio": storable(np.full(len(path), 1.1)),
        "naive": storable(path),
        "historic_max": float(path.max()),
        "track_record": {"1h": {"outcomes": 100.0, "error_ratio": 0.42, "0.95": 0.943}},
    }
    return Forecast(**{**values, **changes})


def flat_forecast(level: float, **changes: Any) -> Forecast:
    """The same median all the time."""
    return forecast(np.full(600, level), **changes)


def series(values: FloatArray, start: datetime = MONDAY, step: timedelta = STEP) -> Series:
    """A series whose peak is its mean."""
    return Series(start, step, values, values)


def daily_demand(days: float, seed: int = 1, step: timedelta = STEP) -> FloatArray:
    """[N] positive demand with a day and week shape and a little noise."""
    points = int(days * (DAY / step))
    day = np.arange(points) / (DAY / step)
    weekend = np.where((day.astype(int) % 7) >= 5, 0.6, 1.0)
    shape = 100.0 * (1.2 + np.sin(2 * np.pi * (day - 0.3))) * weekend
    noise = np.exp(0.05 * np.random.default_rng(seed).standard_normal(points))
    return np.asarray(shape * noise, dtype=np.float64)


def event(**changes: Any) -> PlannedEvent:
    """A match on Tuesday at 21:00 in Paris, two hours, x1.5 for every workload."""
    values: dict[str, Any] = {
        "id": uuid4(),
        "name": "semi-final",
        "kind": "football",
        "start": MONDAY + timedelta(hours=44),
        "end": MONDAY + timedelta(hours=46),
        "timezone": PARIS,
        "selection": Selection(everything=True),
        "effect": Effect(factor=1.5),
    }
    return PlannedEvent(**{**values, **changes})
