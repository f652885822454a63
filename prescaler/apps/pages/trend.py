"""Accuracy and coverage day by day, one small chart for each reach of the forecast."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from prescaler.apps.pages.sketch import Frame, Tick, highest
from prescaler.core.forecast import BUCKETS

_LEAST, _MOST = 1.5, 4.0
"""The axis of error ratios shows at least up to 1.5, and cuts single bad days off at 4."""

_GOAL: Final = "0.95"
_LOWEST: Final = 0.5


@dataclass(frozen=True)
class Trend:
    """One bucket of leads. error, covered: over all days; ratio_runs, covered_runs: polylines."""

    bucket: str
    error: float | None
    covered: float | None
    ratio: Frame
    ratio_runs: tuple[str, ...]
    coverage: Frame
    covered_runs: tuple[str, ...]
    columns: tuple[Tick, ...]
    marks: tuple[Tick, ...]
    cut: bool


def trends(scores: Mapping[str, Any]) -> list[Trend]:
    """One trend for each bucket with scored days. scores: the body of the accuracy route."""
    days = scores["days"]
    return [_trend(name, scores, days) for name in BUCKETS if name in scores["buckets"]]


def _trend(bucket: str, scores: Mapping[str, Any], days: Sequence[Mapping[str, Any]]) -> Trend:
    found = [day["buckets"].get(bucket) for day in days]
    ratios = [_known(row and row["error_ratio"]) for row in found]
    covered = [_known(_reached(row)) for row in found]
    places = [float(date.fromisoformat(str(day["day"])).toordinal()) for day in days]
    span = (places[0], max(places[-1], places[0] + 1))
    ratio = Frame(*span, 0.0, min(_MOST, highest(ratios, least=_LEAST)), 300, 96)
    coverage = Frame(*span, _LOWEST, 1.0, 300, 82)
    total = scores["buckets"][bucket]
    return Trend(
        bucket=bucket,
        error=total["error_ratio"],
        covered=_reached(total),
        ratio=ratio,
        ratio_runs=ratio.line(places, ratios),
        coverage=coverage,
        covered_runs=coverage.line(places, covered),
        columns=_ends(ratio, days),
        marks=tuple(Tick(coverage.y(x), f"{x:.0%}") for x in (_LOWEST, 0.75, 1.0)),
        cut=any(math.isfinite(x) and x > _MOST for x in ratios),
    )


def _ends(frame: Frame, days: Sequence[Mapping[str, Any]]) -> tuple[Tick, ...]:
    first, last = (date.fromisoformat(str(days[i]["day"])) for i in (0, -1))
    return (
        Tick(frame.left, f"{first:%d %b}"),
        *((Tick(frame.right, f"{last:%d %b}"),) if last > first else ()),
    )


def _reached(row: Mapping[str, Any] | None) -> float | None:
    """Share of demand at or below the 0.95 quantile."""
    found = (row or {}).get("coverage", {}).get(_GOAL)
    return None if found is None else found["reached"]


def _known(value: float | None) -> float:
    return math.nan if value is None else float(value)
