"""What a country's public holidays change: the day-ahead error with and without them, paired.

    python bench/days_off.py TRACES [--every 6]

Cutoffs every six hours over the last eight weeks of each trace whose country is known: all of those
within a day of a holiday, and every EVERY-th of the others. A figure below 1 is a gain.
"""

import argparse
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from bench.traces import COUNTRIES, Trace, first_cutoff, load_traces
from prescaler.core.calendar import DAY, is_holiday
from prescaler.core.engine import refit, roll
from prescaler.core.history import History
from prescaler.core.quantiles import MEDIAN

HISTORY = timedelta(days=56)
_APART = timedelta(hours=6)
_SATURDAY = 5


def cutoffs(trace: Trace, every: int) -> Iterator[tuple[datetime, bool]]:
    """Cutoffs, and whether a holiday (Monday to Friday) is within a day of what they forecast."""
    cutoff, last, number = first_cutoff(trace.series), trace.series.end - DAY, 0
    while cutoff < last:
        local = (cutoff + trace.step).astimezone(trace.zone).date()
        days = [local + timedelta(days=d) for d in (-1, 0, 1)]
        near = any(d.weekday() < _SATURDAY and is_holiday(d, COUNTRIES[trace.name]) for d in days)
        number += 1
        if near or number % every == 0:
            yield cutoff, near
        cutoff += _APART


def missed(trace: Trace, cutoff: datetime, country: str | None) -> float:
    """Mean absolute error of the next day's medians."""
    horizon = DAY // trace.step
    known = trace.series.between(cutoff - HISTORY, cutoff + trace.step)
    history = History.of(known, trace.zone, horizon, country)
    said = roll(refit(history, horizon), history, horizon).values[:, MEDIAN]
    first = trace.series.index_of(cutoff) + 1
    return float(np.nanmean(np.abs(trace.series.mean[first : first + horizon] - said)))


def row(trace: Trace, every: int) -> str:
    """A trace's gain near holidays and elsewhere."""
    with_, without = ({True: [0.0], False: [0.0]} for _ in range(2))
    for cutoff, near in cutoffs(trace, every):
        ahead = trace.series.between(cutoff + trace.step, cutoff + DAY)
        if ahead.observed.any():
            with_[near].append(missed(trace, cutoff, COUNTRIES[trace.name]))
            without[near].append(missed(trace, cutoff, None))
    cells = [
        f"{sum(with_[near]) / sum(without[near]):.3f} ({len(with_[near]) - 1})"
        if len(with_[near]) > 1
        else "-"
        for near in (True, False)
    ]
    return f"| {trace.name} | {' | '.join(cells)} |"


def main(arguments: list[str]) -> None:
    """Print a row for each trace whose country is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", type=Path)
    parser.add_argument("--every", type=int, default=6)
    given = parser.parse_args(arguments)
    sys.stdout.write("| trace | near a holiday (cutoffs) | elsewhere |\n|---|---|---|\n")
    for trace in load_traces(given.traces):
        if trace.name in COUNTRIES:
            sys.stdout.write(row(trace, given.every) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
