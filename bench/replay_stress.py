"""What happens when the world does not keep to the calendar, beside reactive scaling."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

import numpy as np

from bench.replay_cases import DAY, PRICES, Bench, Case, scenario
from prescaler.core.event_book import EventBook
from prescaler.core.instants import to_epoch
from prescaler.core.planned import Effect, PlannedEvent
from prescaler.core.replay.arms import Played
from prescaler.core.replay.ground import Arm, Setting
from prescaler.core.replay.measures import EVENT
from prescaler.core.replay.stress import (
    across_clock_change,
    level_shift,
    moved,
    unseen,
)
from prescaler.core.replay.words import told
from prescaler.core.scaledobject import Variant
from prescaler.core.series import Series
from prescaler.usecases.replay_period import ground_of, occurrences
from prescaler.usecases.replay_subject import TraceFacts, of_trace


@dataclass(frozen=True, eq=False)
class Twist:
    """What goes wrong besides.

    blind: reactive scaling sees nothing from so long before each event to its end. dies: prescaler
    answers nothing from an hour before each on. truth: what really happens, where the case (what
    prescaler knows) is wrong. variant: how prediction and reality are put together.
    """

    blind: timedelta | None = None
    dies: bool = False
    truth: Case | None = None
    variant: Variant = Variant.FORMULA


def stress(bench: Bench, case: Case) -> list[dict[str, object]]:
    """What happens when the world does not keep to the calendar, beside reactive scaling.

    The last two weeks, with all that was learnt before: a walk of five weeks takes minutes each.
    """
    plain = replace(case, start=max(case.start, case.end - 14 * DAY))
    crowded, events = scenario(plain, "x5", 5.0), plain.subject.book.events
    tenfold = scenario(plain, "x10", 10.0)
    late = _with_book(crowded, "moved", _moved_from(plain.start, events))
    rumour = _with_book(plain, "rumour", [*events, *_rumours(plain)])
    middle = plain.start + (plain.end - plain.start) / 2
    shifted = _with_series(plain, "shift", level_shift(plain.subject.series, middle, 2.0))
    runs = [
        ("x5 in 2 min, planned", crowded, Arm.CALENDAR, Twist()),
        ("x5 in 2 min, unplanned", crowded, Arm.PLAIN, Twist()),
        ("x10 in 2 min, planned", tenfold, Arm.CALENDAR, Twist()),
        ("x5, 15 min before the calendar says", late, Arm.CALENDAR, Twist(truth=crowded)),
        ("x5, prescaler dies in events", crowded, Arm.CALENDAR, Twist(dies=True)),
        *_gaps(case, crowded),
        ("five announced crowds that never come", rumour, Arm.CALENDAR, Twist()),
        ("clock change", _clock_change(plain), Arm.PLAIN, Twist()),
        ("level shift x2", shifted, Arm.PLAIN, Twist()),
    ]
    rows = []
    for title, one, arm, twist in runs:
        found = _stressed(bench, title, one, arm, twist)
        print(*found, sep="\n", flush=True)
        rows += found
    return rows


def _gaps(case: Case, crowded: Case) -> list[tuple[str, Case, Arm, Twist]]:
    """Prometheus is away: for the reactive trigger alone, and for prescaler's own demand too."""
    rows, at_once, before = [], timedelta(0), timedelta(hours=1)
    events = occurrences(crowded.subject.book, crowded.start, crowded.end)
    hidden = unseen(crowded.subject.series, [(one.start - before, one.end) for one in events])
    away = _with_series(crowded, "away", hidden)
    for variant in (Variant.FORMULA, Variant.TWO_TRIGGERS):
        told = variant.value.replace("-", " ")
        blind = Twist(blind=at_once, variant=variant)
        gap = Twist(blind=before, truth=crowded, variant=variant)
        rows += [
            (f"reactive blind in events, {told}", case, Arm.CALENDAR, blind),
            (f"x5, Prometheus away for both, {told}", away, Arm.CALENDAR, gap),
        ]
    return rows


def _with_book(plain: Case, name: str, events: Sequence[PlannedEvent]) -> Case:
    """The truth of a case under another calendar."""
    subject = replace(plain.subject, book=EventBook(tuple(sorted(events, key=_start))))
    return replace(plain, name=f"{plain.name}-{name}", subject=subject)


def _start(event: PlannedEvent) -> datetime:
    return event.start


def _moved_from(at: datetime, events: Sequence[PlannedEvent]) -> list[PlannedEvent]:
    """Past matches were where the calendar says; those to come begin 15 minutes before."""
    later = [one for one in events if one.start >= at]
    return [one for one in events if one.start < at] + moved(later, timedelta(minutes=15))


def _with_series(plain: Case, name: str, series: Series) -> Case:
    subject = replace(plain.subject, series=series)
    return replace(plain, name=f"{plain.name}-{name}", subject=subject)


def _rumours(plain: Case) -> list[PlannedEvent]:
    """Five announced crowds of five times ordinary demand, on evenings without a match."""
    busy = {one.start.date() for one in plain.subject.book.events}
    days = [plain.start + n * DAY for n in range((plain.end - plain.start) // DAY)]
    free = [day.replace(hour=20) for day in days if day.date() not in busy][:5]
    model = plain.subject.book.events[0]
    effect = Effect(factor=5.0, ramp_before=timedelta(minutes=2))
    return [
        replace(
            model,
            id=uuid5(NAMESPACE_URL, f"rumour {n}"),
            name=f"rumour {n}",
            kind="rumour",
            start=at,
            end=at + timedelta(minutes=110),
            effect=effect,
        )
        for n, at in enumerate(free)
    ]


def _clock_change(plain: Case) -> Case:
    """Two weeks around the change, without matches: people live by the wall clock of Paris."""
    zone, middle = ZoneInfo("Europe/Paris"), plain.start + (plain.end - plain.start) / 2
    series, change = across_clock_change(plain.subject.series, middle, zone)
    facts = TraceFacts(f"{plain.name}-clock", zone, capacity=_capacity(plain))
    subject = of_trace(series, facts)
    return Case(facts.name, subject, change - 3 * DAY, change + 7 * DAY)


def _capacity(case: Case) -> float:
    return case.subject.workload.policy.capacity.per_pod


def _stressed(
    bench: Bench,
    title: str,
    case: Case,
    arm: Arm,
    twist: Twist,
) -> list[dict[str, object]]:
    """Reactive scaling at 70 % and prescaler at three quantiles and as growth, on one scenario."""
    truth = (twist.truth or case).subject
    known = ground_of(truth, case.start, case.end)
    if twist.blind is not None:
        spans = [(one.start - twist.blind, one.end) for one in known.events]
        known = ground_of(truth, case.start, case.end, unseen(truth.series, spans))
    ground = replace(
        bench.ground(case, [arm]),
        load=known.load,
        events=known.events,
        formula=twist.variant is Variant.FORMULA,
    )
    if twist.dies:
        ticks = ground.load.ticks
        edges = [
            [to_epoch(one.start - timedelta(hours=1)), to_epoch(one.end)] for one in ground.events
        ]
        ground = replace(ground, dead=[tuple(np.searchsorted(ticks, e)) for e in edges])
    settings = [Setting(Arm.REACTIVE, 0.7), *(Setting(arm, 0.7, q) for q in (0.5, 0.75, 0.95))]
    if twist.variant is Variant.FORMULA:
        settings.append(Setting(arm, 0.7, 0.75, growth=True))
    return [_stress_row(title, one) for one in bench.play(ground, settings)]


def _stress_row(title: str, one: Played) -> dict[str, object]:
    every, crowd = one.tally.measures(PRICES), one.tally.measures(PRICES, EVENT)
    return {
        "scenario": title,
        "setting": told(one.setting),
        "pod_hours": every.pod_hours,
        "dropped": every.dropped,
        "dropped_in_events": crowd.dropped,
        "readiness": one.readiness,
        "minutes_late": one.late,
        "worst_late": max((at.late for at in one.starts), default=None),
    }


def never_below(bench: Bench, case: Case) -> dict[str, object]:
    """Prescaler dead from the beginning is reactive scaling alone, pod by pod."""
    arm = Arm.CALENDAR if case.subject.book.events else Arm.PLAIN
    ground = bench.ground(case, [arm])
    dead = replace(ground, dead=[(0, len(ground.load))])
    pairs = [
        bench.play(dead, [Setting(arm, u, 0.95), Setting(Arm.REACTIVE, u)]) for u in (0.5, 0.7, 0.9)
    ]
    same = all(np.array_equal(ours.ready, alone.ready) for ours, alone in pairs)
    return {"trace": case.name, "dead_is_reactive": bool(same)}
