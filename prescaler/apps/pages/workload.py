"""One workload: the chart, why it is told what it is told, how good its forecasts are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from prescaler.apps.api.context import ApiContext, Context
from prescaler.apps.api.review_routes import From, To
from prescaler.apps.api.shapes import InstantText
from prescaler.apps.api.warnings import warnings
from prescaler.apps.pages.gate import PageRoute, Shown, Viewer
from prescaler.apps.pages.render import page
from prescaler.core.carried import Carried
from prescaler.core.events import EventEffect
from prescaler.core.explain import explain
from prescaler.core.forecast import BUCKETS, Forecast
from prescaler.core.hpa import pods_for
from prescaler.core.instants import floor_to, format_instant, to_epoch
from prescaler.core.plan import PLAN_STAGES
from prescaler.core.policy import Mode
from prescaler.usecases.foretell import growing, sleeping
from prescaler.usecases.log_decisions import logged
from prescaler.usecases.look_back import medians
from prescaler.usecases.serve_metric import Served
from prescaler.usecases.survey import next_peak

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_HOUR: Final = timedelta(hours=1)
_ROWS: Final = 24
_AHEAD: Final = timedelta(hours=48)
_WITH_EVENTS: Final = PLAN_STAGES.index("event")

RANGES: Final[Mapping[str, tuple[timedelta, timedelta]]] = {
    "6h": (timedelta(hours=6), timedelta(hours=6)),
    "24h": (timedelta(hours=24), timedelta(hours=24)),
    "3d": (timedelta(days=3), timedelta(days=1)),
    "7d": (timedelta(days=7), timedelta(days=2)),
    "4w": (timedelta(weeks=4), timedelta(days=2)),
    "8w": (timedelta(weeks=8), timedelta(days=2)),
}
"""How far the chart looks back and ahead."""

ACTIONS: Final[Mapping[str, str]] = {
    "mode": "The mode is set.",
    "freeze": "The present value is frozen.",
    "unfreeze": "The freeze has ended.",
    "override": "The override is served.",
    "clear": "The override has ended.",
    "guard": "The guard is cleared; if it still sees something, it trips again.",
}

RangeText = Annotated[str, Query(alias="range", pattern="^(6h|24h|3d|7d|4w|8w)$")]


@dataclass(frozen=True)
class Hour:
    """One line of the next hours in numbers: load units, and the pods that are asked for.

    growth: the highest of live demand, None where the forecast acts as a plan. reactive: pods that
    the median asks for alone, likewise.
    """

    at: datetime
    median: float | None
    high: float | None
    planned: float
    pods: int
    growth: float | None = None
    reactive: int | None = None


@dataclass(frozen=True)
class Share:
    """An expert's share of the mix, by bucket."""

    name: str
    shares: tuple[float, ...]


@router.get("/workloads/{name}")
def workload_page(  # noqa: PLR0913, PLR0917 - one argument a parameter of the query
    request: Request,
    context: Context,
    session: Viewer,
    served: Shown,
    shown: RangeText = "24h",
    done: Annotated[str, Query(max_length=20)] = "",
    first: From = None,
    to: To = None,
    as_of: Annotated[InstantText | None, Query(description="the forecast to show")] = None,
) -> Response:
    """Everything about one workload."""
    now = context.now()
    glance = context.survey.now(served, now)
    decision, zone = glance.decision, served.workload.forecast.timezone
    values = {
        "w": served.workload,
        "tab": "",
        "zone": zone,
        "glance": glance,
        "decision": decision,
        "why": explain(logged(decision), decision.target, zone, now),
        "events": _acting(served, now),
        "pods_seen": served.sighting.pods,
        "control": served.state.control.at(now),
        "forecast": served.state.forecast,
        "peak": next_peak(served, now),
        "growing": growing(served, decision, now),
        "sleeping": sleeping(served, decision, now),
        "hours": _hours(served, context, now),
        "expected": _expected(served, context, now),
        "ranges": RANGES,
        "shown": shown,
        "span_from": format_instant(first) if first and to and first < to else None,
        "as_of": format_instant(as_of) if as_of else "",
        "span_to": format_instant(to) if first and to and first < to else None,
        "back": RANGES[shown][0],
        "ahead": RANGES[shown][1],
        "warnings": [w for w in warnings(context, session.caller) if w.grave],
        "done": ACTIONS.get(done, ""),
        "modes": list(Mode),
        "revision": served.state.control.revision,
        "now": now,
        "buckets": list(BUCKETS),
        "record": served.state.forecast.track_record if served.state.forecast else {},
        "experts": _experts(served.state.forecast),
        "reaches": list(served.state.forecast.weights) if served.state.forecast else [],
    }
    return page(request, "workload.html", session, values)


def _hours(served: Served, context: ApiContext, now: datetime) -> list[Hour]:
    """The next day, hour by hour; of each the highest that is forecast and planned."""
    first = floor_to(now, _HOUR)
    step = int(served.workload.forecast.step.total_seconds())
    per_hour = max(1, int(_HOUR.total_seconds()) // step)
    stamps = to_epoch(first) + step * np.arange(_ROWS * per_hour, dtype=np.int64)
    said = medians(served, context.look_back_ports(), stamps, now).reshape(_ROWS, per_hour)
    stamps = np.maximum(stamps, to_epoch(now))
    curve, grown = served.plan(stamps, now), served.carried(stamps, now)
    load = served.loads(stamps, now).reshape(_ROWS, per_hour).max(axis=1)
    target = served.policy.target
    parts = curve.parts.reshape(_ROWS, per_hour, -1)
    return [
        Hour(
            at=first + row * _HOUR,
            median=_highest(said[row]),
            high=_highest(parts[row, :, _WITH_EVENTS]),
            planned=float(load[row]),
            pods=pods_for(float(load[row]), target),
            **(_grown(grown, slice(row * per_hour, (row + 1) * per_hour), target) if grown else {}),
        )
        for row in range(_ROWS)
    ]


def _grown(found: Carried, hour: slice, target: float) -> dict[str, Any]:
    """Growth within an hour, and the pods of the median alone."""
    expected = _highest(found.expected[hour])
    if expected is None:
        return {}
    return {"growth": _highest(found.growth[hour]), "reactive": pods_for(expected, target)}


def _expected(served: Served, context: ApiContext, now: datetime) -> float | None:
    """The median about now, planned events included."""
    at = to_epoch(floor_to(now, served.workload.forecast.step))
    ports = context.look_back_ports()
    return _highest(medians(served, ports, np.array([at], dtype=np.int64), now))


def _acting(served: Served, now: datetime) -> list[EventEffect]:
    """Planned events of the next two days, the nearest first."""
    effects = served.effects(now, now + _AHEAD, now)
    return sorted(effects, key=lambda effect: effect.start)


def _highest(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else None


def _experts(forecast: Forecast | None) -> list[Share]:
    """Who carries the forecast, the heaviest first."""
    if forecast is None or not forecast.weights:
        return []
    names = sorted({name for shares in forecast.weights.values() for name in shares})
    rows = [
        Share(name, tuple(w.get(name, 0.0) for w in forecast.weights.values())) for name in names
    ]
    return sorted(rows, key=lambda row: -max(row.shares))
