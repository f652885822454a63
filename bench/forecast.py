"""Forecast accuracy over every trace of a directory, beside peers; `make bench-forecast`.

    python bench/forecast.py TRACES --out OUT [--peers] [--cutoffs 93] [--roll-every 15m]

Writes OUT/TRACE/{forecasts,short}.csv.gz and summary.json as `prescaler backtest` does,
OUT/scores.csv (a row for each forecaster, trace and bucket), OUT/table.md and OUT/scores.png.
Everything can be computed again from the raw files: `--again` reads them instead of forecasting.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import orjson
import pandas as pd

from bench.peer_scores import PEERS, beside, peer_rows, rows_beside, run_peers
from bench.traces import Trace, load_traces
from prescaler.adapters.files.forecast_table import read_cases, write_forecasts
from prescaler.adapters.heap import keep_freed_memory
from prescaler.core.backtest import BacktestPlan, Fold
from prescaler.core.durations import parse_duration
from prescaler.core.errors import NoSeries
from prescaler.core.scores import PERIODS, BucketScore, Cases, false_calm, naive_cases, score
from prescaler.core.series import Series
from prescaler.usecases.backtest import backtest, scores, summary

BUCKETS = ("15m", "1h", "6h", "24h")
_CUTOFFS = 4 * 23 + 1
"""Of the day grid: 24 and three between each two. A quantile's coverage at 24 cutoffs is uncertain
by 2 points on the mean of sixteen traces; peers, which take an hour for 24, do with those."""

_HEAD = """Error as a ratio to the better naive of each trace (geometric mean), the worst trace and
the WQL ratio by bucket. 15 min and 1 h of prescaler are of the roll grid, peers of the day grid."""
_COVERAGE = "Coverage: mean gap over traces and mean signed gap, percentage points."
_BLOCKS = 400
_SEED = 20261124


@dataclass(frozen=True)
class Row:
    """One forecaster's score on one trace and bucket."""

    forecaster: str
    trace: str
    bucket: str
    error_ratio: float
    wql_ratio: float
    gap: dict[str, float]
    signed: dict[str, float]
    excluded: tuple[str, ...] = ()


def played(trace: Trace, plan: BacktestPlan, out: Path, workers: int) -> None:
    """Backtest one trace and write its files."""
    fold = Fold(trace.series, trace.zone, None, plan.history)
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=keep_freed_memory
    ) as pool:
        result = backtest(fold, plan, pool)
    folder = out / trace.name
    write_forecasts(folder / "forecasts.csv.gz", trace.series, result.whole)
    write_forecasts(folder / "short.csv.gz", trace.series, result.short)
    (folder / "summary.json").write_bytes(orjson.dumps(summary(result), option=orjson.OPT_INDENT_2))


def our_rows(trace: Trace, out: Path) -> Iterator[Row]:
    """Scores of one trace from its files."""
    whole, short = (
        read_cases(out / trace.name / name, trace.series)
        for name in ("forecasts.csv.gz", "short.csv.gz")
    )
    for bucket, found in scores(trace.series, whole, short).items():
        if bucket in BUCKETS:
            cases = short if bucket in ("15m", "1h") else whole
            yield row_of("prescaler", trace, bucket, found, _excluded(trace.series, cases, bucket))


def row_of(
    name: str, trace: Trace, bucket: str, found: BucketScore, excluded: tuple[str, ...] = ()
) -> Row:
    """A score as a row; signed > 0 is too wide."""
    signed = {q: _signed(float(q), found.below[q], found.reached[q]) for q in found.below}
    return Row(
        name,
        trace.name,
        bucket,
        found.error_ratio,
        found.wql_ratio,
        dict(found.gap),
        signed,
        excluded,
    )


def _signed(quantile: float, below: float, reached: float) -> float:
    return 100 * (max(0.0, below - quantile) - max(0.0, quantile - reached))


def _excluded(series: Series, cases: Cases, bucket: str) -> tuple[str, ...]:
    """Quantiles that the day-block bootstrap interval (95 %) of their coverage does not contain."""
    steps = max(1, parse_duration(bucket) // series.step)
    actual = cases.actual[:, :steps]
    day = int(86_400 / series.step.total_seconds())
    block = cases.index // day
    found = []
    forecasts = np.asarray(cases.values)[:, :steps]
    for name, column in (("0.9", 5), ("0.95", 6), ("0.99", 7)):
        upper = forecasts[:, :, column]
        known = np.isfinite(actual)
        reached = np.where(known, actual <= upper, 0).sum(axis=1)
        below = np.where(known, actual < upper, 0).sum(axis=1)
        low = _bootstrap(below, known.sum(axis=1), block)[0]
        high = _bootstrap(reached, known.sum(axis=1), block)[1]
        if not low <= float(name) <= high:
            found.append(name)
    return tuple(found)


def _bootstrap(hits: np.ndarray, known: np.ndarray, block: np.ndarray) -> tuple[float, float]:
    random = np.random.default_rng(_SEED)
    days, place = np.unique(block, return_inverse=True)
    hit, seen = (np.bincount(place, x, len(days)) for x in (hits, known))
    drawn = random.integers(0, len(days), (_BLOCKS, len(days)))
    shares = hit[drawn].sum(axis=1) / np.maximum(seen[drawn].sum(axis=1), 1)
    return float(np.quantile(shares, 0.025)), float(np.quantile(shares, 0.975))


def naive_rows(trace: Trace, out: Path) -> Iterator[Row]:
    """Both naive forecasts on the day grid, by the same rule."""
    whole = read_cases(out / trace.name / "forecasts.csv.gz", trace.series)
    for name, period in PERIODS.items():
        values = naive_cases(trace.series, whole, period)
        for bucket, found in score(trace.series, Cases(whole.index, whole.actual, values)).items():
            if bucket in BUCKETS:
                yield row_of(name, trace, bucket, found)


def geometric(values: pd.Series) -> float:
    """Geometric mean; a perfect score counts as a thousandth."""
    known = values[np.isfinite(values)]
    return float(np.exp(np.log(np.maximum(known, 1e-3)).mean())) if len(known) else float("nan")


def table(rows: list[Row]) -> str:
    """The main table, as Markdown."""
    frame = pd.DataFrame([vars(row) for row in rows])
    lines = ["| forecaster | " + " | ".join(BUCKETS) + " | worst trace | WQL | traces |"]
    lines.append("|" + "---|" * (len(BUCKETS) + 4))
    for name, part in frame.groupby("forecaster", sort=False):
        by = {str(bucket): group for bucket, group in part.groupby("bucket")}
        here = [b for b in BUCKETS if b in by]
        error = " | ".join(
            f"{geometric(by[b].error_ratio):.3f}" if b in by else "-" for b in BUCKETS
        )
        worst = " / ".join(f"{by[b].error_ratio.max():.2f}" for b in here)
        wql = " / ".join(f"{geometric(by[b].wql_ratio):.3f}" for b in here)
        lines.append(f"| {name} | {error} | {worst} | {wql} | {part.trace.nunique()} |")
    return "\n".join(lines)


def coverage_table(rows: list[Row]) -> str:
    """Coverage of our quantiles, as Markdown."""
    lines = [
        "| leads | gap 0.9 / 0.95 / 0.99 | signed | traces outside 5 points and the interval |"
    ]
    lines.append("|---|---|---|---|")
    for bucket in BUCKETS:
        here = [r for r in rows if r.forecaster == "prescaler" and r.bucket == bucket]
        gap = " / ".join(f"{np.mean([r.gap[q] for r in here]):.2f}" for q in here[0].gap)
        signed = " / ".join(f"{np.mean([r.signed[q] for r in here]):+.2f}" for q in here[0].gap)
        bad = [f"{r.trace} {q}" for r in here for q in r.gap if r.gap[q] > 5 and q in r.excluded]
        lines.append(f"| {bucket} | {gap} | {signed} | {', '.join(bad) or 'none'} |")
    return "\n".join(lines)


def per_trace(rows: list[Row]) -> str:
    """Our error and WQL ratios trace by trace, as Markdown."""
    lines = ["| trace | error 15m / 1h / 6h / 24h | WQL |", "|---|---|---|"]
    ours = [r for r in rows if r.forecaster == "prescaler"]
    for name in dict.fromkeys(r.trace for r in ours):
        here = {r.bucket: r for r in ours if r.trace == name}
        error, wql = (
            " / ".join(f"{getattr(here[b], what):.2f}" for b in BUCKETS if b in here)
            for what in ("error_ratio", "wql_ratio")
        )
        lines.append(f"| {name} | {error} | {wql} |")
    return "\n".join(lines)


def calm_table(traces: list[Trace], out: Path) -> str:
    """Ramps of which less than 90 % lay under the 0.95 quantile of 15 min before: ours and naive.

    Traces of up to five minutes only; "-" where a naive forecast knows too little.
    """
    lines = ["| trace | ramps | missed by prescaler | by naive, day | by naive, week |"]
    lines.append("|---|---|---|---|---|")
    for trace in traces:
        short = read_cases(out / trace.name / "short.csv.gz", trace.series)
        lead = max(1, timedelta(minutes=15) // trace.step)
        ramps, missed = false_calm(trace.series, short, lead)
        if ramps:
            copies = [naive_cases(trace.series, short, period) for period in PERIODS.values()]
            told = [
                str(false_calm(trace.series, Cases(short.index, short.actual, c), lead)[1])
                if np.isfinite(c).mean() > 0.5
                else "-"
                for c in copies
            ]
            lines.append(f"| {trace.name} | {ramps} | {missed} | {' | '.join(told)} |")
    return "\n".join(lines)


def beaten(rows: list[Row]) -> str:
    """On how many traces our WQL at 24 h is below each peer's."""
    at = {(r.forecaster, r.trace): r.wql_ratio for r in rows if r.bucket == "24h"}
    lines = []
    others = (r.forecaster for r in rows if not r.forecaster.startswith("prescaler"))
    for name in dict.fromkeys(others):
        ours = beside(name) if name in PEERS else "prescaler"
        pairs = [(at[ours, t], v) for (n, t), v in at.items() if n == name and np.isfinite(v)]
        won = sum(own < theirs for own, theirs in pairs)
        lines.append(f"WQL at 24 h below {name} on {won} of {len(pairs)} traces")
    return "\n".join(lines)


def picture(rows: list[Row], path: Path) -> None:
    """Error ratios by bucket: a dot for each trace, a bar for the geometric mean."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [n for n in dict.fromkeys(r.forecaster for r in rows) if " " not in n]
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    for panel, bucket in zip(figure.subplots(1, len(BUCKETS), sharey=True), BUCKETS, strict=True):
        for x, name in enumerate(names):
            found = [r.error_ratio for r in rows if r.forecaster == name and r.bucket == bucket]
            if found:
                panel.bar(
                    x, geometric(pd.Series(found)), color="#b7c9e8" if x else "#3b7dd8", zorder=1
                )
                panel.scatter(
                    [x] * len(found), np.clip(found, 0, 4), s=9, color="#333333", zorder=2
                )
        panel.axhline(1.0, color="#d1495b", lw=0.8)
        panel.set_title(f"leads up to {bucket}", fontsize=9)
        panel.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
        panel.set_ylim(0, 4)
    figure.suptitle("mean absolute error as a ratio to the better naive forecast", fontsize=10)
    figure.savefig(path, dpi=120)


def collected(traces: list[Trace], out: Path, *, peers: bool) -> list[Row]:
    """All rows from the files."""
    rows = [row for trace in traces for row in our_rows(trace, out)]
    rows += [row for trace in traces for row in naive_rows(trace, out)]
    if peers:
        for name in PEERS:
            rows += [
                row_of(of, trace, bucket, found)
                for of, table in ((name, peer_rows), (beside(name), rows_beside))
                for trace in traces
                for bucket, found in table(trace, out, name).items()
                if bucket in BUCKETS
            ]
    return rows


def report(rows: list[Row], traces: list[Trace], out: Path) -> None:
    """Write and print the tables."""
    frame = pd.DataFrame([vars(row) for row in rows])
    frame.to_csv(out / "scores.csv", index=False)
    parts = [_HEAD, table(rows), beaten(rows), _COVERAGE, coverage_table(rows)]
    parts += [per_trace(rows), calm_table(traces, out)]
    text = "\n\n".join(parts)
    (out / "table.md").write_text(text + "\n")
    picture(rows, out / "scores.png")
    sys.stdout.write(text + "\n")


def options(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; a directory of traces has no default."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("traces", type=Path)
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    parser.add_argument("--cutoffs", type=int, default=_CUTOFFS)
    parser.add_argument("--roll-every", default="15m")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--again", action="store_true", help="only score the files in --out")
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    """Play, score, report."""
    given = options(arguments)
    try:
        traces = load_traces(given.traces)
    except NoSeries as error:
        sys.exit(str(error))
    plan = BacktestPlan(cutoffs=given.cutoffs, roll_every=parse_duration(given.roll_every))
    for trace in [] if given.again else traces:
        started = time.monotonic()
        played(trace, plan, given.out, given.workers)
        sys.stderr.write(f"{trace.name}: {time.monotonic() - started:.0f} s\n")
    if given.peers and not given.again:
        run_peers(traces, given.out)
    report(collected(traces, given.out, peers=given.peers), traces, given.out)


if __name__ == "__main__":
    main(sys.argv[1:])
