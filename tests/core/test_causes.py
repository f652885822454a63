"""What is behind a number is named: the moment, the event, the floor."""

from dataclasses import replace
from datetime import time, timedelta

import numpy as np

from prescaler.core.calendar import Window
from prescaler.core.causes import causes
from prescaler.core.events import EventEffect
from prescaler.core.plan import require
from prescaler.core.uplift import Evidence, Frame, UpliftCurve
from tests.support.builders import MINUTE, MONDAY, forecast, policy

HOUR = timedelta(hours=1)
KICK_OFF = MONDAY + 20 * HOUR
FINAL = EventEffect("final", KICK_OFF, KICK_OFF + 2 * HOUR, 5.0)
RULES = policy()
CELLS = require(forecast(np.full(600, 800.0)), (FINAL,), RULES)
NIGHTLY = (Window(frozenset(range(7)), time(19, 30), time(23, 30), 40),)


def told(minutes: float, *effects: EventEffect, rules: object = RULES) -> dict[str, str]:
    now = KICK_OFF + minutes * MINUTE
    return dict(causes(now, CELLS, effects, rules))  # type: ignore[arg-type]


def test_before_a_raise_its_moment_and_its_event_are_named() -> None:
    assert told(-4, FINAL) == {"maximum": "for 21:00:00: final: x5, as declared"}
    assert told(-4) == {"maximum": "for 21:00:00"}
    assert told(60, FINAL) == {"event": "final: x5, as declared"}


def test_what_nothing_is_behind_has_no_note() -> None:
    assert told(-120, FINAL) == {}
    assert causes(KICK_OFF, None, (), RULES) == {}
    assert told(40 * 60, FINAL) == {}


def test_a_learnt_event_says_from_how_many() -> None:
    frame = Frame(5 * MINUTE, 24, 24, 24)
    evidence = (Evidence("one", MONDAY, 0.6), Evidence("two", MONDAY, 0.4))
    curve = UpliftCurve(frame, np.full(72, np.log(3.0)), np.zeros((72, 24)), 0.0, evidence)
    learnt = replace(FINAL, curve=curve)

    assert told(60, learnt)["event"] == "final: x3.00, learnt from 2 events"
    single = replace(learnt, curve=replace(curve, evidence=evidence[:1]))
    assert told(60, single)["event"].endswith("learnt from 1 event")


def test_of_many_events_two_are_named() -> None:
    added = replace(FINAL, name="sale", factor=1.0, added=50.0)
    quiet = replace(FINAL, name="rain", factor=0.5)
    floor = replace(FINAL, name="floor only", factor=1.0, min_pods=2)

    found = told(60, FINAL, added, quiet, floor)["event"]

    assert found == "final: x5, as declared, sale: +50, as declared and 1 more"
    assert told(60, floor) == {"floor": "floor only: 2 pods"}


def test_the_highest_floor_is_named_and_how_early_it_is_asked_for() -> None:
    rules = policy(windows=NIGHTLY, min_pods=3)
    match = replace(FINAL, factor=1.0, min_pods=44)

    assert told(30, rules=rules)["floor"] == "window 19:30-23:30: 40 pods"
    assert told(30, match, rules=rules)["floor"] == "final: 44 pods"
    assert told(-1, match, rules=rules)["floor"] == "final: 44 pods, from 60 s later on"
    assert told(-600, match, rules=rules)["floor"] == "policy.min_pods"


def test_names_are_cut_to_what_a_line_bears() -> None:
    long = replace(FINAL, name="n" * 200, min_pods=50)

    assert told(60, long)["event"] == f"{'n' * 40}: x5, as declared"
    assert told(60, long)["floor"] == f"{'n' * 40}: 50 pods"
