"""A store with weeks of demand, forecasts and decisions in it, for pages to show."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import yaml

from prescaler.config import load_settings
from prescaler.core.arrays import FloatArray
from prescaler.core.control import Authored, Control, Override
from prescaler.core.event_book import occurrences
from prescaler.core.event_records import EventWrite
from prescaler.core.event_text import from_plain
from prescaler.core.forecast import Forecast, storable
from prescaler.core.history import History
from prescaler.core.instants import floor_to, format_instant, parse_instant, to_epoch
from prescaler.core.planned import PlannedEvent
from prescaler.core.records import (
    AuditEntry,
    HistoryVersion,
    LoggedDecision,
    Outcome,
    RunStatus,
    SourceFailure,
)
from prescaler.core.series import Series, coarsen
from prescaler.core.uplift import UpliftModel
from prescaler.core.workload import Workload
from prescaler.usecases.score_forecasts import ScorePorts, score_forecasts
from prescaler.wiring import Stores, lore_ports, open_stores
from tests.support.builders import MINUTE, STEP
from tests.support.migrated import migrate

HORIZON = 600
SPREAD = np.array([0.72, 0.8, 0.9, 1.0, 1.1, 1.22, 1.3, 1.45])
HOUR = timedelta(hours=1)
KEYS = {
    "REVIEW_READ": "read-key-0123456789",
    "REVIEW_WRITE": "write-key-0123456789",
    "REVIEW_ADMIN": "admin-key-0123456789",
}


def configuration(folder: Path, port: int, workloads: Sequence[dict[str, Any]]) -> Path:
    """A file with three keys, one a scope."""
    document = {
        "prometheus": {"main": {"url": "http://127.0.0.1:9"}},
        "store": {"url": f"sqlite:///{folder / 'store.sqlite'}"},
        "server": {"listen": f"127.0.0.1:{port}", "snapshot_dir": str(folder / "snapshot")},
        "keys": [
            {"name": "rita", "scope": "read", "value_env": "REVIEW_READ"},
            {"name": "will", "scope": "write", "value_env": "REVIEW_WRITE"},
            {"name": "ada", "scope": "admin", "value_env": "REVIEW_ADMIN"},
        ],
        "defaults": {
            "demand": {"source": ["main"], "delay": "0s"},
            "policy": {"mode": "active"},
            "forecast": {"timezone": "Europe/Paris", "every": "15m"},
        },
        "workloads": list(workloads),
    }
    path = folder / "prescaler.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def workload(name: str, per_pod: float = 100.0, **changes: Any) -> dict[str, Any]:
    """One workload as YAML."""
    return {
        "name": name,
        "scale_target": {"name": name, "namespace": "prod", "min_pods": 2, "max_pods": 200},
        "demand": {"query": f"sum(rate(http_requests_total{{app={name!r}}}[1m]))"},
        "capacity": {"per_pod": per_pod},
        **changes,
    }


def evening(trace: Path, now: datetime, days: int, last: str) -> FloatArray:
    """[N] demand by the minute that ends at `now`; `last` of the trace is played right now."""
    table = pd.read_csv(trace, parse_dates=["timestamp"]).set_index("timestamp")["value"]
    end = pd.Timestamp(last)
    played = table[(table.index > end - pd.Timedelta(days=days)) & (table.index <= end)]
    return np.asarray(played.to_numpy(), dtype=np.float64)


def matches(calendar: Path, now: datetime, last: str) -> list[dict[str, Any]]:
    """The calendar of the World Cup, moved as `evening` moves its demand."""
    table = pd.read_csv(calendar)
    later = floor_to(now, STEP) - parse_instant(last)
    return [
        {
            "name": name,
            "kind": kind,
            "start": format_instant(parse_instant(start) + later),
            "end": format_instant(parse_instant(end) + later),
        }
        for name, kind, start, end in zip(
            *(table[column] for column in ("name", "kind", "start", "end")), strict=True
        )
    ]


def invented_matches(now: datetime) -> list[dict[str, Any]]:
    """An evening every third day, four weeks back and two ahead."""
    first = floor_to(now, timedelta(days=1)) - timedelta(days=27) + timedelta(hours=19)
    starts = [first + timedelta(days=3 * number) for number in range(14)]
    return [
        {
            "name": f"Match {number + 1}",
            "kind": "football",
            "start": format_instant(start),
            "end": format_instant(start + timedelta(minutes=110)),
        }
        for number, start in enumerate(starts)
    ]


def synthetic(days: float, level: float, seed: int) -> FloatArray:
    """[N] demand by the minute: a day, an evening peak, weekends, noise."""
    minutes = np.arange(int(days * 1440))
    day = minutes / 1440
    shape = (
        1.15 + np.sin(2 * np.pi * (day - 0.38)) + 0.9 * np.exp(-(((day % 1) - 0.83) ** 2) / 0.002)
    )
    weekend = np.where((day.astype(int) % 7) >= 5, 0.7, 1.0)
    noise = np.exp(0.06 * np.random.default_rng(seed).standard_normal(len(minutes)))
    return np.asarray(level * shape * weekend * noise, dtype=np.float64)


class Filler:
    """Writes the past of workloads into the store of a configuration."""

    def __init__(self, config: Path, now: datetime) -> None:
        self.settings = load_settings(config)
        self.now = floor_to(now, STEP)
        self.stores: Stores = open_stores(self.settings.store.main)
        migrate(self.stores.database)

    def close(self) -> None:
        """Give the store back."""
        self.stores.database.close()

    def fill(
        self,
        name: str,
        demand: FloatArray,
        *,
        weeks_of_forecasts: float = 4.0,
        planned: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Demand up to now, a forecast every hour or six, and the answers of two days.

        planned: events, forecast apart from ordinary demand and by what those before taught.
        """
        one = self._workload(name)
        version = self.stores.workloads.ensure(one, self.now)
        start = self.now - len(demand) * MINUTE
        series = Series(start, MINUTE, demand, demand)
        self.stores.demand.append(version, series)
        seen = coarsen(series, STEP)
        path = _Path(replace(seen, mean=self._evenings(one, version, seen, planned)), seen)
        age = timedelta(weeks=weeks_of_forecasts)
        while age > timedelta(0):
            self._forecast(version, path, self.now - age)
            age -= HOUR if age <= timedelta(days=7) else 6 * HOUR
        newest = self._forecast(version, path, self.now)
        self._answers(version, _Path(seen, seen), one, newest)

    def latest_only(self, names: Sequence[str]) -> None:
        """Nothing but a newest forecast, for many workloads."""
        for number, name in enumerate(names):
            version = self.stores.workloads.ensure(self._workload(name), self.now)
            level = 200.0 + 37.0 * (number % 60)
            demand = synthetic(2, level, number)
            series = Series(self.now - 2880 * MINUTE, MINUTE, demand, demand)
            self.stores.demand.append(version, series)
            seen = coarsen(series, STEP)
            path = _Path(seen, seen)
            self._forecast(version, path, self.now, ratio=0.35 + (number % 17) / 20)

    def without_forecast(self, name: str, status: RunStatus) -> None:
        """A workload whose newest run gave nothing."""
        version = self.stores.workloads.ensure(self._workload(name), self.now)
        self.stores.forecasts.save(version, status)

    def deaf(self, name: str) -> None:
        """A workload whose source fails."""
        failure = SourceFailure("refused", "HTTP 400 from main: parse error; mend the query")
        status = RunStatus(self.now, Outcome.FORECAST_FAILED, "no demand", failure)
        self.without_forecast(name, status)

    def too_young(self, name: str) -> None:
        """A workload with too little history."""
        text = "5.2 h of history, 36 h are needed"
        self.without_forecast(name, RunStatus(self.now, Outcome.TOO_LITTLE_HISTORY, text))

    def event(self, **fields: Any) -> PlannedEvent:
        """A planned event, as somebody would write it."""
        event = from_plain(fields, uuid4())
        at = self.now - 2 * HOUR
        entry = AuditEntry(at, "will", "create event", f"event {event.id}", "plan", None, None)
        (stored,) = self.stores.events.write([EventWrite(event, entry)])
        return stored

    def _evenings(
        self,
        one: Workload,
        version: HistoryVersion,
        seen: Series,
        planned: Sequence[dict[str, Any]],
    ) -> FloatArray:
        """Store events and what they have taught; gives demand [N] as it was without them."""
        events = [
            self.event(**{"timezone": "Europe/Paris", "workloads": {"names": [one.name]}, **plain})
            for plain in planned
        ]
        if not events:
            return seen.mean
        settings = one.forecast
        history = History.of(seen, settings.timezone, HORIZON, settings.country)
        model = UpliftModel.empty(STEP, settings.timezone, settings.country)
        found = [o for event in events for o in occurrences(event, seen.start, self.now)]
        crowds = model.crowds(found)
        learnt = model.learned(history, crowds)
        self.stores.uplifts.put(version, learnt, self.now)
        return learnt.ordinary(history, crowds).calm.demand

    def judged(self, name: str) -> None:
        """Every stored forecast of a workload, scored."""
        one = self._workload(name)
        version = self.stores.workloads.ensure(one, self.now)
        ports = ScorePorts(self.stores.demand, self.stores.scores, lore_ports(self.stores))
        while score_forecasts(one, version, ports, self.now).more:
            pass

    def overridden(self, name: str, reason: str) -> None:
        """A person's own value."""
        version = self.stores.workloads.ensure(self._workload(name), self.now)
        by = Authored("ada", reason, self.now - HOUR, self.now + 6 * HOUR)
        entry = AuditEntry(
            self.now - HOUR, "ada", "override", name, reason, "{}", '{"override": {"pods": 40}}'
        )
        self.stores.controls.put(version.workload, Control(override=Override(by, None, 40)), entry)

    def _workload(self, name: str) -> Workload:
        return next(w for w in self.settings.workloads if w.name == name)

    def _forecast(
        self, version: HistoryVersion, path: "_Path", at: datetime, ratio: float = 0.61
    ) -> Forecast:
        cutoff = floor_to(at, STEP) - STEP
        median = path.guess(cutoff)
        made = Forecast(
            workload=version.workload,
            version=version.number,
            cutoff=cutoff,
            issued_at=cutoff + STEP,
            step=STEP,
            values=storable(median[:, None] * SPREAD),
            peak_ratio=storable(np.full(HORIZON, 1.15)),
            naive=storable(path.naive(cutoff)),
            historic_max=float(np.nanmax(path.series.mean)),
            weights={
                "15m": {"profile": 0.55, "regression": 0.3, "naive_day": 0.15},
                "24h": {"profile": 0.7, "regression": 0.2, "naive_week": 0.1},
            },
            track_record={
                bucket: {
                    "outcomes": 120.0,
                    "error_ratio": round(ratio + 0.06 * n, 4),
                    "0.9": 0.905,
                    "0.95": 0.943 if ratio < 1 else 0.79,
                    "0.99": 0.986,
                }
                for n, bucket in enumerate(("15m", "1h", "6h", "24h"))
            },
        )
        seen = path.at(cutoff)
        status = RunStatus(
            cutoff + STEP, Outcome.STORED, last_actual=seen, last_actual_at=cutoff + STEP - MINUTE
        )
        self.stores.forecasts.save(version, status, made)
        return made

    def _answers(
        self, version: HistoryVersion, path: "_Path", one: Workload, newest: Forecast
    ) -> None:
        target = one.policy.target
        for number in range(2 * 96, 0, -1):
            at = self.now - number * timedelta(minutes=15)
            load = float(np.nan_to_num(path.ahead(at))) * 1.35
            pods = int(np.ceil(load / target))
            stages = tuple((name, load, "") for name in ("median", "quantile", "rounding"))
            entry = LoggedDecision(
                at, load, pods, "active", None, "active", load, newest.cutoff, stages
            )
            self.stores.decisions.append({version.workload: entry})


class _Path:
    """Demand in steps, and what a forecaster that copies the past would say."""

    def __init__(self, series: Series, seen: Series) -> None:
        self.series = series
        self.seen = seen
        self.first = to_epoch(series.start)

    def at(self, stamp: datetime) -> float:
        """Demand in the step of a stamp."""
        return float(np.nan_to_num(self.seen.mean[self.series.index_of(stamp)]))

    def ahead(self, stamp: datetime) -> float:
        """The highest demand of the next half hour."""
        index = max(0, self.series.index_of(stamp))
        return float(np.nanmax(self.series.mean[index : index + 6], initial=0.0))

    def guess(self, cutoff: datetime) -> FloatArray:
        """[H] a smoothed copy of a day and of a week ago, about right."""
        day, week = self._copy(cutoff, 288), self._copy(cutoff, 2016)
        mixed = np.where(np.isfinite(week), 0.5 * day + 0.5 * week, day)
        smooth = np.convolve(np.pad(np.nan_to_num(mixed), 3, "edge"), np.ones(7) / 7, mode="valid")
        return np.asarray(np.maximum(smooth, 1.0), dtype=np.float64)

    def naive(self, cutoff: datetime) -> FloatArray:
        """[H] a day ago."""
        return np.nan_to_num(self._copy(cutoff, 288))

    def _copy(self, cutoff: datetime, back: int) -> FloatArray:
        index = self.series.index_of(cutoff) + 1 + np.arange(HORIZON)
        while (index >= self.series.index_of(cutoff)).any():
            index = np.where(index >= self.series.index_of(cutoff), index - back, index)
        known = index >= 0
        return np.where(known, self.series.mean[np.clip(index, 0, None)], np.nan)
