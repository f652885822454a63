"""Every face of a workload whose forecast acts as growth, or that may sleep."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.apps.conftest import NOW, READ, Serve, Served, signed_in, workload
from tests.support.builders import MONDAY, forecast

GOLDEN = Path(__file__).parent.parent / "golden"
WEB = "/api/v1/workloads/web"


@pytest.fixture
def grows(serve: Serve) -> Served:
    """In mode active, with a floor."""
    return growing(serve, {"acts_as": "growth", "mode": "active", "min_pods": 3})


def growing(serve: Serve, policy: dict[str, object]) -> Served:
    """Demand doubles two minutes from now, and trebles five hours on."""
    found = serve(workloads=[workload("web", policy=policy), workload("api")])
    at = (NOW + timedelta(minutes=2) - MONDAY) // timedelta(minutes=5)
    steps = np.arange(600)
    made = forecast(np.where(steps <= at, 800.0, np.where(steps <= at + 60, 1600.0, 4800.0)))
    found.store(values=made.values, peak_ratio=made.peak_ratio, naive=made.naive)
    assert signed_in(found, READ)
    return found


def test_the_api_says_growth_now_ahead_and_in_pods(grows: Served) -> None:
    found = grows.get(WEB).json()
    (row,) = grows.get("/api/v1/workloads?search=web").json()["items"]

    growth = found["growth"]
    assert row["growth"] == growth
    assert set(growth) == {
        "now", "planned", "highest", "highest_at", "looks_ahead", "live", "reactive_pods", "pods"
    }  # fmt: skip
    assert growth["now"] == growth["planned"] == found["decision"]["growth"] > 1.5
    assert growth["highest"] > 2.5
    assert growth["reactive_pods"] == 12
    assert growth["pods"] > 15
    assert found["sleep"] is None
    assert found["next_peak"]["pods"] == 60
    assert "live demand x" in found["words"][0]
    assert any("acts as growth" in fact for fact in found["words"])
    assert grows.get("/api/v1/workloads/api").json()["growth"] is None
    (rise,) = grows.get("/api/v1/rises").json()["items"]
    assert rise["pods"] == growth["pods"]


def test_the_answers_are_those_of_the_golden_file(grows: Served) -> None:
    found, metric = grows.get(WEB).json(), grows.metric().json()
    shown = {key: found[key] for key in ("growth", "sleep", "next_peak", "next_raise", "words")}

    golden = json.loads((GOLDEN / "growth.json").read_text())

    assert {"metric": metric, "workload": shown} == golden


def test_the_next_raise_is_that_of_growth(grows: Served) -> None:
    found = grows.get(f"{WEB}/plan?step=5m").json()

    assert found["next_raise"]["pods"] in (20, 60)
    assert found["next_raise"]["lead"] == grows.get(WEB).json()["growth"]["looks_ahead"]
    columns = found["columns"]
    assert {"growth", "expected", "asked", "asked_pods", "reactive_pods"} <= set(columns)
    assert columns["growth"][0] > 1
    assert columns["asked_pods"][0] > columns["reactive_pods"][0]
    assert "growth" not in grows.get("/api/v1/workloads/api/plan").json()["columns"]


def test_the_chart_has_growth_in_place_of_the_plan(grows: Served) -> None:
    for query in ("", "&as_of=2026-11-24T00:00:00Z"):
        columns = grows.get(f"{WEB}/chart?step=5m{query}").json()["columns"]
        assert set(columns["plan"]) == {None}
        assert any(one is not None and one > 1 for one in columns["growth"]) or query
        assert any(one is not None for one in columns["asked"])
    past = grows.get(f"{WEB}/chart?from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z").json()
    assert set(past["columns"]["growth"]) == {None}
    assert "growth" not in grows.get("/api/v1/workloads/api/chart").json()["columns"]


def test_pages_say_what_growth_does(grows: Served) -> None:
    overview = grows.client.get("/").text
    page = grows.client.get("/workloads/web").text

    for html in (overview, page):
        assert "live demand" in html
        assert "growth asks from" in html
        assert "at least 3 pods" in html
        assert "Why 3 pods now?" not in html
    assert "reactive alone: 12" in page
    assert "The plan is not served" in page
    assert 'data-grows="yes"' in page
    assert "Reactive alone" in page


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_what_the_forecast_says_stands_beside_what_is_served(serve: Serve, mode: str) -> None:
    found = growing(serve, {"acts_as": "growth", "mode": mode})

    growth = found.get(WEB).json()["growth"]
    assert (growth["now"], growth["pods"]) == (1.0, 12)
    assert growth["planned"] > 1.5
    for path in ("/", "/workloads/web"):
        assert "the forecast says ×" in found.client.get(path).text


def test_growth_is_a_metric_of_its_own(grows: Served) -> None:
    text = grows.client.get("/metrics").text
    (line,) = [one for one in text.splitlines() if one.startswith("prescaler_growth{")]

    assert line.startswith('prescaler_growth{workload="web"} ')
    assert float(line.rpartition(" ")[2]) > 1.5, "a plan has none"


def test_a_growth_without_forecast_is_its_floors(serve: Serve) -> None:
    own = {"acts_as": "growth", "mode": "active", "min_pods": 3}
    found = serve(workloads=[workload("web", policy=own)])
    assert signed_in(found, READ)

    assert found.get(WEB).json()["growth"]["pods"] == 3
    assert 240.0 in found.get(f"{WEB}/chart").json()["columns"]["asked"]
    assert "no demand was seen yet" in found.client.get("/workloads/web").text
    assert "asked" not in found.get(f"{WEB}/plan").json()["columns"]


def test_what_may_sleep_says_so(serve: Serve) -> None:
    target = {"name": "web", "namespace": "prod", "min_pods": 0, "max_pods": 200}
    found = serve(workloads=[workload("web", scale_target=target)])
    made = forecast(np.full(600, 1.0))
    found.store(values=made.values, naive=made.naive)
    assert signed_in(found, READ)

    assert found.get(WEB).json()["sleep"] == {"awake": False, "running": None, "wakes": None}
    for path in ("/", "/workloads/web"):
        assert "wakes it not within 24 h" in found.client.get(path).text
