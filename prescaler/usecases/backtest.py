"""Backtest: play the past of a trace, keep every forecast, score them beside naive."""

from collections.abc import Callable
from concurrent.futures import Executor, as_completed
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np

from prescaler.core.backtest import (
    BacktestPlan,
    EngineModel,
    Fold,
    Issue,
    Model,
    Segment,
    play,
    segments,
)
from prescaler.core.calendar import DAY
from prescaler.core.durations import format_duration
from prescaler.core.errors import ForecastError
from prescaler.core.instants import format_instant
from prescaler.core.scores import BucketScore, Cases, cases_of, daily_maximum, false_calm, score
from prescaler.core.series import Series

_SHORT_BUCKETS: Final = ("15m", "1h")


@dataclass(frozen=True, eq=False)
class Backtest:
    """What a backtest gave: forecasts of both grids, in order of their cutoffs."""

    series: Series
    plan: BacktestPlan
    whole: list[Issue]
    short: list[Issue]


def backtest(
    fold: Fold,
    plan: BacktestPlan,
    executor: Executor,
    progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005 - nobody asks
    model: Model | None = None,
) -> Backtest:
    """Play all segments; `progress(done, all)` counts forecasts as segments end.

    Raises:
        TooLittleHistory: the trace is too short for a first cutoff.
    """
    parts = segments(fold.series, plan)
    total = sum(len(part.stops) for part in parts)
    progress(0, total)
    issues: list[Issue] = []
    for job in as_completed(
        [executor.submit(_played, fold, part, plan, model or EngineModel()) for part in parts]
    ):
        issues += job.result()
        progress(len(issues), total)
    issues.sort(key=lambda issue: (issue.cutoff, issue.whole))
    return Backtest(
        fold.series, plan, [i for i in issues if i.whole], [i for i in issues if not i.whole]
    )


def _played(fold: Fold, segment: Segment, plan: BacktestPlan, model: Model) -> list[Issue]:
    return list(play(fold, segment, plan, model))


def beside(result: Backtest, fold: Fold, model: Model, executor: Executor) -> Backtest:
    """Another model, fitted anew at each cutoff of the day grid; where it fails it is left out.

    Its short forecasts are the first hour of these: it has no roll.
    """
    cutoffs = [issue.cutoff for issue in result.whole]
    jobs = [executor.submit(_fitted, fold, cutoff, result.plan, model) for cutoff in cutoffs]
    found = [issue for job in jobs if (issue := job.result()) is not None]
    return Backtest(result.series, result.plan, found, found)


def _fitted(fold: Fold, cutoff: datetime, plan: BacktestPlan, model: Model) -> Issue | None:
    horizon = max(1, plan.horizon // fold.series.step)
    history = fold.known_at(cutoff, horizon)
    try:
        values = model.roll(model.refit(history, horizon, None), history, horizon)
    except ForecastError:
        return None
    return Issue(cutoff, whole=True, values=values.astype(np.float32))


def scores(series: Series, whole: Cases, short: Cases) -> dict[str, BucketScore]:
    """Scores by bucket: up to an hour from the roll grid, beyond from the day grid."""
    long, near = score(series, whole), score(series, short)
    return {b: near[b] if b in _SHORT_BUCKETS and b in near else s for b, s in long.items()}


def cases(series: Series, issues: list[Issue]) -> Cases:
    """Forecasts beside what came."""
    index = [series.index_of(issue.cutoff) + 1 for issue in issues]
    return cases_of(series, index, np.stack([issue.values for issue in issues]).astype(float))


def summary(result: Backtest) -> dict[str, Any]:
    """Everything that a reader of the files wants to know first, as plain JSON values."""
    series, plan = result.series, result.plan
    whole, short = (cases(series, x) for x in (result.whole, result.short))
    quarter = max(1, timedelta(minutes=15) // series.step)
    ramps = {"15m": false_calm(series, short, quarter)}
    day = DAY // series.step
    if whole.values.shape[1] >= day:
        ramps["24h"] = false_calm(series, whole, day - max(1, timedelta(minutes=30) // series.step))
    highest = daily_maximum(series, whole)
    return {
        "trace": {
            "start": format_instant(series.start),
            "end": format_instant(series.end),
            "step": format_duration(series.step),
            "points": len(series),
            "missing": int((~series.observed).sum()),
        },
        "plan": {
            name: format_duration(value) if isinstance(value, timedelta) else value
            for name, value in asdict(plan).items()
        },
        "forecasts": {"day_grid": len(result.whole), "roll_grid": len(result.short)},
        "first_cutoff": format_instant(result.whole[0].cutoff),
        "scores": {b: _plain(asdict(s)) for b, s in scores(series, whole, short).items()},
        "daily_maximum": {"signed_error": highest[0], "minutes_off": highest[1]}
        if highest
        else None,
        "ramps": {b: {"came": n, "missed": m} for b, (n, m) in ramps.items()},
    }


def _plain(value: Any) -> Any:
    """NaN becomes null: JSON has no word for it."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return round(value, 6) if isinstance(value, float) else value
