"""Forecasts of other forecasters at the protocol's cutoffs, as one table: `bench/peers.py --help`.

Runs in the environment of scripts/setup_peers.sh and imports nothing of the product: the peers need
another pandas. Each fit is a process of its own, so that a limit of CPU seconds ends it wherever it
is, and so that the seconds of Prophet's own child process are counted too.
"""

import argparse
import json
import logging
import multiprocessing
import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

# One core for everybody, as the product's own fits are measured; read when numpy is loaded.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]

QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
COLUMNS = ["peer", "cutoff", "valid_at", *(f"q{q:g}" for q in QUANTILES), "seconds"]

SETTINGS: dict[str, dict[str, Any]] = {
    "holt_winters": {
        "model": "statsmodels ExponentialSmoothing, one season of a day",
        "arguments": {"trend": None, "seasonal": "add", "initialization_method": "estimated"},
        "history_days": 14,
        "quantiles": "residuals",
    },
    "mstl_level": {
        "model": "statsmodels MSTL; last cycle of each season + last value of the trend",
        "history_days": 28,
        "quantiles": "residuals",
    },
    "prophet": {
        "model": "Prophet in civil time; weekly season from two weeks of history on (its default)",
        "arguments": {"daily_seasonality": True, "yearly_seasonality": False},
        "history_days": 28,
        "quantiles": "its own 1,000 predictive samples",
    },
    "statsforecast_mstl": {
        "model": "statsforecast MSTL, trend by AutoETS",
        "arguments": {"model": "ZZN"},
        "history_days": 28,
        "quantiles": "its own prediction intervals; 0.5 is its mean",
    },
    "all": {
        "horizon": "24 h, clipped at 0",
        "missing": "same slot last week, else yesterday, else the last value; Prophet: left out",
        "seasons": "MSTL: day and week, those of which more than two cycles are known",
        "residuals": "forecast (the median) + empirical quantiles of the peer's own errors, "
        "all leads pooled, at its earlier cutoffs whose 24 h are over; before there are "
        "least_cutoffs of them, of the errors of the daily naive in the last naive_days",
        "least_cutoffs": 3,
        "naive_days": 28,
        "seconds": "CPU of fit and forecast, child processes included, one thread",
        "overruns_until_skipped": 2,
    },
}
_WALL_PER_CPU = 5  # the cores are shared: a fit may last this much longer than it may compute


@dataclass(frozen=True, eq=False)
class Grid:
    """A trace: start and step in seconds, points of a day (the horizon), means, filled means."""

    start: int
    step: int
    day: int
    observed: FloatArray
    filled: FloatArray
    zone: ZoneInfo

    def stamps(self, first: int, last: int) -> pd.DatetimeIndex:
        """UTC stamps of the points [first, last)."""
        seconds = self.start + np.arange(first, last) * self.step
        return pd.DatetimeIndex(pd.to_datetime(seconds, unit="s", utc=True))

    def window(self, now: int, days: int) -> slice:
        """The last `days` up to `now`, without what lies before the first observation."""
        known = int(np.argmax(np.isfinite(self.observed)))
        return slice(max(known, now + 1 - days * self.day), now + 1)


Fit = Callable[[Grid, int, dict[str, Any]], FloatArray]
"""Grid, position of the cutoff, settings -> [H] a forecast, or [Q, H] quantiles of its own."""


def read_grid(path: Path, step: int, zone: ZoneInfo) -> Grid:
    """Mean of the observations stamped in [t, t + step); a coarser trace keeps its own step."""
    table = pd.read_csv(path)
    stamps = pd.to_datetime(table["timestamp"], utc=True, format="ISO8601").dt.tz_convert(None)
    seconds = stamps.to_numpy().astype("datetime64[s]").astype(np.int64)
    step = max(step, int(pd.Series(np.diff(np.sort(seconds))).mode()[0]))
    start = int(seconds.min()) // step
    means = table["value"].astype(float).groupby(seconds // step - start).mean()
    observed = np.asarray(means.reindex(range(int(means.index.max()) + 1)), dtype=np.float64)
    day = timedelta(days=1) // timedelta(seconds=step)
    return Grid(start * step, step, day, observed, _fill(observed, day), zone)


def _fill(observed: FloatArray, day: int) -> FloatArray:
    """Each missing value from earlier ones only, so that one filling serves every cutoff."""
    filled = observed.copy()
    for i in np.flatnonzero(np.isnan(observed)):
        earlier = (filled[i - back] for back in (7 * day, day, 1) if i >= back)
        filled[i] = next((value for value in earlier if np.isfinite(value)), np.nan)
    return filled


def _seasons(grid: Grid, points: int) -> list[int]:
    periods = [period for period in (grid.day, 7 * grid.day) if points > 2 * period]
    if not periods:
        raise ValueError("no season has two cycles in the history")
    return periods


def _holt_winters(grid: Grid, now: int, chosen: dict[str, Any]) -> FloatArray:
    values = grid.filled[grid.window(now, chosen["history_days"])]
    smoothing = import_module("statsmodels.tsa.holtwinters").ExponentialSmoothing
    model = smoothing(values, seasonal_periods=grid.day, **chosen["arguments"])
    return np.asarray(model.fit().forecast(grid.day), dtype=np.float64)


def _mstl_level(grid: Grid, now: int, chosen: dict[str, Any]) -> FloatArray:
    values = grid.filled[grid.window(now, chosen["history_days"])]
    periods = _seasons(grid, len(values))
    decompose = import_module("statsmodels.tsa.seasonal").MSTL
    parts = decompose(values, periods=periods).fit()
    seasonal = np.asarray(parts.seasonal, dtype=np.float64).reshape(len(values), len(periods))
    slots = [len(values) - period + np.arange(grid.day) % period for period in periods]
    cycles = [seasonal[slot, i] for i, slot in enumerate(slots)]
    return np.asarray(parts.trend[-1] + np.sum(cycles, axis=0))


def _prophet(grid: Grid, now: int, chosen: dict[str, Any]) -> FloatArray:
    known = grid.window(now, chosen["history_days"])
    civil = grid.stamps(known.start, known.stop + grid.day).tz_convert(grid.zone).tz_localize(None)
    past, ahead = civil[: -grid.day], civil[-grid.day :]
    np.random.seed(1)  # noqa: NPY002 - Prophet draws its samples from numpy's global generator
    model = import_module("prophet").Prophet(**chosen["arguments"])
    model.fit(pd.DataFrame({"ds": past, "y": grid.observed[known]}).dropna(), seed=1)
    samples = model.predictive_samples(pd.DataFrame({"ds": ahead}))["yhat"]
    # Prophet sorts by civil time; where clocks go back that is not the order of the instants.
    quantiles = np.empty((len(QUANTILES), grid.day))
    quantiles[:, np.argsort(ahead, kind="stable")] = np.quantile(samples, QUANTILES, axis=1)
    return quantiles


def _statsforecast_mstl(grid: Grid, now: int, chosen: dict[str, Any]) -> FloatArray:
    values = grid.filled[grid.window(now, chosen["history_days"])]
    models = import_module("statsforecast.models")
    trend = models.AutoETS(**chosen["arguments"])
    model = models.MSTL(_seasons(grid, len(values)), trend_forecaster=trend)
    levels = [round(200 * q - 100) for q in QUANTILES[1:]]
    answer = model.forecast(y=values, h=grid.day, level=levels)
    return np.asarray([answer["mean"], *(answer[f"hi-{level}"] for level in levels)])


PEERS: dict[str, tuple[Fit, str]] = {
    "holt_winters": (_holt_winters, "statsmodels.tsa.holtwinters"),
    "mstl_level": (_mstl_level, "statsmodels.tsa.seasonal"),
    "prophet": (_prophet, "prophet"),
    "statsforecast_mstl": (_statsforecast_mstl, "statsforecast.models"),
}
"""Name -> its fit, and the module that is loaded once, before any fit is measured."""


def _child(channel: Connection, peer: str, grid: Grid, now: int, limit: int) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    warnings.simplefilter("ignore")
    try:
        answer: FloatArray | str = PEERS[peer][0](grid, now, SETTINGS[peer])
        answer = answer if np.isfinite(answer).all() else "the forecast is not finite"
    except Exception as error:  # noqa: BLE001 - whatever a peer raises, the others go on
        answer = " ".join(f"{type(error).__name__}: {error}".split())
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    channel.send((answer, sum(u.ru_utime + u.ru_stime for u in used)))


def fitted(peer: str, grid: Grid, now: int, limit: int) -> tuple[FloatArray | str, float]:
    """The peer's forecast, or why there is none, and the CPU seconds it took."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, peer, grid, now, limit))
    process.start()
    theirs.close()  # or its end would never be seen
    answer, seconds = "", float("inf")
    try:
        if ours.poll(_WALL_PER_CPU * limit):
            answer, seconds = ours.recv()
    except EOFError:  # it died without a word
        process.join()
        if process.exitcode != -signal.SIGXCPU:
            answer, seconds = f"its process ended with {process.exitcode}", 0.0
    finally:
        if process.pid and process.is_alive():
            os.killpg(process.pid, signal.SIGKILL)  # with it Prophet's own child
        process.join()
    if seconds > limit:
        answer = f"over {limit} CPU seconds, or {_WALL_PER_CPU} times that by the clock"
    return answer, seconds


def _residual_quantiles(grid: Grid, now: int, past: dict[int, FloatArray]) -> FloatArray:
    rule, day = SETTINGS["all"], grid.day
    over = [grid.observed[i + 1 : i + 1 + day] - f for i, f in past.items() if i + day <= now]
    if len(over) < rule["least_cutoffs"]:
        known = grid.observed[grid.window(now, rule["naive_days"])]
        over = [known[day:] - known[:-day]]
    spread = np.nanquantile(np.concatenate(over), QUANTILES)
    return np.asarray(np.maximum.accumulate(np.r_[0.0, spread[1:]]))


def _tables(peer: str, grid: Grid, cutoffs: list[int], limit: int) -> Iterator[pd.DataFrame]:
    past: dict[int, FloatArray] = {}
    overruns = 0
    for now in cutoffs:
        stamps = grid.stamps(now, now + 1 + grid.day).strftime("%Y-%m-%dT%H:%M:%SZ")
        values, seconds = fitted(peer, grid, now, limit)
        if isinstance(values, str):
            _say(f"{peer} is absent at {stamps[0]}: {values}")
            overruns += seconds > limit
            if overruns >= SETTINGS["all"]["overruns_until_skipped"]:
                _say(f"{peer} is skipped for the rest of this trace")
                return
            continue
        if values.ndim == 1:
            past[now] = values
            values = values + _residual_quantiles(grid, now, past)[:, None]
        table = pd.DataFrame(np.clip(values, 0, None).T, columns=COLUMNS[3:-1])
        yield table.assign(peer=peer, cutoff=stamps[0], valid_at=stamps[1:], seconds=seconds)


def _positions(grid: Grid, path: Path) -> list[int]:
    cutoffs = [datetime.fromisoformat(line) for line in path.read_text().split()]
    places = [(cutoff.timestamp() - grid.start) / grid.step for cutoff in cutoffs]
    for cutoff, place in zip(cutoffs, places, strict=True):
        if not (cutoff.tzinfo and place.is_integer() and 0 <= place < len(grid.observed)):
            raise SystemExit(f"peers: the cutoff {cutoff.isoformat()} is no point of the trace")
    return sorted({int(place) for place in places})


def _present(peer: str) -> bool:
    try:
        return bool(import_module(PEERS[peer][1]))
    except ImportError as error:
        _say(f"{peer} is left out: {error}; scripts/setup_peers.sh installs it")
        return False


def _say(text: str) -> None:
    print(f"peers: {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Read the command line, run every peer, write the table."""
    parser = argparse.ArgumentParser(description="Forecasts of other forecasters as one table.")
    parser.add_argument("trace", type=Path, nargs="?", help="columns timestamp,value")
    parser.add_argument("--zone", type=ZoneInfo, default=ZoneInfo("UTC"), help="civil zone")
    parser.add_argument("--step-seconds", type=int, default=300)
    parser.add_argument("--cutoffs", type=Path, help="one RFC 3339 stamp a line")
    parser.add_argument("--out", type=Path, help="a .csv.gz")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=[*PEERS])
    parser.add_argument("--limit-seconds", type=int, default=60)
    parser.add_argument("--settings", action="store_true", help="print the settings and stop")
    given = parser.parse_args()
    if given.settings:
        print(json.dumps(SETTINGS, indent=2))
        return
    if not (given.trace and given.cutoffs and given.out) or not PEERS.keys() >= {*given.peers}:
        parser.error(f"TRACE, --cutoffs and --out are needed; the peers are {', '.join(PEERS)}")
    logging.disable()  # what matters comes as an exception
    grid = read_grid(given.trace, given.step_seconds, given.zone)
    cutoffs = _positions(grid, given.cutoffs)
    present = filter(_present, given.peers)
    tables = [t for peer in present for t in _tables(peer, grid, cutoffs, given.limit_seconds)]
    table = pd.concat(tables) if tables else pd.DataFrame(columns=COLUMNS)
    table.to_csv(given.out, columns=COLUMNS, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
