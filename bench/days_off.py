"""What public holidays change: day-ahead error and WQL with and without a country, paired.

    python bench/days_off.py TRACES [--every 12]

Cutoffs every six hours from the fifth week of each trace whose country is known: all of those
within a day of a holiday, and every EVERY-th of the others. A fit has eight weeks of history and
remembers the holidays of the trace before them. A figure below 1 is a gain.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

from bench.traces import COUNTRIES, Trace, load_traces
from prescaler.core.arrays import FloatArray
from prescaler.core.calendar import DAY, is_holiday
from prescaler.core.days_off import remembered
from prescaler.core.engine import refit, roll
from prescaler.core.history import DayOff, History
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.scales import DemandScale

HISTORY = timedelta(days=56)
_FIRST = timedelta(days=29)
_APART = timedelta(hours=6)
_SATURDAY = 5
_EARLIER = {"appserver_2017": "appserver_2015"}
"""The same cluster two years before: what is remembered of it in a row of its own."""

Scores = dict[str, list[FloatArray]]


def kind_of(trace: Trace, cutoff: datetime) -> str:
    """Where the day ahead lies: mostly on a holiday, before or behind one, or elsewhere."""
    local = (cutoff + trace.step).astimezone(trace.zone)
    yesterday, today, tomorrow = (
        _off(local.date() + timedelta(days=d), COUNTRIES[trace.name]) for d in (-1, 0, 1)
    )
    later = local.hour / 24
    if today * (1 - later) + tomorrow * later >= 1 / 2:
        return "on"
    return "behind" if yesterday or today else "before" if tomorrow else "elsewhere"


def _off(day: date, country: str) -> bool:
    return day.weekday() < _SATURDAY and is_holiday(day, country)


def cutoffs(trace: Trace, every: int) -> Iterator[tuple[datetime, str]]:
    """Cutoffs that are scored, and where they lie."""
    cutoff, number = trace.series.start + _FIRST, 0
    while cutoff < trace.series.end - DAY:
        number, kind = number + 1, kind_of(trace, cutoff)
        ahead = trace.series.between(cutoff + trace.step, cutoff + DAY)
        if (kind != "elsewhere" or number % every == 0) and ahead.observed.any():
            yield cutoff, kind
        cutoff += _APART


def holidays_of(trace: Trace) -> tuple[DayOff, ...]:
    """How all holidays of a trace went; each from its own day and the weeks before it."""
    history = History.of(trace.series, trace.zone, 1, COUNTRIES[trace.name])
    return remembered(history, DemandScale.of(history.demand), ())


def scored(
    trace: Trace, cutoff: datetime, country: str | None, seen: tuple[DayOff, ...]
) -> FloatArray:
    """[2] mean absolute error of the next day's medians, and mean loss of its quantiles."""
    known = trace.series.between(cutoff - HISTORY, cutoff + trace.step)
    history = History.of(known, trace.zone, DAY // trace.step, country)
    today = cutoff.astimezone(trace.zone).date()
    history = replace(history, holidays=tuple(one for one in seen if one.day < today))
    said = roll(refit(history, history.ahead), history, history.ahead).values
    first = trace.series.index_of(cutoff) + 1
    missed = trace.series.mean[first : first + history.ahead, None] - said
    loss = np.where(missed > 0, missed, 0.0) * QUANTILES
    loss += np.where(missed < 0, -missed, 0.0) * (1.0 - np.array(QUANTILES))
    loss[np.isnan(missed)] = np.nan
    return np.array([np.nanmean(np.abs(missed[:, MEDIAN])), np.nanmean(loss)])


def row(trace: Trace, every: int, seen: tuple[DayOff, ...], name: str) -> str:
    """A trace's gain near holidays and elsewhere."""
    with_: Scores = {kind: [] for kind in ("near", "before", "on", "behind", "elsewhere")}
    without: Scores = {kind: [] for kind in with_}
    for cutoff, kind in cutoffs(trace, every):
        told = scored(trace, cutoff, COUNTRIES[trace.name], seen), scored(trace, cutoff, None, ())
        for kept in (kind,) if kind == "elsewhere" else (kind, "near"):
            with_[kept].append(told[0])
            without[kept].append(told[1])
    cells = []
    for kind, scores in with_.items():
        ratio = np.sum(scores, axis=0) / np.sum(without[kind], axis=0) if scores else None
        cells.append("-" if ratio is None else f"{ratio[0]:.3f}, {ratio[1]:.3f} ({len(scores)})")
    return f"| {name} | {' | '.join(cells)} |"


def main(arguments: list[str]) -> None:
    """Print a row for each trace whose country is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", type=Path)
    parser.add_argument("--every", type=int, default=12)
    given = parser.parse_args(arguments)
    heads = "near (cutoffs) | before | on | behind | elsewhere"
    sys.stdout.write(f"error, WQL\n\n| trace | {heads} |\n|---|---|---|---|---|---|\n")
    traces = {trace.name: trace for trace in load_traces(given.traces)}
    for name in sorted(traces.keys() & COUNTRIES.keys()):
        seen = holidays_of(traces[name])
        sys.stdout.write(row(traces[name], given.every, seen, name) + "\n")
        if (earlier := _EARLIER.get(name)) in traces:
            seen = holidays_of(traces[earlier]) + seen
            told = f"{name}, remembering {earlier}"
            sys.stdout.write(row(traces[name], given.every, seen, told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
