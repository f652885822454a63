"""What is said of workloads that grow or sleep."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from prescaler.core.control import Authored, Control, GuardTrip, ModeChange
from prescaler.core.policy import ActsAs, Mode
from prescaler.core.records import Outcome, PodCount, RunStatus, ServingState
from prescaler.usecases.foresee import beyond_max
from prescaler.usecases.foretell import Growing, Sleeping, growing, sleeping
from prescaler.usecases.serve_metric import Served
from prescaler.usecases.survey import Survey, next_peak
from tests.support.builders import MONDAY, STEP, forecast, policy, workload

NOW = MONDAY + timedelta(hours=1)
RISE = np.concatenate([np.full(36, 800.0), np.full(564, 1600.0)])
DOUBLED = MONDAY + 36 * STEP
RUN = RunStatus(NOW, Outcome.STORED, last_actual=900.0, last_actual_at=NOW)
BY = Authored("ada", "final", MONDAY, None)


def served(**changes: Any) -> Served:
    state: dict[str, Any] = {"forecast": forecast(RISE), "status": RUN}
    rules = {"acts_as": ActsAs.GROWTH}
    for name, value in changes.items():
        (state if name in {"forecast", "status", "control"} else rules)[name] = value
    return Served(workload(policy=policy(**rules)), ServingState(**state))


def grown(now: Any = NOW, **changes: Any) -> Growing:
    one = served(**changes)
    found = growing(one, one.decide(now), now)
    assert found is not None
    return found


def test_growth_now_ahead_and_in_pods_beside_reactive() -> None:
    before, amid = grown(), grown(DOUBLED - timedelta(minutes=3))

    assert (before.now, before.reactive, before.pods) == (1.0, 12, 12)
    assert before.ahead.at is not None
    assert before.ahead.highest == pytest.approx(2.0, abs=0.01)
    assert amid.now > 1.1
    assert amid.pods > 12
    assert not amid.silent


def test_a_plan_has_no_growth() -> None:
    one = served(acts_as=ActsAs.PLAN)

    assert growing(one, one.decide(NOW), NOW) is None
    assert one.asked(one.decide(NOW)) == one.decide(NOW).pods


@pytest.mark.parametrize(
    "control",
    [Control(guard=GuardTrip("spike", "x9", MONDAY)), Control(ModeChange(BY, Mode.SHADOW))],
)
def test_what_is_not_served_is_called_so(control: Control) -> None:
    found = grown(DOUBLED - timedelta(minutes=3), control=control)

    assert found.now == 1.0
    assert found.ahead.now > 1.1
    assert found.silent


def test_the_cap_is_seen_ahead() -> None:
    assert grown(mode=Mode.CAPPED, cap=0.25).ahead.highest == 1.25


def test_without_forecast_or_demand_nothing_is_invented() -> None:
    found = grown(forecast=None, status=None, min_pods=3)

    assert (found.now, found.ahead.highest, found.ahead.at) == (1.0, 1.0, None)
    assert (found.live, found.reactive, found.pods) == (None, None, 3)


def test_the_ceiling_bounds_what_growth_asks_for_and_not_reality() -> None:
    assert grown(DOUBLED - timedelta(minutes=3), max_pods=13).pods == 13
    assert grown(DOUBLED - timedelta(minutes=3), max_pods=5).pods == 12


def test_peaks_and_rises_are_those_of_growth() -> None:
    one = served()
    peak = next_peak(one, NOW)
    (rise,) = Survey().rises(Survey().of([one], NOW), NOW)

    assert peak is not None
    assert (peak.load, peak.pods) == (1600.0, 20)
    assert peak.at - peak.safe_start == one.policy.growth_ahead
    assert rise.more == 20 - 12
    assert beyond_max(one, NOW) is None


def test_loads_are_floors_and_the_median_times_growth() -> None:
    instants = np.array([int(DOUBLED.timestamp()), int((DOUBLED + 9 * STEP).timestamp())])

    assert served(min_pods=3).loads(instants, NOW).tolist() == pytest.approx(
        [1600.0, 1600.0], 0.001
    )
    assert served(min_pods=30).loads(instants, NOW).tolist() == [2400.0, 2400.0]
    assert served(forecast=None, min_pods=3).loads(instants, NOW).tolist() == [240.0, 240.0]


def sleeper(values: np.ndarray, **changes: Any) -> tuple[Served, Sleeping]:
    target = replace(workload().scale_target, min_pods=0, wake_at=0.5)
    own = workload(policy=policy(scale_min=0, **changes), scale_target=target)
    one = Served(own, ServingState(forecast=forecast(values), status=RUN))
    found = sleeping(one, one.decide(NOW), NOW)
    assert found is not None
    return one, found


def test_what_sleeps_says_when_it_wakes() -> None:
    one, found = sleeper(np.concatenate([np.full(36, 1.0), np.full(564, 800.0)]))

    assert (found.awake, found.running) == (False, None)
    assert found.wakes is not None
    assert timedelta(0) < DOUBLED - found.wakes < timedelta(minutes=15)
    assert one.decide(found.wakes).value > 0.5 * one.policy.target
    one.sighting.pods = PodCount(0, 0, NOW)
    again = sleeping(one, one.decide(NOW), NOW)
    assert again is not None
    assert again.running == 0


def test_what_is_awake_or_never_woken_names_no_moment() -> None:
    assert sleeper(np.full(600, 800.0))[1] == Sleeping(awake=True, running=None, wakes=None)
    assert sleeper(np.full(600, 1.0))[1] == Sleeping(awake=False, running=None, wakes=None)
    one = served()
    assert sleeping(one, one.decide(NOW), NOW) is None
