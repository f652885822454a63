"""Past crowds that met pods at their limit are lower bounds, and stay so once that is known."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from prescaler.core.arrays import IntArray
from prescaler.core.errors import SourceUnreachable
from prescaler.core.records import PodHistory
from prescaler.core.uplift import UpliftModel
from prescaler.core.workload import PodQuery
from prescaler.usecases.forecast_workload import RunRecord, forecast_workload
from tests.support.builders import DAY, MINUTE, MONDAY, workload
from tests.support.fakes import PlayedSource
from tests.usecases.test_crowds import CALENDAR, HOUR, World, crowded

QUERY = PodQuery("main", "replicas", "ready", "Deployment", "web", "prod")
WATCHED = workload(pods=QUERY)
NEWEST = min(CALENDAR, key=lambda event: MONDAY - event.start)
CAUGHT = 300.0
"""What three pods of 100 each can serve."""


class Pods:
    """Three ready pods on the newest evening, hundreds at all other times."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.fails = False
        self.ready = True

    def history(self, asked: PodQuery, instants: IntArray) -> PodHistory:
        self.asked.append((int(instants[0]), len(instants)))
        if self.fails:
            raise SourceUnreachable("refused")
        first, last = NEWEST.start.timestamp(), NEWEST.end.timestamp()
        caught = (instants >= first) & (instants < last)
        counts = np.where(caught, 3.0, 500.0)
        unknown = np.full(len(instants), np.nan)
        return PodHistory(counts, counts if self.ready else unknown)


def world(pods: Pods | None) -> World:
    """Evenings of six times the demand; on the newest one three pods could serve no more."""
    found = World(*CALENDAR)
    values = crowded()
    first = int((NEWEST.start - (MONDAY - 28 * DAY)) / MINUTE)
    values[first : first + 120] = np.minimum(values[first : first + 120], CAUGHT)
    found.source = PlayedSource(MONDAY - 28 * DAY, values)
    known = {"main": pods} if pods is not None else {}
    found.ports = replace(found.ports, source=found.source, pods=known)  # type: ignore[arg-type]
    return found


def run(found: World) -> RunRecord:
    return forecast_workload(WATCHED, found.ports)


def learnt(found: World) -> UpliftModel:
    model = found.ports.lore.uplifts.get(found.workloads.ensure(WATCHED, MONDAY))
    assert model is not None
    return model


def suggested(found: World) -> float:
    curve = learnt(found).typical("football")
    assert curve is not None
    return curve.suggested()


@pytest.mark.parametrize("ready", [True, False], ids=["ready counted", "running only"])
def test_an_evening_whose_pods_were_full_lowers_no_curve(ready: bool) -> None:
    pods = Pods()
    pods.ready = ready
    blind, seeing = world(None), world(pods)
    run(blind)
    record = run(seeing)

    assert record.pods_failure is None
    assert suggested(seeing) > 1.1 * suggested(blind)
    assert suggested(seeing) == pytest.approx(6.0, rel=0.15)


def test_each_evening_is_asked_about_once_and_what_was_heard_stays() -> None:
    pods = Pods()
    found = world(pods)
    run(found)
    assert len(pods.asked) == len(CALENDAR)
    assert all(count == (2 + 2 + 2) * 12 for _, count in pods.asked)
    before = suggested(found)

    found.clock.move(timedelta(hours=3))
    run(found)

    assert len(pods.asked) == len(CALENDAR)
    assert suggested(found) == pytest.approx(before, rel=0.02)


def test_a_source_that_does_not_answer_is_told_and_an_evening_just_over_asked_again() -> None:
    pods = Pods()
    pods.fails = True
    found = world(pods)
    found.clock.present = NEWEST.end + 3 * HOUR
    record = run(found)

    assert record.pods_failure is not None
    assert record.pods_failure.kind == "unreachable"
    assert record.forecast is not None
    assert len(pods.asked) == 1

    pods.fails = False
    found.clock.move(HOUR)
    assert run(found).pods_failure is None
    assert len(pods.asked) == 2
    assert learnt(found).kinds["football"].examples[-1].censored.any()


def test_without_counts_nothing_is_a_lower_bound() -> None:
    found = world(None)
    run(found)

    assert not any(one.censored.any() for one in learnt(found).kinds["football"].examples)
