"""What the advice is worth: over many promises, is it kept later, and what does it cost?

Each promise is one at which a setting of reactive scaling lies on the days chosen on, or a round
one. What the advice names is held against the reactive setting that spent fewest pod-hours among
those that dropped no more on the same days, known in hindsight; and against the choice without a
margin: the cheapest that kept the promise on the days chosen on.
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from bench.replay_cases import PRICES
from prescaler.core.replay.advice import Advice, Judged, Verdict, advise, split
from prescaler.core.replay.arms import Played
from prescaler.core.replay.ground import FORECAST_ARMS, Arm, Setting
from prescaler.core.replay.measures import Measures
from prescaler.core.replay.promise import Promise
from prescaler.usecases.replay_period import Replay

MINUTES = (5, 10, 20, 40, 80, 160, 320, 640)
SHARES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def worth(found: Replay) -> dict[str, object]:
    """One row: how many promises were kept, with the margin and without, and the extra pod-hours.

    Extra: pod-hours over those of the best reactive setting with no more dropped, minus 1; the most
    of all promises, on the days chosen on and on those after. None: no reactive setting drops as
    little, ever.
    """
    runs = found.sweep
    row: dict[str, object] = {"trace": found.subject.workload.name}
    asked = [(p, advise(p, runs, found.present, PRICES, found.covered_days)) for p in ladder(runs)]
    told = [(p, a) for p, a in asked if a.best and a.verdict is not Verdict.PROMISE_OUT_OF_REACH]
    if not told:
        return {**row, "promises": 0}
    days = split(runs[0].tally.sums.shape[1])
    bare = [_cheapest(p, runs, days) for p, _ in told]
    best = [_best(a) for _, a in told]
    first, last = ([_extra(one.setting, runs, part) for one in best] for part in days)
    return {
        **row,
        "promises": len(told),
        "certain": sum(a.sure for _, a in told),
        "kept": sum(a.kept for _, a in told),
        "kept_without_margin": sum(
            p.kept(_of(run, days[1])) for (p, _), run in zip(told, bare, strict=True)
        ),
        "margin_costs": float(
            np.mean(
                [
                    one.chosen_on.pod_hours / _of(run, days[0]).pod_hours - 1
                    for one, run in zip(best, bare, strict=True)
                ]
            )
        ),
        "forecast_named": sum(one.setting.arm in FORECAST_ARMS for one in best),
        "compared_first": _count(first),
        "most_extra_first": _most(first),
        "compared_last": _count(last),
        "above_2_percent_last": sum(x is not None and x > 0.02 for x in last),
        "most_extra_last": _most(last),
    }


def _best(advice: Advice) -> Judged:
    if advice.best is None:
        raise ValueError("only advice that names something is asked about")
    return advice.best


def ladder(runs: Sequence[Played]) -> list[Promise]:
    """Promises at which reactive settings lie, and round ones."""
    month = timedelta(days=30)
    minutes, shares = [float(m) for m in MINUTES], [s / 100 for s in SHARES]
    days = split(runs[0].tally.sums.shape[1])[0]
    for run in runs:
        if run.setting.arm is Arm.REACTIVE:
            found = _of(run, days)
            minutes.append(found.bad_minutes * (month / timedelta(hours=1)) / found.hours)
            shares.append(found.dropped)
    return [
        *(Promise(f"{m:.4g}m/30d", minutes=timedelta(minutes=m)) for m in sorted(minutes) if m > 0),
        *(Promise(f"{100 * s:.4g}%", share=s) for s in sorted(shares) if s > 0),
    ]


def _of(run: Played, days: slice) -> Measures:
    return run.tally.measures(PRICES, days=days)


def _cheapest(promise: Promise, runs: Sequence[Played], days: tuple[slice, slice]) -> Played:
    kept = [run for run in runs if promise.kept(_of(run, days[0]))]
    return min(kept, key=lambda run: _of(run, days[0]).pod_hours)


def _extra(setting: Setting, runs: Sequence[Played], days: slice) -> float | None:
    mine = _of(next(run for run in runs if run.setting == setting), days)
    theirs = [_of(run, days) for run in runs if run.setting.arm is Arm.REACTIVE]
    spent = [one.pod_hours for one in theirs if one.dropped <= mine.dropped + 1e-12]
    return mine.pod_hours / min(spent) - 1 if spent else None


def _count(found: Sequence[float | None]) -> int:
    return sum(x is not None for x in found)


def _most(found: Sequence[float | None]) -> float | None:
    return max((x for x in found if x is not None), default=None)
