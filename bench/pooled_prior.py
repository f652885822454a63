"""Derive the pooled coefficients of the level correction from traces, and print them as a table.

    python bench/pooled_prior.py TRACES            the table of prescaler/core/correction_prior.py

Every trace of a step up to 15 minutes gives the normal equations of all its curves but the flat
one, each divided by the number of its origins and by the squared spread of its residuals, so that
no trace speaks louder than another. `pooled` with `without` leaves one trace out, which is what the
leave-one-trace-out run of the benchmark does.
"""

import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import numpy as np

from bench.traces import Trace, load_traces
from prescaler.core.arrays import FloatArray
from prescaler.core.calendar import DAY
from prescaler.core.correction import windows_in_steps
from prescaler.core.forecasters import POOL
from prescaler.core.leads import reaches
from prescaler.core.scales import DemandScale
from prescaler.core.trial import prepare

_CUTOFFS = 20
_COARSEST = timedelta(minutes=15)
_REACH = timedelta(days=28)
_RIDGE = 0.02
STEP = timedelta(minutes=5)


def pooled(sums: Iterable[tuple[str, FloatArray, FloatArray]], without: str = "") -> FloatArray:
    """[P, L] coefficients from the normal equations of all traces but one."""
    kept = [(gram, moment) for name, gram, moment in sums if name != without]
    gram = np.mean([g for g, _ in kept], axis=0)
    moment = np.mean([m for _, m in kept], axis=0)
    return np.asarray(np.linalg.solve(gram + _RIDGE * np.eye(len(gram)), moment))


def normal_equations(trace: Trace) -> list[tuple[str, FloatArray, FloatArray]]:
    """One entry per curve and cutoff of a trace whose step is that of the table."""
    found = []
    for cutoff in trace.cutoffs(_CUTOFFS):
        history = trace.history(cutoff, _REACH, ahead=DAY // trace.step)
        reach = reaches(trace.step, DAY // trace.step)[0]
        ready = prepare(history, DemandScale.of(history.demand), reach, POOL)
        lesson = ready.lesson
        complete = (lesson.origins + reach.furthest < lesson.points)[None, :, :, None]
        features = np.where(complete, lesson.features, 0.0)
        turned = np.swapaxes(features, 2, 3)
        weight = (
            max(int(complete.sum()), 1) * np.square(ready.drawn.residuals.spread)[:, None, None]
        )
        gram = (turned @ features).sum(axis=1) / weight
        moment = (turned @ lesson.targets).sum(axis=1) / weight
        names = [f.name for f in ready.drawn.able] * len(reach.kinds)
        found += [
            (trace.name, g, m)
            for name, g, m in zip(names, gram, moment, strict=True)
            if name != "level" and np.isfinite(g).all()
        ]
    return found


def main(directory: str) -> None:
    """Print the table."""
    traces = [t for t in load_traces(Path(directory)) if t.step == STEP]
    sums = [entry for trace in traces for entry in normal_equations(trace)]
    minutes = reaches(STEP, DAY // STEP)[0].leads * 5
    print(f"windows {windows_in_steps(STEP) * 5}, leads {minutes}, {len(traces)} traces")
    for row in pooled(sums)[:-1]:
        print("    (" + ", ".join(f"{value:.4f}" for value in row) + "),")


if __name__ == "__main__":
    main(sys.argv[1])
