"""The three metrics of the system before, beside ours."""

from datetime import UTC, datetime, time
from uuid import uuid4

import pytest

from prescaler.adapters.telemetry.legacy import LegacyCollector
from prescaler.adapters.telemetry.metrics import Telemetry
from prescaler.core.calendar import Window
from prescaler.core.event_book import EventIndex
from prescaler.core.planned import Effect, EventState, PlannedEvent, Selection
from prescaler.core.records import PodCount, ServingState
from prescaler.usecases.legacy_metrics import legacy_metrics
from prescaler.usecases.serve_metric import Served, ServingTable
from tests.support.builders import PARIS, policy, workload

EVENING = datetime(2026, 11, 24, 20, tzinfo=UTC)
NIGHT = datetime(2026, 11, 24, 3, tzinfo=UTC)


def table(running: int | None, now: datetime, state: EventState | None = None) -> ServingTable:
    own = policy(windows=(Window(frozenset(range(7)), time(19, 30), time(23, 30), 40),))
    one = workload(policy=own, labels={"project": "p1"})
    event = PlannedEvent(
        uuid4(), "final", "football", EVENING, EVENING.replace(hour=22), PARIS,
        Selection(everything=True), Effect(min_pods_factor=3.0), state or EventState.DRAFT,
    )  # fmt: skip
    served = Served(one, ServingState(), book=EventIndex([event]).book("web", {}))
    if running is not None:
        served.sighting.pods = PodCount(running, running, now)
    found = ServingTable()
    found.replace({"web": served})
    return found


@pytest.mark.parametrize(
    ("running", "now", "code"),
    [(39, EVENING, 11), (40, EVENING, 10), (44, EVENING, 10), (45, EVENING, 9),
     (None, EVENING, None), (5, NIGHT, 0), (None, NIGHT, 0)],
)  # fmt: skip
def test_the_code_is_theirs(running: int | None, now: datetime, code: int | None) -> None:
    (row,) = legacy_metrics(table(running, now), now).rows

    assert row.code == code
    assert row.least == (40 if now == EVENING else 0)
    assert (row.project, row.deployment, row.namespace) == ("p1", "web", "prod")


def test_the_multiplier_is_applied_while_the_event_lasts() -> None:
    found = legacy_metrics(table(40, EVENING, EventState.CONFIRMED), EVENING)

    assert (found.multiplier, found.rows[0].least, found.rows[0].code) == (3.0, 120, 11)
    assert legacy_metrics(table(40, NIGHT, EventState.CONFIRMED), NIGHT).multiplier == 1.0
    assert legacy_metrics(ServingTable(), NIGHT).multiplier == 1.0


@pytest.mark.parametrize(("running", "lines"), [(39, 3), (None, 2)])
def test_they_stand_in_the_exposition_under_their_names(running: int | None, lines: int) -> None:
    found, telemetry = legacy_metrics(table(running, EVENING), EVENING), Telemetry()
    telemetry.add(LegacyCollector(lambda: (found.rows, found.multiplier)))

    told = [x for x in telemetry.exposition().decode().splitlines() if x.startswith("prescaling_")]

    assert len(told) == lines
    place = '{deployment="web",namespace="prod",project="p1"}'
    assert f"prescaling_min_replica{place} 40.0" in told
