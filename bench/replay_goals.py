"""The bars of the benchmark on a trace with a calendar."""

from collections.abc import Sequence
from datetime import timedelta

from bench.replay_cases import DAY, FINE, PRICES, SEEDS, Bench, Case, Points, scenario
from prescaler.core.replay.arms import READY, Played, multiplier
from prescaler.core.replay.ground import Arm, Ground, Setting
from prescaler.core.replay.measures import EVENT
from prescaler.usecases.replay_period import (
    occurrences,
)


def goals(bench: Bench, plain: Case) -> list[dict[str, object]]:
    """The bars of the benchmark on a trace with a calendar.

    Chosen on the first half of the events, scored on the second.
    """
    half = _halves(plain)
    ground = bench.ground(plain, [Arm.CALENDAR])
    reactive = bench.play(ground, [Setting(Arm.REACTIVE, u) for u in FINE])
    ours = bench.play(ground, calendar_settings())
    rows = [
        _equal_hours(f"(a) reactive drops {100 * level:g} %", reactive, ours, half, level)
        for level in (0.001, 0.01)
    ]
    rows.append(_today(bench, ground, ours))
    crowded = scenario(plain, "x5", 5.0)
    ground = bench.ground(crowded, [Arm.CALENDAR])
    reactive = bench.play(ground, [Setting(Arm.REACTIVE, u) for u in FINE])
    ours = bench.play(ground, calendar_settings())
    rows.append(_equal_hours("(b) x5, reactive at 0.7", reactive, ours, half, None))
    rows.append(_today(bench, ground, ours, "x5: "))
    return rows


def calendar_settings() -> list[Setting]:
    """Quantiles, shared targets, holds, and reactive terms with a target of their own."""
    utilisations = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
    found = [
        Setting(Arm.CALENDAR, u, q, hold)
        for q in (0.25, 0.5, 0.75, 0.9, 0.95)
        for u in utilisations
        for hold in (timedelta(0), None)
    ]
    apart = [Setting(Arm.CALENDAR, u, q, None, 1.0) for q in (0.5, 0.75) for u in utilisations[:-1]]
    return [*found, *apart]


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
    bench: Bench, ground: Ground, ours: Sequence[Played], title: str = ""
) -> dict[str, object]:
    """The cheapest of each side with 99 % of the pods ready at the starts."""
    utilisations = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
    floors = bench.play(
        ground,
        [Setting(Arm.TODAY_FLOOR, u, times=multiplier(ground, u, SEEDS[:1])) for u in utilisations],
    )
    cheapest = [_ready(side) for side in (floors, ours)]
    hours = [one.tally.measures(PRICES).pod_hours if one else None for one in cheapest]
    change = hours[1] / hours[0] - 1 if hours[0] and hours[1] else None
    return {
        "goal": f"{title}today's windows x multiplier, 99 % ready",
        "today": str(cheapest[0].setting) if cheapest[0] else None,
        "setting": str(cheapest[1].setting) if cheapest[1] else None,
        "hours_today": hours[0],
        "hours_ours": hours[1],
        "change": change,
        "by_utilisation": [
            (
                one.setting.utilisation,
                one.setting.times,
                one.readiness,
                one.tally.measures(PRICES).pod_hours,
            )
            for one in floors
        ],
    }


def _ready(runs: Sequence[Played]) -> Played | None:
    kept = [one for one in runs if (one.readiness or 0.0) >= READY]
    return min(kept, key=lambda one: one.tally.measures(PRICES).pod_hours, default=None)
