"""Planned evenings, forecast the day before: with the calendar, without it, and by naive copies.

    python bench/evenings.py TRACE.csv.gz EVENTS.csv --timezone Z --country C --out OUT

The first half of the events is history; each event of the second half is forecast 24 h before its
start. Writes OUT/evenings.csv (a row an event), OUT/evenings.md and OUT/evenings.png.
"""

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from prescaler.adapters.events.table import read_table
from prescaler.adapters.files.traces import read_trace
from prescaler.core.arrays import FloatArray
from prescaler.core.backtest import EngineModel, Fold, Model
from prescaler.core.calendar_model import CalendarModel
from prescaler.core.event_book import EventBook
from prescaler.core.event_records import FeedRules
from prescaler.core.planned import PlannedEvent
from prescaler.core.quantiles import MEDIAN, QUANTILES
from prescaler.core.series import Series, coarsen

AHEAD = timedelta(hours=24)
AROUND = timedelta(hours=1)
HISTORY = timedelta(days=56)
ARMS = ("with calendar", "without calendar", "a day ago", "a week ago")
Q95 = QUANTILES.index(0.95)


@dataclass(frozen=True, eq=False)
class Evening:
    """One event and what each arm said of it; forecasts [W, Q], naive [W], actual [W].

    minutes: [W, M] what came in each minute of a step.
    """

    event: PlannedEvent
    stamps: list[datetime]
    inside: np.ndarray
    actual: FloatArray
    said: dict[str, FloatArray]
    minutes: FloatArray

    def errors(self, inside: np.ndarray) -> dict[str, float]:
        """Mean absolute error of each arm's median."""
        return {
            arm: float(np.nanmean(np.abs(_median(v) - self.actual)[inside]))
            for arm, v in self.said.items()
        }


def _median(values: FloatArray) -> FloatArray:
    return values[:, MEDIAN] if values.ndim > 1 else values


def evening(fold: Fold, minutely: Series, event: PlannedEvent, models: dict[str, Model]) -> Evening:
    """Forecast one event from what was known 24 h before its start."""
    series, step = fold.series, fold.series.step
    cutoff = event.start - AHEAD - step
    first = series.index_of(event.start - AROUND)
    last = min(len(series), series.index_of(event.end + AROUND))
    horizon = last - series.index_of(cutoff) - 1
    history = fold.known_at(cutoff, horizon)
    rows = slice(first - series.index_of(cutoff) - 1, horizon)
    said = {
        arm: model.roll(model.refit(history, horizon, None), history, horizon)[rows]
        for arm, model in models.items()
    }
    day = timedelta(days=1) // step
    said["a day ago"] = series.mean[first - day : last - day]
    said["a week ago"] = series.mean[first - 7 * day : last - 7 * day]
    stamps = [series.start + n * step for n in range(first, last)]
    inside = np.array([event.start <= stamp < event.end for stamp in stamps])
    begun, each = minutely.index_of(stamps[0]), step // minutely.step
    came = minutely.mean[begun : begun + len(stamps) * each].reshape(len(stamps), each)
    return Evening(event, stamps, inside, series.mean[first:last], said, came)


def table(evenings: list[Evening]) -> str:
    """What the closing paragraph needs, as Markdown."""
    head = " | ".join(ARMS)
    lines = [f"| mean error | {head} | ratio | minutes above q0.95 |", "|---|" + "---|" * 6]
    for name, wide in (("start - 1 h to end + 1 h", True), ("start to end", False)):
        chosen = [np.ones(len(e.inside), dtype=bool) if wide else e.inside for e in evenings]
        rows = [e.errors(inside) for e, inside in zip(evenings, chosen, strict=True)]
        mean = {arm: float(np.mean([row[arm] for row in rows])) for arm in ARMS}
        best = min(mean[arm] for arm in ARMS[1:])
        above = np.concatenate(
            [
                (e.minutes > e.said[ARMS[0]][:, Q95, None])[inside].ravel()
                for e, inside in zip(evenings, chosen, strict=True)
            ]
        )
        cells = [f"{mean[arm]:.0f}" for arm in ARMS]
        ratio = f"{mean[ARMS[0]] / best:.3f}"
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {ratio} | {above.mean():.1%} |")
    lines += ["", *_peaks(evenings)]
    return "\n".join(lines)


def _peaks(evenings: list[Evening]) -> list[str]:
    lines = ["| peak | " + " | ".join(ARMS) + " |", "|---|" + "---|" * 4]
    error, late = {}, {}
    for arm in ARMS:
        pairs = [(_median(e.said[arm]), e.actual) for e in evenings]
        error[arm] = np.median([abs(np.nanmax(f) / np.nanmax(a) - 1) for f, a in pairs])
        late[arm] = np.median([abs(int(np.nanargmax(f)) - int(np.nanargmax(a))) for f, a in pairs])
    minutes = evenings[0].stamps[1] - evenings[0].stamps[0]
    lines.append("| median error of its height | " + " | ".join(f"{error[a]:.0%}" for a in ARMS))
    lines.append(
        "| median error of its time, min | "
        + " | ".join(f"{late[a] * minutes.total_seconds() / 60:.0f}" for a in ARMS)
    )
    return [line if line.endswith("|") else line + " |" for line in lines]


def picture(evenings: list[Evening], path: Path) -> None:
    """Four evenings: the first, the last, the best foretold and the worst."""
    from matplotlib import dates
    from matplotlib import pyplot as plt

    order = sorted(evenings, key=lambda e: e.errors(e.inside)[ARMS[0]] / np.nanmean(e.actual))
    chosen = [evenings[0], evenings[-1], order[0], order[-1]]
    figure, axes = plt.subplots(2, 2, figsize=(11, 6.5), layout="constrained")
    for axis, one in zip(axes.flat, chosen, strict=True):
        ours = one.said[ARMS[0]]
        axis.fill_between(one.stamps, ours[:, 1], ours[:, 5], alpha=0.25, label="0.1 to 0.9")
        axis.plot(one.stamps, ours[:, MEDIAN], label=ARMS[0])
        axis.plot(one.stamps, one.said[ARMS[1]][:, MEDIAN], "--", label=ARMS[1])
        axis.plot(one.stamps, one.actual, "k", linewidth=1, label="what came")
        axis.axvspan(one.event.start, one.event.end, alpha=0.08, color="k")
        axis.set_title(f"{one.event.name}, {one.event.start:%a %d %b %H:%M} UTC", fontsize=10)
        axis.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
        axis.yaxis.set_major_formatter(lambda value, _: f"{value / 1000:g} k")
        axis.set_ylim(bottom=0)
    axes.flat[0].legend(fontsize=8)
    figure.supylabel("requests a minute", fontsize=10)
    figure.savefig(path, dpi=75)


def main() -> None:
    """Play the second half and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace", type=Path)
    parser.add_argument("events", type=Path)
    parser.add_argument("--timezone", default="UTC")
    parser.add_argument("--country")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    zone = ZoneInfo(given.timezone)
    trace = read_trace(given.trace)
    series: Series = coarsen(trace, timedelta(minutes=5))
    rules = FeedRules("events", ZoneInfo("UTC"))
    found = read_table(given.events.read_bytes(), rules, datetime.now(UTC))
    events = sorted((one.event for one in found.events), key=lambda e: e.start)
    fold = Fold(series, zone, given.country, HISTORY)
    models: dict[str, Model] = {
        ARMS[0]: CalendarModel(EventBook(tuple(events)), zone, given.country),
        ARMS[1]: EngineModel(),
    }
    evenings = [evening(fold, trace, event, models) for event in events[len(events) // 2 :]]
    given.out.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(
        {"event": e.event.name, "start": e.event.start, **e.errors(e.inside)} for e in evenings
    )
    frame.to_csv(given.out / "evenings.csv", index=False, float_format="%.1f")
    text = table(evenings)
    (given.out / "evenings.md").write_text(text + "\n")
    picture(evenings, given.out / "evenings.png")
    print(f"{len(evenings)} events, forecast {AHEAD // timedelta(hours=1)} h before\n{text}")


if __name__ == "__main__":
    main()
