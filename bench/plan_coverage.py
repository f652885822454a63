"""How often a plan is enough: the maximum it serves beside the highest peak of its window.

    python bench/plan_coverage.py TRACES [--days 5] [--out OUT]

For each trace its last days are played as production does (a refit an hour, state carried on). Each
forecast becomes plans by the real `plan`, at the cutoffs of the roll grid and at instants up to an
hour later, once with the plan's own widths and once without; a plan was enough where no peak inside
the cells that were due lay above it. Peaks are the highest observation of the trace's own
resolution. Also per step: how often the peak lay below quantile x peak ratio.
"""

import argparse
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd

from bench.traces import Trace, load_traces
from prescaler.core.arrays import FloatArray
from prescaler.core.engine import ModelState, refit, roll
from prescaler.core.forecast import Forecast, storable
from prescaler.core.instants import to_epoch
from prescaler.core.plan import due_maximum, plan, require
from prescaler.core.quantiles import QUANTILES
from prescaler.core.series import Series
from prescaler.core.widths import Widths
from tests.support.builders import policy

LEVELS = (0.9, 0.95, 0.99)
HISTORY = timedelta(days=56)
WARM_UP = timedelta(days=3)
HORIZON = timedelta(hours=7)


@dataclass
class Tally:
    """Plans and steps that were enough, and all of them, by quantile."""

    enough: dict[float, list[float]]

    @classmethod
    def empty(cls) -> "Tally":
        """Nothing yet."""
        return cls({level: [] for level in LEVELS})

    def shares(self) -> dict[float, float]:
        """Per cent that were enough."""
        return {level: 100 * float(np.mean(found)) for level, found in self.enough.items()}


def played(trace: Trace, days: float) -> dict[str, dict[float, float]]:
    """Coverage of steps, of plans as they were and of plans with their own widths."""
    series, step = trace.series, trace.step
    horizon = max(2, HORIZON // step)
    span = min(timedelta(days=days), 0.35 * len(series) * step)
    first = len(series) - int(span / step)
    state: ModelState | None = None
    found = {name: Tally.empty() for name in ("step", "peak", "before", "after")}
    every = max(1, timedelta(hours=1) // step)
    begin = max(first - int(WARM_UP / step), int(0.6 * len(series)))
    for index in range(begin, len(series) - horizon, every):
        cutoff = series.start + index * step
        history = trace.history(cutoff, HISTORY, horizon)
        state = refit(history, horizon, state)
        if index >= first:
            made = _forecast(state, trace, index, horizon)
            _judge(made, series, index, found)
    return {name: tally.shares() for name, tally in found.items()}


def _forecast(state: ModelState, trace: Trace, index: int, horizon: int) -> Forecast:
    cutoff = trace.series.start + index * trace.step
    outlook = roll(state, trace.history(cutoff, HISTORY, horizon), horizon)
    return Forecast(
        workload=UUID(int=1),
        version=1,
        cutoff=cutoff,
        issued_at=cutoff + trace.step,
        step=trace.step,
        values=storable(outlook.values),
        peak_ratio=storable(outlook.peak_ratio),
        naive=storable(outlook.naive),
        historic_max=outlook.historic_max,
        plan_widths=outlook.plan_widths,
    )


def _judge(made: Forecast, series: Series, index: int, found: dict[str, Tally]) -> None:
    steps = len(made.values)
    ahead = slice(index + 1, index + 1 + steps)
    peak, mean = series.peak[ahead], series.mean[ahead]
    near = slice(0, max(1, timedelta(hours=1) // series.step))
    instants = to_epoch(made.first_valid_at) + 300 * np.arange(12)
    for level in LEVELS:
        values = made.values[:, QUANTILES.index(level)].astype(np.float64)  # noqa: PD011 - no frame
        _add(found["step"], level, mean[near], values[near])
        _add(found["peak"], level, peak[near], (values * made.peak_ratio)[near])
        rules = policy(quantile=level)
        for name, forecast in (("before", replace(made, plan_widths=Widths())), ("after", made)):
            cells = require(forecast, (), rules)
            curve = plan(forecast, (), rules, instants, requirement=cells)
            known = np.where(np.isfinite(peak), peak, -1.0)
            _add(found[name], level, due_maximum(cells, known, instants), curve.load)


def _add(tally: Tally, level: float, came: FloatArray, said: FloatArray) -> None:
    known = np.isfinite(came) & (came >= 0)
    tally.enough[level] += (came <= said * (1 + 2.0**-11))[known].tolist()


def main(arguments: list[str]) -> None:
    """Play every trace, print a row each and the mean gaps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", type=Path)
    parser.add_argument("--days", type=float, default=5.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    given = parser.parse_args(arguments)
    rows = []
    for trace in load_traces(given.traces):
        if given.only and trace.name not in given.only.split(","):
            continue
        for what, shares in played(trace, given.days).items():
            rows.append(
                {"trace": trace.name, "what": what, **{str(q): s for q, s in shares.items()}}
            )
        sys.stdout.write(_line(trace.name, rows[-4:]) + "\n")
        sys.stdout.flush()
    frame = pd.DataFrame(rows)
    given.out.mkdir(parents=True, exist_ok=True)
    frame.to_csv(given.out / "plan_coverage.csv", index=False)
    for what in ("step", "peak", "before", "after"):
        part = frame[frame["what"] == what]
        gaps = [np.abs(part[str(q)] - 100 * q).mean() for q in LEVELS]
        signed = [(part[str(q)] - 100 * q).mean() for q in LEVELS]
        sys.stdout.write(
            f"{what}: mean gap {' '.join(f'{g:.1f}' for g in gaps)}, "
            f"signed {' '.join(f'{g:+.1f}' for g in signed)}\n"
        )


def _line(name: str, rows: list[dict[str, object]]) -> str:
    parts = [
        f"{row['what']} " + " ".join(f"{float(str(row[str(q)])):.1f}" for q in LEVELS)
        for row in rows
    ]
    return f"| {name} | " + " | ".join(parts) + " |"


if __name__ == "__main__":
    main(sys.argv[1:])
