"""Every score of a backtest, from its files and the trace alone; nothing of prescaler is used.

    python bench/recompute.py TRACE.csv[.gz] OUT

Prints what it finds beside OUT/summary.json; exit 1 where they differ.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
SCORED, COVERED = (0.5, 0.75, 0.9, 0.95, 0.99), (0.9, 0.95, 0.99)
BUCKETS = {"15m": "15min", "1h": "1h", "6h": "6h", "24h": "24h", "48h": "48h"}


def trace_on(path: Path, step: pd.Timedelta) -> pd.Series:
    """Mean of the observations in each [t, t + step); a hole is NaN."""
    table = pd.read_csv(path)
    stamps = pd.to_datetime(table["timestamp"], utc=True, format="ISO8601")
    return pd.Series(table["value"].to_numpy(float), stamps).sort_index().resample(step).mean()


def naive(rows: pd.DataFrame, trace: pd.Series, back: pd.Timedelta) -> np.ndarray:
    """[N, 8] the value whole periods ago, and the quantiles of its residuals in 28 days before."""
    step = trace.index[1] - trace.index[0]
    lead = (rows["valid_at"] - rows["cutoff"]).dt.total_seconds()
    periods = np.ceil(lead / back.total_seconds())
    point = trace.reindex(rows["valid_at"] - periods * back).to_numpy()
    spread = {}
    for cutoff in rows["cutoff"].unique():
        known = trace[cutoff - pd.Timedelta(days=28) + step : cutoff]
        missed = (known - known.shift(freq=back).reindex(known.index)).dropna()
        spread[cutoff] = np.quantile(missed, QUANTILES) if len(missed) >= 10 else np.full(8, np.nan)
        spread[cutoff][3] = 0.0
    around = np.stack([spread[c] for c in rows["cutoff"]])
    return np.asarray(np.maximum(point[:, None] + around, 0.0))


def losses(actual: np.ndarray, said: np.ndarray) -> tuple[float, float]:
    """Mean absolute error of the median, and WQL."""
    missed = actual[:, None] - said[:, [QUANTILES.index(q) for q in SCORED]]
    pinball = np.maximum(np.array(SCORED) * missed, (np.array(SCORED) - 1) * missed).sum(axis=0)
    wql = 2 * pinball.mean() / (np.abs(actual).sum() or 1.0)
    return float(np.abs(actual - said[:, 3]).mean()), float(wql)


def scores(rows: pd.DataFrame, trace: pd.Series) -> dict[str, float]:
    """All scores of the rows of one bucket."""
    rows = rows.assign(actual=trace.reindex(rows["valid_at"]).to_numpy())
    rows = rows[rows["actual"].notna()]
    actual, said = rows["actual"].to_numpy(), rows[[f"q{q:g}" for q in QUANTILES]].to_numpy()
    found: dict[str, float] = {"instants": len(rows)}
    found["error"], found["wql"] = losses(actual, said)
    for column, name in ((3, "error_ratio"), (slice(None), "wql_ratio")):
        ratios = []
        for days in (1, 7):
            theirs = naive(rows, trace, pd.Timedelta(days=days))
            here = np.isfinite(theirs[:, column]).reshape(len(rows), -1).all(axis=1)
            if here.sum() > 0.5 * len(rows):
                both = losses(actual[here], said[here]), losses(actual[here], theirs[here])
                place = name == "wql_ratio"
                ratios.append(both[0][place] / both[1][place] if both[1][place] else np.inf)
        found[name] = max(ratios, default=np.nan)
    for q in COVERED:
        f = said[:, QUANTILES.index(q)]
        found[f"reached {q}"], below = float((actual <= f).mean()), float((actual < f).mean())
        found[f"gap {q}"] = 100 * max(0.0, below - q, q - found[f"reached {q}"])
    return found


def main(trace_path: Path, out: Path) -> int:
    """Print every score beside what the summary says; the number that differ."""
    told = json.loads((out / "summary.json").read_text())
    step = pd.Timedelta(told["trace"]["step"].replace("m", "min"))
    trace, wrong = trace_on(trace_path, step), 0
    for bucket, summary in told["scores"].items():
        name = "short.csv.gz" if bucket in ("15m", "1h") else "forecasts.csv.gz"
        rows = pd.read_csv(out / name, parse_dates=["cutoff", "valid_at"])
        longest = max(step, pd.Timedelta(BUCKETS[bucket]))
        rows = rows[rows["valid_at"] - rows["cutoff"] <= longest]
        for key, value in scores(rows, trace).items():
            group, _, quantile = key.partition(" ")
            said = summary[group][quantile] if quantile else summary[group]
            said = np.nan if said is None else said
            same = bool(np.isclose(value, said, rtol=1e-4, atol=1e-4, equal_nan=True))
            same = same or (np.isinf(value) and np.isnan(said))
            wrong += not same
            print(f"{bucket:4s} {key:12s} {value:14.6g} {said:14.6g} {'' if same else 'DIFFERS'}")
    return wrong


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1]), Path(sys.argv[2])) else 0)
