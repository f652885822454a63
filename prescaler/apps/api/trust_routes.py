"""May the forecast be trusted, and why was something served: accuracy and explanations."""

import math
from datetime import timedelta
from typing import Any

from fastapi import APIRouter

from prescaler.apps.api.context import Context, OneWorkload, documented
from prescaler.apps.api.review_routes import From, To
from prescaler.apps.api.shapes import control_json
from prescaler.core.score_days import ScoreSums, day_of
from prescaler.usecases.review_trust import trust_evidence
from prescaler.usecases.score_forecasts import accuracy

router = APIRouter(prefix="/api/v1/workloads/{name}", tags=["review"], dependencies=documented)

_LOOK, _DAY = timedelta(days=28), timedelta(days=1)


@router.get("/accuracy")
def show_accuracy(
    served: OneWorkload, context: Context, first: From = None, to: To = None
) -> dict[str, Any]:
    """Error beside naive and coverage by bucket of leads, over all UTC days and day by day.

    Live and backfilled forecasts count alike. A ratio that cannot be told is null.
    """
    version, now = served.state.version, context.now()
    start, end = first or now - _LOOK, min(to or now, now)
    days = (day_of(start), day_of(end + _DAY - timedelta(seconds=1)))
    if version is None:
        return {"from": days[0], "to": days[1], "buckets": {}, "days": []}
    found = accuracy(version, context.stores.scores, *days)
    return {
        "from": days[0],
        "to": days[1],
        "buckets": {name: sums_json(sums) for name, sums in found.buckets().items()},
        "days": [
            {
                "day": day,
                "origins": sorted({r.origin.value for r in found.rows if r.day == day}),
                "buckets": {name: sums_json(sums) for name, sums in found.on(day).items()},
            }
            for day in found.days
        ],
    }


@router.get("/trust")
def show_trust(served: OneWorkload, context: Context) -> dict[str, Any]:
    """The mode, who set it, the guard, and what keeps the workload from the next rung."""
    now, version, settings = context.now(), served.state.version, served.workload.trust
    control = served.state.control.at(now)
    told: dict[str, Any] = {
        "mode": served.decide(now).mode.value,
        "auto": settings.auto,
        "most": settings.most.value,
        "bucket": settings.bucket,
        "set": control_json(control)["mode"],
        "guard": control_json(control)["guard"],
        "evidence": None,
    }
    if version is None:
        return told
    found = trust_evidence(served.workload, version, context.stores.scores, control, now)
    evidence = {"days": found.days, "missing": found.missing, **sums_json(found.sums)}
    return {**told, "evidence": evidence}


def sums_json(sums: ScoreSums) -> dict[str, Any]:
    """Means and ratios of some sums; gap: percentage points off the quantile."""
    gaps = sums.gaps()
    return {
        "instants": sums.instants,
        "error": _number(sums.error),
        "error_ratio": _number(sums.error_ratio),
        "better_naive": sums.better_naive or None,
        "wql": _number(sums.wql),
        "coverage": {
            quantile: {
                "below": _number(below),
                "reached": _number(reached),
                "gap": _number(gaps[quantile]),
            }
            for quantile, (below, reached) in sums.coverage().items()
        },
    }


def _number(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
