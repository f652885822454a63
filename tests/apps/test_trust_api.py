"""Accuracy and explanations over HTTP."""

from datetime import timedelta

import numpy as np
import pytest

from prescaler.usecases.score_forecasts import ScorePorts, score_forecasts
from tests.apps.conftest import Served
from tests.support.builders import DAY, MINUTE, MONDAY, STEP, daily_demand, forecast, series

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
    ports = ScorePorts(served.stores.demand, served.stores.scores)
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
