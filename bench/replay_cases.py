"""Traces and scenarios to play again, and forecast walks that are kept in a folder."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

import prescaler
from bench.traces import ZONES
from prescaler.adapters.events.table import read_table
from prescaler.adapters.files.traces import read_trace
from prescaler.adapters.packed_walk import pack_walk, unpack_walk
from prescaler.core.event_book import EMPTY_BOOK
from prescaler.core.event_records import FeedRules
from prescaler.core.planned import PlannedEvent
from prescaler.core.replay.arms import Played, play
from prescaler.core.replay.ground import Arm, Ground, Setting
from prescaler.core.replay.measures import Prices
from prescaler.core.replay.promise import Promise
from prescaler.core.replay.stress import (
    with_crowds,
)
from prescaler.core.replay.track import Said
from prescaler.core.series import Series, coarsen
from prescaler.usecases.replay_period import (
    Crew,
    Subject,
    Wish,
    ground_of,
    occurrences,
    with_tracks,
)
from prescaler.usecases.replay_subject import TraceFacts, of_trace
from prescaler.usecases.replay_walk import stretches, walk_all

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PRICES = Prices()
SEEDS = (1, 2, 3, 4, 5)
FINE = tuple(round(0.4 + 0.025 * n, 3) for n in range(27))
"""Utilisations of the reactive frontier that others are compared with: 0.4 to 1.05."""


@dataclass(frozen=True, eq=False)
class Case:
    """One trace (or scenario) and the period that is played."""

    name: str
    subject: Subject
    start: datetime
    end: datetime

    @property
    def wish(self) -> Wish:
        """Everything, with the promise of the documentation."""
        return Wish(
            since=self.end - self.start,
            until=self.end,
            promise=Promise.parse("10m/30d"),
            seeds=SEEDS,
        )


class Folder:
    """Weeks of forecasts that are walked already: a bench that was interrupted goes on.

    Whatever of the project forecasts has other contents: they are walked anew.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, mark: str) -> list[Said] | None:
        """What an earlier run has walked."""
        path = self._place(mark)
        return unpack_walk(path.read_bytes()) if path.exists() else None

    def keep(self, mark: str, found: Sequence[Said]) -> None:
        """Whole or not at all."""
        path = self._place(mark)
        path.parent.mkdir(parents=True, exist_ok=True)
        begun = path.with_suffix(".part")
        begun.write_bytes(pack_walk(found))
        begun.replace(path)

    def _place(self, mark: str) -> Path:
        return self._path / f"{_engine()}-{mark[:24]}.npz"


@cache
def _engine() -> str:
    """What the sources say that make forecasts: all of the core but the simulator and its words."""
    package = Path(prescaler.__file__).parent
    core = package / "core"
    folders = (core, core / "forecasters", core / "uplift")
    files = [path for folder in folders for path in folder.glob("*.py")]
    files.append(core / "replay" / "track.py")
    names = ("crowd_lore", "issue_forecast", "replay_walk")
    files += [package / "usecases" / f"{name}.py" for name in names]
    found = hashlib.sha256()
    for path in sorted(files):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


@dataclass(frozen=True)
class Bench:
    """Where results and walks are kept, and who works."""

    out: Path
    crew: Crew

    def walks(self, case: Case, arms: Sequence[Arm]) -> dict[Arm, list[Said]]:
        """The forecasts of a case, from the folder where they are there already."""
        return {arm: self._walk(case, arm) for arm in arms}

    def _walk(self, case: Case, arm: Arm) -> list[Said]:
        subject, began = case.subject, time.monotonic()
        book = subject.book if arm is Arm.CALENDAR else EMPTY_BOOK
        coarse = coarsen(subject.series, max(subject.series.step, timedelta(minutes=5)))
        parts = stretches(subject.workload, coarse, book, case.start, case.end)
        title = f"{case.name} ({arm.value})"

        def tell(share: float) -> None:
            seconds = time.monotonic() - began
            print(f"  walked {title}: {share:.0%} after {seconds:.0f} s", flush=True)

        found = walk_all(parts, self.crew.processes, Folder(self.out / "walks"), tell)
        return [one for part in found for one in part]

    def ground(self, case: Case, arms: Sequence[Arm]) -> Ground:
        """The ground of a case with its forecasts."""
        bare = ground_of(case.subject, case.start, case.end)
        return with_tracks(bare, case.subject, self.walks(case, arms))

    def play(self, ground: Ground, settings: Sequence[Setting]) -> list[Played]:
        """Many settings, in threads."""
        return list(self.crew.threads.map(lambda one: play(one, ground, SEEDS), settings))


def cases(folder: Path) -> list[Case]:
    """Every 1-minute trace of a folder."""
    found = []
    for path in sorted(folder.glob("*.csv.gz")):
        series = read_trace(path)
        if series.step <= MINUTE:
            found.append(_case(path, series))
    return found


def _case(path: Path, series: Series) -> Case:
    name = path.name.removesuffix(".csv.gz")
    planned = path.with_name(f"{name.split('_')[0]}_events.csv")
    events = _events(planned, series.end) if planned.exists() else []
    subject = of_trace(series, TraceFacts(name, ZoneInfo(ZONES.get(name, "UTC"))), events)
    known = subject.series
    if events:
        first, last = min(e.start for e in events), max(e.end for e in events)
        start = first.replace(hour=0, minute=0, second=0)
        return Case(name, subject, start, min(known.end, last.replace(hour=0, minute=0) + 2 * DAY))
    learnt = min(28 * DAY, 0.6 * len(known) * known.step)
    start = max(known.start + learnt, known.end - 28 * DAY).replace(second=0, microsecond=0)
    return Case(name, subject, start, known.end)


def _events(path: Path, now: datetime) -> list[PlannedEvent]:
    rules = FeedRules(path.stem, ZoneInfo("UTC"), {"workloads": "all"})
    return [one.event for one in read_table(path.read_bytes(), rules, now).events]


def scenario(plain: Case, name: str, factor: float) -> Case:
    """The trace with a crowd at each planned instant."""
    events = occurrences(plain.subject.book, plain.subject.series.start, plain.end)
    series = with_crowds(plain.subject.series, events, factor)
    return replace(
        plain, name=f"{plain.name}-{name}", subject=replace(plain.subject, series=series)
    )


@dataclass(frozen=True, eq=False)
class Points:
    """Runs as pod-hours and dropped share, over some days and one part (None: all)."""

    runs: Sequence[Played]
    part: int | None = None
    days: slice | None = None

    def numbers(self) -> np.ndarray:
        """[N, 2]: pod-hours over everything, dropped share of the part."""
        return np.array(
            [
                (
                    one.tally.measures(PRICES, None, self.days).pod_hours,
                    one.tally.measures(PRICES, self.part, self.days).dropped,
                )
                for one in self.runs
            ]
        )

    def dropped_at(self, hours: float) -> float:
        """Between two settings, a straight line."""
        found = self.numbers()
        order = np.argsort(found[:, 0])
        return float(np.interp(hours, found[order, 0], found[order, 1]))

    def hours_at(self, dropped: float) -> float:
        """Pod-hours of the reactive curve at which this much is dropped."""
        found = self.numbers()
        order = np.argsort(found[:, 1], kind="stable")
        return float(np.interp(dropped, found[order, 1], found[order, 0]))


def dearest(reactive: Points, ours: Points) -> tuple[float, float]:
    """Over the reactive settings: most and least extra pod-hours of ours at no more dropped.

    Advice may choose reactive scaling itself, so that its answer is at most 0.
    """
    mine, theirs = ours.numbers(), reactive.numbers()
    ratios = []
    for hours, dropped in theirs:
        kept = mine[mine[:, 1] <= dropped + 1e-12]
        if len(kept):
            ratios.append(float(kept[:, 0].min() / hours - 1))
    return (max(ratios), min(ratios)) if ratios else (float("nan"), float("nan"))
