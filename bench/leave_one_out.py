"""What is left when every tuned constant is chosen without the trace that is scored.

    python bench/leave_one_out.py TRACES --out OUT [--cutoffs 24]

The pooled prior is derived anew from the other traces. Every constant below is tried at its other
values (one at a time, the rest at their defaults). Then for each trace every constant is set to the
value that is best on the other traces, all of them at once, and the trace is scored with that: day
grid, a refit at each cutoff.
"""

import argparse
import importlib
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.pooled_prior import STEP, normal_equations, pooled
from bench.traces import Trace, load_traces
from prescaler.core.backtest import EngineModel
from prescaler.core.calendar import DAY
from prescaler.core.correction_prior import PRIOR, CorrectionPrior, with_table
from prescaler.core.scores import cases_of, score

HISTORY = timedelta(days=56)
BUCKETS = ("15m", "1h", "6h", "24h")
SHIPPED = "as shipped"
WITHOUT = "all constants without the trace"


@dataclass(frozen=True)
class Setting:
    """One constant at another value; the empty name is the default setting."""

    module: str = ""
    name: str = ""
    value: Any = None

    def __str__(self) -> str:
        return f"{self.module}.{self.name} = {self.value}" if self.name else "default"


def variants() -> list[Setting]:
    """The tuned constants and their other values."""
    others: list[tuple[str, str, Sequence[Any]]] = [
        ("correction", "_HALF_LIFE_DAYS", (14.0, 28.0)),
        ("correction", "_PRIOR_ORIGINS", ((10.0, 100.0), (100.0, 100.0), (30.0, 400.0))),
        ("correction", "_CLIP", (4.0, 16.0)),
        ("correction", "_RIDGE", (0.005, 0.08)),
        ("combination", "_SHARP", (4.0, 9.0)),
        ("combination", "_SHARP_FIRST_HOUR", (3.0, 6.0)),
        ("combination", "_LATER_HALF_LIFE", (1.5,)),
        ("combination", "_SAME_HOUR", (0.0, 0.6)),
        ("combination", "_NEAR_HOURS", (2.0,)),
        ("combination", "_SAME_HOUR_HALF_LIFE", (7.0,)),
        ("combination", "_BLEND", (0.0, 1.0)),
        ("combination", "_NAIVE_MARGIN", (1.0, 1.1)),
        ("calibration", "_POWER", (0.5, 0.8)),
        ("calibration", "_HALF_LIFE_DAYS", (3.0, 12.0)),
        ("calibration", "_CASES_A_DAY_LATER", (0.5, 2.0)),
        ("calibration", "_EVERYWHERE", (0.1, 1.0)),
        ("calibration", "_RECENT_HOURS", ((3.0, 3.0), (12.0, 1.0))),
        ("trial", "_SPAN_DAYS", (7, 28)),
        ("forecasters.regression", "_HALF_LIFE_DAYS", (14.0, 28.0)),
        ("scales", "_OFFSET", (0.02, 0.1)),
    ]
    found = [Setting(module, name, value) for module, name, values in others for value in values]
    return [Setting(), *found]


def apply(*settings: Setting) -> None:
    """Set constants in this process only."""
    for setting in settings:
        if not setting.name:
            continue
        module = importlib.import_module(f"prescaler.core.{setting.module}")
        if not hasattr(module, setting.name):
            raise AttributeError(f"{setting.module} has no {setting.name}")
        setattr(module, setting.name, setting.value)


def scored(trace: Trace, cutoffs: int, prior: CorrectionPrior) -> list[tuple[str, float, float]]:
    """(bucket, error ratio, WQL ratio) of one trace."""
    horizon, model = DAY // trace.step, EngineModel(prior)
    index, values = [], []
    for cutoff in trace.cutoffs(cutoffs):
        history = trace.history(cutoff, HISTORY, horizon)
        values.append(model.roll(model.refit(history, horizon, None), history, horizon))
        index.append(trace.series.index_of(cutoff) + 1)
    found = score(trace.series, cases_of(trace.series, index, np.stack(values)))
    return [(b, found[b].error_ratio, found[b].wql_ratio) for b in BUCKETS if b in found]


def rows(
    traces: Sequence[Trace],
    settings: Sequence[Setting],
    cutoffs: int,
    priors: dict[str, CorrectionPrior],
    label: str,
) -> Iterator[dict[str, Any]]:
    """Scores of traces with some settings, in processes that know nothing else."""
    with ProcessPoolExecutor(
        2, mp_context=get_context("spawn"), initializer=apply, initargs=tuple(settings)
    ) as pool:
        jobs = {t.name: pool.submit(scored, t, cutoffs, priors[t.name]) for t in traces}
        for name, job in jobs.items():
            for bucket, error, wql in job.result():
                found = {"setting": label, "trace": name, "bucket": bucket}
                yield {**found, "error": error, "wql": wql}


def chosen_without(frame: pd.DataFrame, trace: str) -> list[Setting]:
    """Of every constant the value that is best on the other traces, error and WQL alike."""
    others = frame[frame["trace"] != trace]
    logs = np.log(np.maximum(others[["error", "wql"]], 1e-3)).mean(axis=1)
    level = logs.groupby(others["setting"]).mean()
    best: dict[tuple[str, str], Setting] = {}
    for setting in variants():
        rival = best.get((setting.module, setting.name), Setting())
        if level[str(setting)] < level[str(rival)]:
            best[setting.module, setting.name] = setting
    return list(best.values())


def summary(frame: pd.DataFrame, chosen: dict[str, list[Setting]]) -> str:
    """Three rows: as shipped, prior left out, everything chosen without the trace."""
    lines = ["| constants | error 15m / 1h / 6h / 24h | worst | WQL |", "|---|---|---|---|"]
    for kind in (SHIPPED, str(Setting()), WITHOUT):
        here = frame[frame["setting"] == kind]
        by = [here[here["bucket"] == b] for b in BUCKETS]
        error, wql = (
            " / ".join(f"{np.exp(np.log(np.maximum(g[c].dropna(), 1e-3)).mean()):.3f}" for g in by)
            for c in ("error", "wql")
        )
        name = "pooled coefficients without the trace" if kind == str(Setting()) else kind
        lines.append(
            f"| {name} | {error} | {' / '.join(f'{g.error.max():.2f}' for g in by)} | {wql} |"
        )
    picked = pd.Series([str(s) for found in chosen.values() for s in found]).value_counts()
    lines.append("")
    lines += [f"chosen for {n} traces: {setting}" for setting, n in picked.items()]
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Derive, score, choose, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", type=Path)
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    parser.add_argument("--cutoffs", type=int, default=24)
    given = parser.parse_args(arguments)
    traces = load_traces(given.traces)
    sums = [entry for t in traces if t.step == STEP for entry in normal_equations(t)]
    without = {t.name: with_table(pooled(sums, t.name)[:-1]) for t in traces}
    shipped = dict.fromkeys(without, PRIOR)
    found = list(rows(traces, (), given.cutoffs, shipped, SHIPPED))
    for setting in variants():
        found += rows(traces, (setting,), given.cutoffs, without, str(setting))
        sys.stderr.write(f"{setting}\n")
    tried = pd.DataFrame(found)
    chosen = {t.name: chosen_without(tried[tried["setting"] != SHIPPED], t.name) for t in traces}
    for trace in traces:
        found += rows((trace,), chosen[trace.name], given.cutoffs, without, WITHOUT)
    frame = pd.DataFrame(found)
    given.out.mkdir(parents=True, exist_ok=True)
    frame.to_csv(given.out / "leave_one_out.csv", index=False)
    text = summary(frame, chosen)
    (given.out / "leave_one_out.md").write_text(text + "\n")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
