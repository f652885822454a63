"""What the next day's plan will run into is said before it does."""

from dataclasses import replace
from datetime import timedelta

import numpy as np

from prescaler.core.event_book import EventIndex
from prescaler.core.forecast import Forecast
from prescaler.core.planned import Effect, PlannedEvent
from prescaler.core.policy import Policy
from prescaler.core.records import PodCount, ServingState
from prescaler.usecases.foresee import Beyond, beyond_max
from prescaler.usecases.serve_metric import Served
from prescaler.usecases.survey import Survey, Urgency
from prescaler.usecases.watch_pods import judge_raises
from tests.support.builders import MONDAY, STEP, event, forecast, policy, workload
from tests.usecases.test_watch_pods import KICK_OFF, exact, table

HOUR = timedelta(hours=1)
NOW = MONDAY + 30 * HOUR
EVENING = MONDAY + 44 * HOUR


def served(
    made: Forecast | None = None, own: Policy | None = None, *events: PlannedEvent
) -> Served:
    one = workload(policy=own or policy())
    book = EventIndex(events).book(one.name, one.labels)
    return Served(one, ServingState(forecast=made), book=book)


def test_a_peak_beyond_the_hpas_end_is_foreseen() -> None:
    path = np.full(600, 800.0)
    path[528:540] = 16_000.0  # from 44 h on
    large = served(forecast(path))

    found = beyond_max(large, NOW)

    assert found == Beyond(EVENING, 287, 200)
    assert beyond_max(large, MONDAY) is None
    assert beyond_max(served(forecast(np.full(600, 800.0))), NOW) is None
    (glance,) = Survey().of([large], NOW)
    assert glance.finding.urgency is Urgency.LOOK
    assert glance.finding.what == "needs 287 pods from Tue 21:00, the HPA stops at 200"
    assert "raise maxReplicaCount" in glance.finding.next_step


def test_whoever_sets_a_ceiling_has_accepted_it() -> None:
    path = np.full(600, 16_000.0)

    assert beyond_max(served(forecast(path), policy(max_pods=200)), NOW) is None
    assert beyond_max(served(forecast(path), policy(max_pods=250)), NOW) is not None


def test_the_pods_of_an_event_count_without_a_forecast() -> None:
    final = event(effect=Effect(min_pods=250))

    assert beyond_max(served(None, None, final), NOW) == Beyond(EVENING, 250, 200)
    assert beyond_max(served(None, None, final), EVENING + HOUR) == Beyond(EVENING + HOUR, 250, 200)
    assert beyond_max(served(None, None, final), MONDAY) is None
    assert beyond_max(served(None, None, replace(final, effect=Effect(min_pods=9))), NOW) is None


def test_pods_that_come_too_late_need_somebody_at_once_and_are_news_once() -> None:
    found, now = table(exact(12, 120)), KICK_OFF - 2 * STEP / 5
    found.get("web").sighting.pods = PodCount(12, 12, now)

    news = judge_raises(found, now)
    again = judge_raises(found, now + timedelta(seconds=15))

    assert list(news) == ["web"]
    assert again == {}
    (glance,) = Survey().of([found.get("web")], now)
    assert glance.finding.urgency is Urgency.ACT
    assert glance.finding.what == "pods for 02:00 come 4 min too late"
    assert glance.finding.next_step.startswith("it would have taken policy.min_pods")


def test_a_little_too_late_is_said_in_seconds() -> None:
    found, now = table(exact(12, 120)), KICK_OFF - timedelta(seconds=300)
    found.get("web").sighting.pods = PodCount(12, 12, now)
    judge_raises(found, now)

    (glance,) = Survey().of([found.get("web")], now)
    assert glance.finding.what == "pods for 02:00 come 60 s too late"
