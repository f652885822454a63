"""Accuracy and explanations over HTTP."""

from datetime import timedelta

import numpy as np
import pytest

from prescaler.apps import pod_watch
from prescaler.core.errors import SourceUnreachable
from prescaler.core.lead_time import MeasuredStarts
from prescaler.core.policy import StartTime
from prescaler.core.records import PodCount
from prescaler.usecases.score_forecasts import ScorePorts, score_forecasts
from prescaler.usecases.watch_pods import judge_raises
from tests.apps.conftest import Served
from tests.support.builders import DAY, MINUTE, MONDAY, STEP, daily_demand, forecast, series
from tests.support.fakes import Counted
from tests.support.lore import lore_ports

WEB = "/api/v1/workloads/web"


def scored(served: Served) -> None:
    """Two forecasts that are 10 % too high, and what came."""
    web = served.keeper.settings.workloads[0]
    version = served.stores.workloads.ensure(web, MONDAY)
    demand = daily_demand(10, step=MINUTE)
    start = MONDAY - 8 * DAY
    served.stores.demand.append(version, series(demand, start, MINUTE))
    first = (MONDAY - start) // STEP
    for n in (2, 4):
        cutoff = MONDAY + timedelta(hours=n) - STEP
        median = np.resize(daily_demand(10)[first + n * 12 :], 600) * 1.1
        made = forecast(median, workload=version.workload, cutoff=cutoff, issued_at=cutoff)
        status = served.stores.forecasts.statuses()[version.id]
        served.stores.forecasts.save(version, status, made)
    ports = ScorePorts(served.stores.demand, served.stores.scores, lore_ports())
    score_forecasts(web, version, ports, MONDAY + 2 * DAY)


def test_accuracy_is_told_by_bucket_and_by_day(served: Served) -> None:
    scored(served)

    served.clock.present = MONDAY + 3 * DAY
    found = served.get(f"{WEB}/accuracy?from=2026-11-23T00:00:00Z&to=2026-11-25T00:00:00Z").json()

    assert (found["from"], found["to"]) == ("2026-11-23", "2026-11-25")
    assert list(found["buckets"]) == ["15m", "1h", "6h", "24h", "48h"]
    hour = found["buckets"]["1h"]
    assert hour["instants"] == 36
    assert hour["error"] > 0
    assert hour["coverage"]["0.95"]["reached"] <= 1.0
    assert [day["day"] for day in found["days"]] == ["2026-11-23", "2026-11-24"]
    assert found["days"][0]["origins"] == ["live"]


def test_a_workload_without_history_has_no_accuracy(served: Served) -> None:
    found = served.get("/api/v1/workloads/api/accuracy").json()

    assert (found["buckets"], found["days"]) == ({}, [])


@pytest.mark.parametrize(
    "query",
    [
        "from=2026-11-24T00:00:00Z&to=2026-11-23T00:00:00Z",
        "from=1970-01-01T00:00:00Z",
        "from=9999-12-31T00:00:00Z&to=9999-12-31T23:59:59Z",
        "to=now",
    ],
)
def test_a_senseless_span_is_a_400(served: Served, query: str) -> None:
    assert served.get(f"{WEB}/accuracy?{query}").status_code == 400


def test_the_plan_says_when_its_next_raise_must_begin(served: Served) -> None:
    path = np.where(np.arange(600) < 24, 800.0, 8000.0)
    served.store(cutoff=MONDAY + STEP, values=forecast(path).values)

    found = served.get(f"{WEB}/plan?step=30m").json()

    assert found["next_raise"]["pods"] == 144
    assert found["next_raise"]["at"] == "2026-11-23T02:10:00Z"
    assert found["next_raise"]["latest_start"] < found["next_raise"]["at"]
    assert found["unreachable"] is None
    assert found["lead_time"]["pod_start"] == {"p50": "30s", "p95": "1m", "source": "configured"}


def test_a_raise_that_is_too_late_is_said_and_exported(served: Served) -> None:
    judge_raises(served.keeper.table, served.clock.now())
    path = np.where(np.arange(600) < 10, 800.0, 8000.0)
    served.store(cutoff=MONDAY + STEP, values=forecast(path).values)
    served.keeper.use_starts({"web": MeasuredStarts(StartTime(MINUTE, 9 * MINUTE), None, 44, 0)})

    judge_raises(served.keeper.table, served.clock.now())

    found = served.get(f"{WEB}/plan?step=30m").json()
    assert found["unreachable"]["pods"] == 144
    assert found["unreachable"]["helps"]
    assert found["lead_time"]["pod_start"]["source"] == "measured"
    assert found["lead_time"]["samples"] == {"pods": 44, "nodes": 0}
    lines = served.get("/metrics").text.splitlines()
    (late,) = [x for x in lines if x.startswith('prescaler_plan_unreachable{workload="web"')]
    assert float(late.split()[-1]) > 0
    assert found["beyond_max"] is None


def test_pods_are_looked_at_in_rounds_and_failures_said_once(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Counted({"web": PodCount(10, 9, served.clock.now())})
    monkeypatch.setattr(pod_watch, "open_pod_sources", lambda _: {"main": source})
    watch = pod_watch.PodWatch(served.keeper, served.telemetry, served.clock)
    source.failure = SourceUnreachable("refused")
    for _ in range(2):
        watch.round()
    errors = 'prescaler_source_errors_total{kind="unreachable",source="main"}'
    (line,) = [x for x in served.get("/metrics").text.splitlines() if x.startswith(errors)]

    source.failure = None
    watch.round()

    assert float(line.split()[-1]) == 2
    assert served.keeper.table.get("web").observed.running_pods == 10


def test_trust_says_what_keeps_a_workload_from_the_next_rung(served: Served) -> None:
    scored(served)
    served.clock.present = MONDAY + 3 * DAY

    found = served.get(f"{WEB}/trust").json()
    unknown = served.get("/api/v1/workloads/api/trust").json()

    assert (found["mode"], found["auto"], found["guard"], found["set"]) == (
        "active", False, None, None
    )  # fmt: skip
    assert found["evidence"]["days"] == 1
    assert found["evidence"]["missing"][0] == "1 of 14 days have scored forecasts"
    assert unknown["evidence"] is None
