"""At a glance: what is told, what comes next, what needs a look."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from prescaler.adapters.memory import MemoryWorkloads
from prescaler.adapters.memory_demand import MemoryDemand
from prescaler.core.control import Authored, Control, GuardTrip, Override
from prescaler.core.event_book import EventBook
from prescaler.core.forecast import Basis
from prescaler.core.policy import Mode
from prescaler.core.records import Outcome, RunStatus, ServingState, SourceFailure
from prescaler.usecases.serve_metric import Served
from prescaler.usecases.survey import FRESH, Survey, Urgency, next_peak, spark
from tests.support.builders import (
    DAY,
    MINUTE,
    MONDAY,
    STEP,
    event,
    flat_forecast,
    forecast,
    policy,
    series,
    workload,
)

NOW = MONDAY + timedelta(hours=1)
RUN = RunStatus(NOW, Outcome.STORED, last_actual=900.0, last_actual_at=NOW)


def served(name: str = "web", **changes: Any) -> Served:
    state = {"forecast": forecast(), "status": RUN, **changes}
    rules = state.pop("policy", policy())
    return Served(workload(name=name, policy=rules), ServingState(**state))


def finding(**changes: Any) -> tuple[Urgency, str]:
    (glance,) = Survey().of([served(**changes)], NOW)
    return glance.finding.urgency, glance.finding.what


def record(**row: float) -> Any:
    return forecast(track_record={"1h": {"outcomes": 99.0, **row}})


FAILED = SourceFailure("refused", "HTTP 400: mend the query")
BY = Authored("ada", "final", MONDAY, None)
CASES: list[tuple[dict[str, Any], Urgency, str]] = [
    ({}, Urgency.FINE, ""),
    ({"status": replace(RUN, source_failure=FAILED)}, Urgency.ACT, "demand cannot be read"),
    ({"control": Control(guard=GuardTrip("spike", "x9", MONDAY))}, Urgency.ACT, "a guard has"),
    ({"forecast": None, "status": None}, Urgency.NOTE, "no forecast yet"),
    ({"forecast": None}, Urgency.ACT, "no forecast"),
    (
        {"forecast": None, "status": RunStatus(NOW, Outcome.TOO_LITTLE_HISTORY, "5 h")},
        Urgency.NOTE,
        "too little history",
    ),
    ({"status": replace(RUN, at=NOW - DAY)}, Urgency.ACT, "runs are late"),
    ({"status": replace(RUN, last_actual_at=NOW - DAY)}, Urgency.LOOK, "no new demand"),
    ({"status": replace(RUN, last_actual=9e5)}, Urgency.LOOK, "more came than"),
    (
        {"status": replace(RUN, last_actual=9e5), "policy": policy(mode=Mode.SHADOW)},
        Urgency.FINE,
        "",
    ),
    ({"policy": policy(max_pods=1)}, Urgency.LOOK, "cut by the ceiling"),
    ({"forecast": record(error_ratio=1.2)}, Urgency.LOOK, "no better than naive"),
    ({"forecast": forecast(basis=Basis.NAIVE)}, Urgency.LOOK, "no better than naive"),
    ({"forecast": record(**{"0.95": 0.7})}, Urgency.LOOK, "too often above"),
    ({"control": Control(override=Override(BY, None, 3))}, Urgency.NOTE, "set by a person"),
    ({"policy": policy(mode=Mode.CAPPED, cap=0.0)}, Urgency.NOTE, "capped"),
    ({"policy": policy(mode=Mode.SHADOW)}, Urgency.FINE, ""),
]


def test_a_crowd_that_leaves_is_no_surprise() -> None:
    planned = event(start=NOW - timedelta(hours=2), end=NOW - timedelta(minutes=20))
    one = served(status=replace(RUN, last_actual=9e5))
    known = replace(one, book=EventBook((planned,)))

    (glance,) = Survey().of([known], NOW)
    assert glance.finding.urgency is Urgency.FINE


@pytest.mark.parametrize(("changes", "urgency", "what"), CASES)
def test_what_needs_a_look_is_said_gravest_first(
    changes: dict[str, Any], urgency: Urgency, what: str
) -> None:
    found = finding(**changes)

    assert found[0] is urgency
    assert found[1].startswith(what)


def test_a_forecast_that_has_ended_needs_action() -> None:
    late = forecast(cutoff=NOW - 3 * DAY, issued_at=NOW - 3 * DAY)

    assert finding(forecast=late) == (Urgency.ACT, "the last forecast has ended")


def test_a_glance_is_kept_until_it_is_old_or_something_changed() -> None:
    survey, one = Survey(), served()
    (first,) = survey.of([one], NOW)

    assert survey.of([one], NOW + FRESH / 2)[0] is first
    assert survey.of([one], NOW + FRESH)[0] is not first
    assert survey.of([served()], NOW + FRESH)[0].served is not one


def test_the_next_peak_names_its_pods_and_until_when_they_must_be_asked_for() -> None:
    median = np.full(600, 400.0)
    median[60:66] = 4000.0  # five hours ahead, half an hour long
    found = next_peak(served(forecast=forecast(median)), NOW)

    assert found is not None
    assert found.at == MONDAY + 60 * STEP
    assert found.load == pytest.approx(4000 * 1.3 * 1.1, rel=1e-3)
    assert found.pods == 72
    # 15 s x 5 steps of the ramp from 8 pods, 60 s for a pod, 240 s for a node, rounded up.
    assert timedelta(minutes=5) < found.at - found.safe_start < timedelta(minutes=8)


def test_no_peak_without_a_forecast_or_behind_its_end() -> None:
    assert next_peak(served(forecast=None), NOW) is None
    assert next_peak(served(), NOW + 5 * DAY) is None


def test_what_was_warmed_is_not_worked_out_again() -> None:
    survey, one = Survey(), served()
    survey.warm([one], NOW)

    (first,) = survey.of([one], NOW)

    assert survey.of([one], NOW)[0] is first
    assert survey._peaks["web"][1] is one
    assert survey._kept["web"][1] is first


def test_rises_begin_with_the_largest_and_leave_out_what_falls() -> None:
    def rising(name: str, to: float) -> Served:
        return served(name, forecast=forecast(np.linspace(100.0, to, 600)))

    survey = Survey()
    all_of_them = [rising("a", 1000.0), rising("b", 9000.0), rising("falls", 10.0)]
    glances = survey.of([*all_of_them, served("none", forecast=None)], NOW)

    found = survey.rises(glances, NOW)

    assert [rise.glance.served.workload.name for rise in found] == ["b", "a"]
    assert found[0].more == found[0].peak.pods - found[0].glance.decision.pods > 0
    assert survey.rises(glances, NOW + MINUTE / 2)[0].peak is found[0].peak


def test_a_spark_shows_a_day_back_and_a_day_ahead() -> None:
    demand, version = MemoryDemand(), MemoryWorkloads().ensure(workload(), MONDAY)
    demand.append(version, series(np.full(120, 7.0), NOW - 2 * timedelta(hours=1), MINUTE))

    found = spark(served(version=version, forecast=flat_forecast(100.0)), demand, NOW)

    assert (len(found.stamps), int(found.stamps[-1] - found.stamps[0])) == (97, 2 * 86_400)
    assert np.nansum(found.actual) == 4 * 7.0
    assert set(found.median[np.isfinite(found.median)]) == {100.0}
    assert np.isnan(found.median[:40]).all()
    assert np.isnan(spark(served(forecast=None), demand, NOW).actual).all()
