"""The bars of the benchmark on a trace with a calendar."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from bench.replay_cases import DAY, FINE, PRICES, SEEDS, Bench, Case, Points, scenario
from prescaler.core.event_book import EventBook
from prescaler.core.instants import from_epoch
from prescaler.core.replay.arms import READY, Played, multiplier
from prescaler.core.replay.ground import Arm, Ground, Setting
from prescaler.core.replay.measures import EVENT
from prescaler.core.replay.words import told
from prescaler.usecases.replay_period import (
    occurrences,
)


def goals(bench: Bench, plain: Case) -> list[dict[str, object]]:
    """The bars of the benchmark on a trace with a calendar.

    Chosen on the first half of the events, scored on the second.
    """
    half = _halves(plain)
    parts = (("all events", slice(0, None)), ("second half", half[1]))
    ground = bench.ground(plain, [Arm.CALENDAR])
    reactive = bench.play(ground, [Setting(Arm.REACTIVE, u) for u in FINE])
    ours = bench.play(ground, calendar_settings())
    rows = [
        _equal_hours(f"(a) reactive drops {100 * level:g} %", reactive, ours, half, level)
        for level in (0.001, 0.01)
    ]
    rows += [_today(bench, ground, ours, f"today's windows, {name}", days) for name, days in parts]
    later = ("from the second day on", slice(1, None))
    crowded = scenario(plain, "x5", 5.0)
    ground = bench.ground(crowded, [Arm.CALENDAR])
    reactive = bench.play(ground, [Setting(Arm.REACTIVE, u) for u in FINE])
    ours = bench.play(ground, calendar_settings())
    rows.append(_equal_hours("(b) x5, reactive at 0.7", reactive, ours, half, None))
    rows += [
        _today(bench, ground, ours, f"x5, today's windows, {name}", days)
        for name, days in (*parts, later)
    ]
    declared = _first_day_declared(crowded, 10.0)
    ground = bench.ground(declared, [Arm.CALENDAR])
    ours = bench.play(ground, calendar_settings())
    return [
        *rows,
        _today(bench, ground, ours, "x5, first day declared x10", parts[0][1]),
    ]


def _first_day_declared(case: Case, factor: float) -> Case:
    """The same, where somebody has said what the first day brings: nothing is learnt by then."""
    day = min(event.start for event in case.subject.book.events) + DAY
    events = (
        replace(one, effect=replace(one.effect, factor=factor)) if one.start < day else one
        for one in case.subject.book.events
    )
    subject = replace(case.subject, book=EventBook(tuple(events)))
    return replace(case, name=f"{case.name}-told", subject=subject)


def calendar_settings() -> list[Setting]:
    """Quantiles, shared targets, holds, reactive terms with a target of their own, and growth."""
    utilisations = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
    found = [
        Setting(Arm.CALENDAR, u, q, hold)
        for q in (0.25, 0.5, 0.75, 0.9, 0.95)
        for u in utilisations
        for hold in (timedelta(0), None)
    ]
    apart = [Setting(Arm.CALENDAR, u, q, None, 1.0) for q in (0.5, 0.75) for u in utilisations[:-1]]
    growth = [
        Setting(Arm.CALENDAR, u, q, hold, growth=True)
        for q in (0.5, 0.75)
        for u in FINE
        if u >= 0.6
        for hold in (timedelta(0), timedelta(minutes=2), None)
    ]
    return [*found, *apart, *growth]


def _halves(case: Case) -> tuple[slice, slice]:
    """Days with the first half of the events, and with the second."""
    events = occurrences(case.subject.book, case.start, case.end)
    middle = (events[len(events) // 2].start - case.start) // DAY
    return slice(0, middle), slice(middle, None)


def _equal_hours(
    title: str,
    reactive: Sequence[Played],
    ours: Sequence[Played],
    half: tuple[slice, slice],
    level: float | None,
) -> dict[str, object]:
    """Dropped demand in event windows at the pod-hours of reactive scaling."""
    first, second = (Points(reactive, EVENT, days) for days in half)
    if level is None:
        at = next(n for n, one in enumerate(reactive) if one.setting.utilisation == 0.7)
        hours = float(first.numbers()[at, 0])
    else:
        hours = first.hours_at(level)
    mine = Points(ours, EVENT, half[0]).numbers()
    allowed = [n for n in range(len(ours)) if mine[n, 0] <= hours]
    if not allowed:
        return {"goal": title, "hours_first": hours, "setting": "none spends so little"}
    best = min(allowed, key=lambda n: mine[n, 1])
    spent, dropped = Points([ours[best]], EVENT, half[1]).numbers()[0]
    theirs = second.dropped_at(float(spent))
    return {
        "goal": title,
        "chosen": ours[best].setting.arm.value,
        "setting": str(ours[best].setting),
        "hours_first": hours,
        "hours_second": float(spent),
        "dropped_second": float(dropped),
        "reactive_dropped_at_the_same_hours": theirs,
        "change": float(dropped) / theirs - 1 if theirs > 0 else None,
        "readiness": ours[best].readiness,
    }


def _today(
    bench: Bench, ground: Ground, ours: Sequence[Played], title: str, days: slice
) -> dict[str, object]:
    """The cheapest of each side with 99 % of the pods ready at the starts, both in hindsight.

    days: those that count, with their events; the multiplier of today's side is the smallest that
    is ready at these.
    """
    begun = from_epoch(int(ground.load.ticks[0])) + (days.start or 0) * DAY
    counted = replace(ground, events=[one for one in ground.events if one.start >= begun])
    floors = bench.play(counted, [_floor(counted, u) for u in (0.6, 0.7, 0.8, 0.85, 0.9)])
    oracle = bench.play(counted, [Setting(Arm.ORACLE, u) for u in FINE])
    cheapest = [_ready(side, days, begun) for side in (floors, ours, oracle)]
    hours = [_hours(one, days) if one else None for one in cheapest]
    return {
        "goal": f"{title}, 99 % ready",
        "today": told(cheapest[0].setting) if cheapest[0] else None,
        "setting": told(cheapest[1].setting) if cheapest[1] else None,
        "hours_today": hours[0],
        "hours_ours": hours[1],
        "hours_oracle": hours[2],
        "change": hours[1] / hours[0] - 1 if hours[0] and hours[1] else None,
        "by_utilisation": [(told(one.setting), one.readiness, _hours(one, days)) for one in floors],
    }


def _floor(ground: Ground, utilisation: float) -> Setting:
    times = multiplier(ground, utilisation, SEEDS[:1])
    return Setting(Arm.TODAY_FLOOR, utilisation, times=times)


def _hours(one: Played, days: slice) -> float:
    return one.tally.measures(PRICES, days=days).pod_hours


def _ready(runs: Sequence[Played], days: slice, begun: datetime) -> Played | None:
    """The cheapest that is ready at the events from an instant on."""

    def readiness(one: Played) -> float:
        return float(np.mean([at.readiness for at in one.starts if at.start >= begun]))

    kept = [one for one in runs if readiness(one) >= READY]
    return min(kept, key=lambda one: _hours(one, days), default=None)
