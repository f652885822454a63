"""A period played again, from forecasts to advice."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from prescaler.core.errors import BadParameter
from prescaler.core.planned import EventState, PlannedEvent
from prescaler.core.policy import (
    ActsAs,
    Mode,
    PolicyType,
    ScalingPolicy,
    StartTime,
    Unit,
)
from prescaler.core.replay.ground import Arm, Setting
from prescaler.core.replay.promise import Promise
from prescaler.core.replay.scaling import Sleep
from prescaler.core.series import Series
from prescaler.usecases.replay_cluster import delays_of, scaling_of
from prescaler.usecases.replay_document import document
from prescaler.usecases.replay_period import (
    Crew,
    Replay,
    Stopped,
    Subject,
    Wish,
    replay_period,
    sweep_settings,
)
from prescaler.usecases.replay_subject import TraceFacts, of_trace, present_of
from tests.support import builders as make
from tests.support.replayed import kept

# They share a replay that takes seconds.
pytestmark = pytest.mark.xdist_group("replay-period")

DAY = timedelta(days=1)
ZONE = ZoneInfo("UTC")
END = make.MONDAY + 9 * DAY
MATCH = make.event(start=END - timedelta(hours=4), end=END - timedelta(hours=2))


class Here(Executor):
    """An executor that does the work at once, in this thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is handed on
            done.set_exception(error)
        return done


def trace() -> Series:
    values = np.repeat(make.daily_demand(9, seed=3), 5)
    values[-4 * 60 : -2 * 60] *= 4
    return make.series(values, step=timedelta(minutes=1))


def subject(events: Sequence[PlannedEvent] = (MATCH,)) -> Subject:
    return of_trace(trace(), TraceFacts("web", ZONE), events)


def wish(**changes: Any) -> Wish:
    values: dict[str, Any] = {
        "since": timedelta(hours=6),
        "promise": Promise.parse("10m/30d"),
        "seeds": (1,),
        "utilisations": (0.6, 0.8),
        "quantiles": (0.5, 0.95),
    }
    return Wish(**{**values, **changes})


def run(of: Subject, wanted: Wish, stages: list[tuple[float, str]] | None = None) -> Replay:
    def tell(share: float, stage: str) -> bool:
        if stages is not None:
            stages.append((share, stage))
        return True

    with ThreadPoolExecutor(1) as threads:
        return replay_period(of, wanted, Crew(Here(), threads), tell)


@pytest.fixture(scope="module")
def found() -> Replay:
    return run(subject(), wish())


def test_all_arms_are_played_over_the_end_of_the_trace(found: Replay) -> None:
    assert [one.setting.arm for one in found.arms] == list(Arm)
    assert found.end == END
    assert found.start == END - timedelta(hours=6)
    assert found.present.setting == Setting(Arm.REACTIVE, 0.7)
    assert len(found.ground.events) == 1
    assert found.ground.load.event.sum() == 4 * 240


def test_forecasts_are_there_at_every_tick_but_the_first_minute(found: Replay) -> None:
    covered = found.ground.tracks[Arm.PLAIN].covered

    assert covered[8:].all()
    assert found.covered_days == 0


def test_the_sweep_has_every_quantile_and_target(found: Replay) -> None:
    settings = [one.setting for one in found.sweep]

    assert len(settings) == len(set(settings)) == 2 + 2 + 4 + 4 + 4
    assert settings == sweep_settings(found.subject, found.wish, tuple(Arm))


def test_the_golden_result_has_the_same_fields(found: Replay) -> None:
    told, golden = document(found), kept()["result"]

    assert told.keys() == golden.keys()
    for name in ("period", "assumptions", "present", "frontier", "advice"):
        assert told[name].keys() == golden[name].keys(), name
    assert told["arms"][0].keys() == golden["arms"][0].keys()
    assert told["arms"][0]["all"].keys() == golden["arms"][0]["all"].keys()
    assert told["events"][0].keys() == golden["events"][0].keys()


def test_half_a_day_is_too_little_for_advice(found: Replay) -> None:
    told = document(found)

    assert told["advice"]["verdict"] == "too_little_history"
    assert told["advice"]["best"] is None


def test_the_document_is_plain_json(found: Replay) -> None:
    told = document(found)

    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["version"] == 1
    assert told["workload"] == "web"
    assert told["events"][0]["name"] == "semi-final"
    assert len(told["events"][0]["arms"]) == len(Arm)
    assert len(told["series"]["stamps"]) == len(told["series"]["columns"]["demand"]) == 360
    rows = {row["setting"]["arm"]: row for row in told["arms"]}
    assert rows["reactive"]["against_present"]["pod_hours"]["change"] == 0
    assert rows["reactive"]["if_dead"] is None
    assert rows["prescaler_calendar"]["in_events"]["hours"] == 4
    assert set(told["frontier"]) == {
        "reactive",
        "reactive_in_events",
        "prescaler",
        "prescaler_in_events",
    }
    swept = [told["sweep"][n] for n in told["frontier"]["prescaler"]]
    assert all(row["if_dead"] is not None for row in swept)


def test_progress_ends_at_one_and_never_falls() -> None:
    stages: list[tuple[float, str]] = []
    run(subject(()), wish(arms=(Arm.REACTIVE,), sweep=False), stages)

    shares = [share for share, _ in stages]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert stages[-1] == (1.0, "done")


def test_it_stops_where_somebody_wants_it_to() -> None:
    with ThreadPoolExecutor(1) as threads, pytest.raises(Stopped):
        replay_period(
            subject(()),
            wish(arms=(Arm.REACTIVE,)),
            Crew(Here(), threads),
            lambda share, stage: False,
        )


def test_without_events_the_arms_that_need_them_are_left_out_or_refused() -> None:
    draft = replace(MATCH, state=EventState.DRAFT)
    left = run(subject((draft,)), wish(arms=(), sweep=False, promise=None, quantiles=(0.5,)))

    assert Arm.CALENDAR not in [one.setting.arm for one in left.arms]
    told = document(left)
    assert told["events"] == []
    assert told["advice"] is None
    assert told["arms"][0]["in_events"] is None
    with pytest.raises(BadParameter, match="prescaler_calendar: no planned event"):
        run(subject(()), wish(arms=(Arm.CALENDAR,)))


@pytest.mark.parametrize("since", [timedelta(hours=5), timedelta(0)])
def test_a_period_that_is_too_short(since: timedelta) -> None:
    with pytest.raises(BadParameter, match="6 hours to 400 days"):
        run(subject(()), wish(since=since))


def test_advice_over_six_days_without_forecasts() -> None:
    found = run(subject(()), wish(since=7 * DAY, arms=(Arm.REACTIVE,)))

    assert found.advice is not None
    assert found.advice.best is not None
    assert found.otherwise.faster is not None
    assert found.otherwise.exact is not None
    assert document(found)["advice"]["words"]


def test_an_hourly_trace_is_forecast_by_the_hour() -> None:
    values = make.daily_demand(20, step=timedelta(hours=1))
    hourly = of_trace(make.series(values, step=timedelta(hours=1)), TraceFacts("web", ZONE))
    found = run(hourly, wish(since=DAY, arms=(Arm.PLAIN,), sweep=False))

    assert found.ground.tracks[Arm.PLAIN].covered[8:].all()
    assert found.arms[0].tally.measures(found.wish.prices).dropped < 0.05


def test_start_times_are_drawn_around_the_configured_ones() -> None:
    lead = make.lead_time(
        pod_start=StartTime(timedelta(seconds=45), timedelta(seconds=87)),
        node_start=StartTime(timedelta(minutes=3), timedelta(seconds=234)),
    )
    found = delays_of(lead)

    assert found.pod_median == timedelta(seconds=45)
    assert found.pod_sigma == pytest.approx(0.4, abs=0.01)
    assert found.node_least == timedelta(minutes=2)
    assert found.node_most == timedelta(minutes=4)
    at_once = make.lead_time(pod_start=StartTime(timedelta(0), timedelta(0)))
    assert delays_of(at_once).pod_sigma == 0


def test_the_hpa_of_a_workload() -> None:
    plain = make.workload()
    steep = (ScalingPolicy(PolicyType.PERCENT, 900, timedelta(seconds=10)),)
    policy = replace(plain.policy, lead_time=make.lead_time(behavior=steep))
    found = scaling_of(replace(plain, policy=policy))

    assert scaling_of(plain).behavior is None
    assert scaling_of(plain).most == 200
    assert found.behavior is not None
    assert found.behavior.up.policies == steep


def test_a_workload_that_may_sleep_is_played_with_keda() -> None:
    plain = make.workload()
    target = replace(plain.scale_target, min_pods=0, cooldown=timedelta(minutes=2))
    sleeper, idle = (
        scaling_of(replace(plain, scale_target=one))
        for one in (target, replace(target, min_pods=3, idle_pods=0))
    )

    assert scaling_of(plain).sleep is None
    assert (sleeper.least, idle.least) == (1, 3)
    assert sleeper.sleep == idle.sleep == Sleep(timedelta(seconds=30), timedelta(minutes=2), 0.1)
    pods = replace(plain.policy, capacity=replace(plain.policy.capacity, unit=Unit.PODS))
    whole = scaling_of(replace(plain, scale_target=target, policy=pods)).sleep
    assert whole is not None
    assert whole.wake_at == 0


def test_a_result_says_what_0_pods_mean() -> None:
    shop = trace()
    minutes = np.arange(len(shop)) % 1440
    quiet = np.where((minutes < 7 * 60) | (minutes >= 20 * 60), 0.0, shop.mean)
    awake = of_trace(replace(shop, mean=quiet, peak=quiet), TraceFacts("shop", ZONE))
    target = replace(awake.workload.scale_target, min_pods=0)
    sleeper = replace(awake, workload=replace(awake.workload, scale_target=target))
    wanted = wish(since=7 * DAY, arms=(Arm.REACTIVE,))
    told, before = (document(run(one, wanted)) for one in (sleeper, awake))

    assert told["assumptions"]["pods"]["least"] == 0
    assert told["assumptions"]["sleep"] == {
        "polling_seconds": 30, "cooldown_seconds": 300, "wakes_to": 1, "wake_at": 0.0,
    }  # fmt: skip
    assert 0.4 < told["present"]["asleep"] < 11 / 24
    assert told["present"]["woken"] == 7
    assert told["present"]["all"]["dropped"] > before["present"]["all"]["dropped"]
    assert told["present"]["all"]["pod_hours"] < before["present"]["all"]["pod_hours"]
    assert any("woken 7 times" in words for words in told["advice"]["words"])
    assert before["assumptions"]["sleep"] is None
    assert not any("sleep" in words for words in before["advice"]["words"])


def test_the_present_configuration_of_a_workload() -> None:
    active = make.workload()
    shadow = replace(active, policy=replace(active.policy, mode=Mode.SHADOW))
    apart = replace(active, reactive=replace(active.reactive, target=60.0))

    assert present_of(active) == Setting(Arm.CALENDAR, 0.8, 0.95)
    grows = replace(active, policy=replace(active.policy, acts_as=ActsAs.GROWTH))
    assert present_of(grows) == Setting(Arm.CALENDAR, 0.8, 0.95, growth=True)
    assert present_of(shadow) == Setting(Arm.REACTIVE, 0.8)
    assert present_of(apart) == Setting(Arm.CALENDAR, 0.8, 0.95, None, 0.6)
