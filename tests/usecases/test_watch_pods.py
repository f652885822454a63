"""Counted pods in answers, and raises that come too late."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescaler.core.errors import SourceUnreachable
from prescaler.core.forecast import Forecast
from prescaler.core.hpa import desired_pods
from prescaler.core.lead_time import MeasuredStarts
from prescaler.core.policy import Policy, StartTime, Tolerance
from prescaler.core.records import PodCount, ServingState
from prescaler.core.workload import PodQuery
from prescaler.usecases.serve_metric import Served, ServingTable
from prescaler.usecases.watch_pods import judge_raises, look_at_pods, measure_starts
from tests.support.builders import MINUTE, MONDAY, STEP, forecast, lead_time, policy, workload
from tests.support.fakes import Counted

PODS = PodQuery("main", "running", None, "Deployment", "web", "prod", measure_starts=True)
SECOND = timedelta(seconds=1)
KICK_OFF = MONDAY + 12 * STEP


def exact(pods: float, later: float | None = None) -> Forecast:
    """A forecast of exactly so many pods, and of others from kick-off on."""
    path = np.full(100, pods * 80.0)
    path[12:] = path[12:] if later is None else later * 80.0
    values = np.repeat(path[:, None], 8, axis=1).astype(np.float32)
    return forecast(path, values=values, peak_ratio=np.ones(100, dtype=np.float32))


def table(
    made: Forecast | None, own: Policy | None = None, pods: PodQuery | None = PODS
) -> ServingTable:
    found = ServingTable()
    one = workload(policy=own or policy(hold=timedelta(0)), pods=pods)
    found.replace({"web": Served(one, ServingState(forecast=made))})
    return found


def hpa(served: Served, now: datetime, running: int, tolerance: Tolerance | None = None) -> int:
    """What the HPA makes of the answer."""
    return desired_pods(served.decide(now).value, 80.0, running, tolerance or Tolerance())


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([0.0, 0.05, 0.1, 0.2]))
def test_with_counted_pods_the_hpa_never_ignores_a_plan(
    planned: int, running: int, up: float
) -> None:
    tolerance = Tolerance(up=up)
    own = policy(hold=timedelta(0), lead_time=lead_time(tolerance=tolerance))
    found = table(exact(planned), own)
    look_at_pods(found, {"main": Counted({"web": PodCount(running, running, MONDAY)})}, MONDAY)

    after = hpa(found.get("web"), MONDAY, running, tolerance)

    assert after >= planned
    if planned > running:
        assert after <= planned * (1 + up) + 1
        assert after == min(
            n for n in range(planned, planned * 2 + 2)
            if desired_pods(float(n), 1.0, running, tolerance) == n
        )  # fmt: skip


def test_a_plan_nine_percent_above_what_runs_is_lost_without_a_count_and_kept_with_one() -> None:
    found = table(exact(109))
    assert hpa(found.get("web"), MONDAY, 100) == 100

    look_at_pods(found, {"main": Counted({"web": PodCount(100, 100, MONDAY)})}, MONDAY)

    assert hpa(found.get("web"), MONDAY, 100) == 111


def test_a_floor_of_40_on_37_running_pods_is_reached() -> None:
    found = table(None, policy(min_pods=40))
    assert hpa(found.get("web"), MONDAY, 37) == 37

    look_at_pods(found, {"main": Counted({"web": PodCount(37, 37, MONDAY)})}, MONDAY)
    decision = found.get("web").decide(MONDAY)

    assert hpa(found.get("web"), MONDAY, 37) == 41
    assert ("tolerance", 41 * 80.0) in [(s.name, s.load) for s in decision.stages]


@pytest.mark.parametrize(("age", "believed"), [(0, True), (59, True), (60, False), (-1, False)])
def test_a_count_is_believed_for_a_minute(age: int, believed: bool) -> None:
    found = table(exact(109))
    count = PodCount(100, 100, MONDAY - age * SECOND)
    look_at_pods(found, {"main": Counted({"web": count})}, MONDAY)

    assert (hpa(found.get("web"), MONDAY, 100) == 111) is believed


def test_counts_survive_a_new_forecast_and_a_failing_source() -> None:
    found, source = table(exact(109)), Counted({"web": PodCount(100, 99, MONDAY)})
    look_at_pods(found, {"main": source}, MONDAY)
    served = found.get("web")
    found.replace({"web": replace(served, state=replace(served.state, forecast=exact(110)))})
    source.failure = SourceUnreachable("refused")

    record = look_at_pods(found, {"main": source}, MONDAY)

    assert record.failures["main"].kind == "unreachable"
    assert (record.asked, record.counted) == (1, 0)
    assert found.get("web").observed.ready_pods == 99


def test_workloads_without_a_count_and_unknown_sources_are_left_alone() -> None:
    assert look_at_pods(table(exact(9), pods=None), {}, MONDAY).asked == 0
    assert look_at_pods(table(exact(9)), {}, MONDAY).counted == 0
    assert look_at_pods(table(exact(9)), {"main": Counted({})}, MONDAY).counted == 0


def test_a_raise_that_became_known_too_late_is_said_until_its_time_has_come() -> None:
    found = table(exact(12))
    now = KICK_OFF - 2 * MINUTE
    judge_raises(found, now)
    assert found.get("web").sighting.late is None
    served = found.get("web")
    found.replace({"web": replace(served, state=replace(served.state, forecast=exact(12, 120)))})

    for later in (0, 15, 60):
        judge_raises(found, now + later * SECOND)
        late = found.get("web").sighting.late
        assert late is not None
        assert (late.at, late.pods) == (KICK_OFF, 120)
    judge_raises(found, KICK_OFF + SECOND)

    assert found.get("web").sighting.late is None


def test_counted_pods_say_whether_it_is_late_and_that_it_no_longer_is() -> None:
    found, now = table(exact(12, 120)), KICK_OFF - 2 * MINUTE
    found.get("web").sighting.pods = PodCount(12, 12, now)
    judge_raises(found, now)
    assert found.get("web").sighting.late is not None

    found.get("web").sighting.pods = PodCount(120, 90, now + MINUTE)
    judge_raises(found, now + MINUTE)

    assert found.get("web").sighting.late is None


def test_without_a_forecast_nothing_is_late() -> None:
    found = table(None)
    judge_raises(found, MONDAY)

    assert found.get("web").sighting.late is None


def test_starts_are_measured_at_whole_hours_where_they_are_wanted() -> None:
    source = Counted({})
    found, failures = measure_starts(table(None), {"main": source}, MONDAY + 17 * MINUTE)
    unwanted, _ = measure_starts(
        table(None, pods=replace(PODS, measure_starts=False)), {"main": source}, MONDAY
    )

    assert source.asked == [MONDAY]
    assert (list(found), failures, unwanted) == (["web"], {}, {})
    source.failure = SourceUnreachable("refused")
    again, failures = measure_starts(table(None), {"main": source}, MONDAY)
    assert (again, list(failures)) == ({}, ["main"])


def test_measured_starts_move_the_plan() -> None:
    served = table(exact(12, 120)).get("web")
    slow = served.with_starts(
        MeasuredStarts(StartTime(MINUTE, 9 * MINUTE), None, pod_samples=40, node_samples=0)
    )
    now = KICK_OFF - 10 * MINUTE

    assert served.decide(now).pods == 12
    assert slow.decide(now).pods == 120
