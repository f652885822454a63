"""Uplifts and debriefs over HTTP."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np

from prescaler.core.event_records import EventWrite
from prescaler.core.planned import PlannedEvent
from prescaler.core.records import AuditEntry, LoggedDecision
from prescaler.core.uplift import Crowd, UpliftModel
from tests.apps.conftest import Served
from tests.support.builders import DAY, MINUTE, MONDAY, PARIS, STEP, event, forecast, series
from tests.support.crowds import Night, crowd, history

START = MONDAY + timedelta(hours=19)
MATCH = event(
    id=UUID(int=7), name="match", kind="football", start=START, end=START + timedelta(hours=2)
)
UPLIFTS = "/api/v1/workloads/web/uplifts"


def planned(served: Served, *events: PlannedEvent) -> None:
    entry = AuditEntry(MONDAY, "ada", "create event", "match", "why", None, None)
    served.stores.events.write([EventWrite(one, entry) for one in events])
    served.keeper.refresh()


def played(served: Served) -> None:
    """A planned evening: forecast as ordinary demand, five times as busy, and answered."""
    web = served.keeper.settings.workloads[0]
    version = served.stores.workloads.ensure(web, MONDAY)
    values = np.full(int(10 * DAY / MINUTE), 80.0)
    first = int((START - (MONDAY - 8 * DAY)) / MINUTE)
    values[first : first + 120] *= 5.0
    served.stores.demand.append(version, series(values, MONDAY - 8 * DAY, MINUTE))
    made = forecast(
        np.full(600, 80.0),
        workload=version.workload,
        cutoff=MONDAY - 6 * timedelta(hours=1) - STEP,
        issued_at=MONDAY - 6 * timedelta(hours=1),
    )
    served.stores.forecasts.save(version, served.stores.forecasts.statuses()[version.id], made)
    answer = LoggedDecision(
        MONDAY, 800.0, 10, "active", None, "active", 800.0, made.cutoff, (("median", 80.0, ""),)
    )
    served.stores.decisions.append({version.workload: answer})
    served.clock.present = MONDAY + DAY
    served.keeper.refresh()


def test_a_past_evening_is_debriefed(served: Served) -> None:
    planned(served, replace(MATCH, effect=replace(MATCH.effect, factor=4.0)))
    played(served)

    found = served.get(f"/api/v1/events/{MATCH.id}/debrief").json()

    assert (found["name"], found["start"], found["next"]) == ("match", "2026-11-23T19:00:00Z", None)
    item = next(one for one in found["items"] if one["workload"] == "web")
    assert item["peak"] == {"at": "2026-11-23T19:00:00Z", "load": 400.0}
    said = item["forecast"]
    assert said["issued_at"] == "2026-11-22T18:00:00Z"
    assert said["peak_median"] == 320.0
    assert (said["error"], said["error_without_event"], said["naive_error"]) == (80.0, 320.0, 320.0)
    assert item["pods"]["in_time"] == 10
    assert item["pods"]["minutes_late"] == 0.0
    assert item["pods"]["excess_pod_hours"] > 0


def test_an_event_that_is_not_over_has_no_debrief_yet(served: Served) -> None:
    planned(served, MATCH)
    served.clock.present = START

    answer = served.get(f"/api/v1/events/{MATCH.id}/debrief")

    assert answer.status_code == 400
    assert "comes after it" in answer.json()["detail"]


def test_an_unknown_event_is_not_found(served: Served) -> None:
    assert served.get(f"/api/v1/events/{UUID(int=99)}/debrief").status_code == 404


def test_what_was_learnt_is_shown_with_its_evidence(served: Served) -> None:
    nights = [Night(day, 5.0) for day in (3, 6, 8, 12, 14, 18, 23)]
    crowds: list[Crowd] = [crowd(night) for night in nights]
    model = UpliftModel.empty(timedelta(minutes=15), PARIS).learned(history(28, nights), crowds)
    web = served.keeper.settings.workloads[0]
    served.stores.uplifts.put(served.stores.workloads.ensure(web, MONDAY), model, MONDAY)

    assert served.get(UPLIFTS).json() == {"learned_at": None, "items": []}
    served.keeper.refresh()
    found = served.get(f"{UPLIFTS}?kind=football").json()

    assert found["learned_at"] == "2026-11-23T00:00:00Z"
    (football,) = found["items"]
    assert (football["examples"], football["applied"]) == (7, True)
    curve = football["curve"]
    assert 4.5 < curve["suggested_factor"] < 5.5
    assert curve["minutes"][:2] == [-120.0, -105.0]
    assert len(curve["q0.5"]) == len(curve["minutes"])
    assert curve["evidence"][0]["name"] == "match 23"
    assert served.get(f"{UPLIFTS}?kind=opera").json()["items"] == []
