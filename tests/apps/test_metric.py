"""The answer to KEDA, byte by byte, and every fault in its place."""

import base64
import json
import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from prescaler.apps.api.answer import to_json
from prescaler.core.control import Control
from prescaler.core.decision import decide
from prescaler.core.policy import Unit
from tests.apps.conftest import ADMIN, HEAD, READ, WEB_ONLY, Serve, Served, workload
from tests.support.builders import MONDAY, policy

GOLDEN = Path(__file__).parent.parent / "golden"


def test_the_answer_is_the_one_of_the_golden_file(served: Served) -> None:
    answer = served.metric()

    assert json.loads((GOLDEN / "metric_active.json").read_text()) == answer.json()
    assert next(iter(answer.json())) == "value"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.content) < 1000


def test_there_is_exactly_one_key_value_and_it_is_finite(served: Served) -> None:
    text = served.metric().text

    assert text.count('"value"') == 1
    assert math.isfinite(json.loads(text)["value"])


def test_pods_are_whole_numbers(served: Served) -> None:
    answer = served.metric(query="?unit=pods").json()

    assert (answer["value"], answer["unit"], type(answer["value"])) == (15, "pods", int)


def test_the_prometheus_format_is_one_gauge(served: Served) -> None:
    answer = served.metric(query="?format=prometheus")

    assert answer.text.splitlines()[-1] == 'prescaler_value{workload="web"} 1156.753'
    assert answer.text.endswith("\n")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_a_capacity_in_pods_answers_in_pods_unasked(serve: Serve) -> None:
    small = workload("web", capacity={"per_pod": 0.3, "unit": "pods"})
    served = serve(workloads=[small])
    served.store()

    answer = served.metric().json()

    assert answer["unit"] == "pods"
    assert answer["value"] == answer["pods"] == math.ceil(1156.753 / 0.24 - 1e-9)


def test_growth_is_served_beside_the_floors(serve: Serve) -> None:
    grows = workload("web", policy={"acts_as": "growth", "mode": "active", "min_pods": 3})
    served = serve(workloads=[grows])
    served.store()

    answer = served.metric().json()

    assert (answer["value"], answer["status"]) == (240.0, "active")
    assert answer["growth"] == 1.001
    assert answer["running"] == 0
    plan = served.get("/api/v1/workloads/web/scaledobject").text
    assert "valueLocation: growth" in plan


@pytest.mark.parametrize("growth", [math.nan, math.inf, 0.999, -1.0])
def test_an_impossible_growth_is_a_defect_and_never_sent(growth: float) -> None:
    decision = decide(None, (), policy(), Control(), None, MONDAY)

    with pytest.raises(ValueError, match="must not be served"):
        to_json("web", replace(decision, growth=growth), Unit.LOAD)


def test_nothing_to_say_is_a_zero_with_its_reason(served: Served) -> None:
    answer = served.metric("api")

    assert answer.status_code == 200
    found = answer.json()
    assert (found["value"], found["status"], found["reason"]) == (0.0, "neutral", "warming_up")
    assert found["cutoff"] is found["age_seconds"] is None


def test_with_on_unavailable_error_it_is_a_503_without_a_value(serve: Serve) -> None:
    served = serve(workloads=[workload("web", policy={"on_unavailable": "error"})])

    answer = served.metric()

    assert answer.status_code == 503
    assert answer.json()["kind"] == "warming_up"
    assert "value" not in answer.json()


CREDENTIALS: dict[str, dict[str, Any]] = {
    "header": {"headers": {"X-API-Key": READ}},
    "header, other case": {"headers": {"x-api-key": READ}},
    "bearer": {"headers": {"Authorization": f"Bearer {READ}"}},
    "basic": {
        "headers": {"Authorization": "Basic " + base64.b64encode(f"keda:{READ}".encode()).decode()}
    },
    "query": {"params": {"api_key": READ}},
    "query beside others": {"params": {"unit": "load", "api_key": READ}},
}


@pytest.mark.parametrize("credentials", CREDENTIALS.values(), ids=CREDENTIALS)
def test_every_way_kedas_key_can_come_is_understood(
    served: Served, credentials: dict[str, Any]
) -> None:
    answer = served.client.get("/api/v1/workloads/web/metric", **credentials)

    assert answer.status_code == 200


WRONG: dict[str, dict[str, Any]] = {
    "none": {},
    "empty": {"headers": {"X-API-Key": ""}},
    "wrong": {"headers": {"X-API-Key": "x" * 19}},
    "wrong bearer": {"headers": {"Authorization": "Bearer nonsense"}},
    "broken basic": {"headers": {"Authorization": "Basic ###"}},
    "basic without password": {
        "headers": {"Authorization": "Basic " + base64.b64encode(b"keda").decode()}
    },
    "another scheme": {"headers": {"Authorization": f"Digest {READ}"}},
    "wrong query": {"params": {"api_key": "nonsense"}},
    "not ASCII": {"headers": {"X-API-Key": "\xff\xfe".encode("latin-1")}},
}


@pytest.mark.parametrize("credentials", WRONG.values(), ids=WRONG)
def test_anything_else_is_a_401_without_a_value(
    served: Served, credentials: dict[str, Any]
) -> None:
    answer = served.client.get("/api/v1/workloads/web/metric", **credentials)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "WWW-Authenticate" in answer.headers
    assert "value" not in answer.json()


def test_a_key_for_other_workloads_is_a_403(served: Served) -> None:
    key = {"X-API-Key": WEB_ONLY}

    assert served.client.get("/api/v1/workloads/web/metric", headers=key).status_code == 200
    assert served.client.get("/api/v1/workloads/api/metric", headers=key).status_code == 403
    assert served.client.get("/api/v1/workloads/nope/metric", headers=key).status_code == 403


@pytest.mark.parametrize("name", ["nope", "WEB", "web%20", "..", "%3Cscript%3E", "w" * 300])
def test_an_unknown_workload_is_a_404(served: Served, name: str) -> None:
    answer = served.metric(name)

    assert answer.status_code == 404
    assert "value" not in answer.json()


@pytest.mark.parametrize(
    "query",
    ["?unit=", "?unit=rps", "?format=xml", "?target=0", "?target=-5", "?target=nan", "?target=inf",
     "?target=1e999", "?target=abc", "?target=", "?target=80&unit=x", "?x=" + "y" * 5000],
)  # fmt: skip
def test_a_parameter_without_meaning_is_a_400(served: Served, query: str) -> None:
    assert served.metric(query=query).status_code == 400


def test_unknown_parameters_are_left_alone(served: Served) -> None:
    assert served.metric(query="?foo=bar&foo=baz").json() == served.metric().json()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(served: Served, method: str) -> None:
    answer = served.client.request(method, "/api/v1/workloads/web/metric", headers=HEAD)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_head_is_get_without_a_body(served: Served) -> None:
    answer = served.client.head("/api/v1/workloads/web/metric", headers=HEAD)

    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 100
    assert answer.content == b""


def test_a_trailing_slash_is_no_redirect(served: Served) -> None:
    answer = served.client.get(
        "/api/v1/workloads/web/metric/", headers=HEAD, follow_redirects=False
    )

    assert answer.status_code == 404


def test_wrong_keys_are_limited_and_valid_ones_never(served: Served) -> None:
    wrong = {"X-API-Key": "nonsense-nonsense"}
    path = "/api/v1/workloads/web/metric"
    codes = [served.client.get(path, headers=wrong).status_code for _ in range(25)]

    assert codes == [401] * 20 + [429] * 5
    assert all(served.metric().status_code == 200 for _ in range(30))
    served.clock.move(timedelta(seconds=61))
    assert served.client.get(path, headers=wrong).status_code == 401


def test_a_request_without_any_key_is_not_counted(served: Served) -> None:
    codes = {served.client.get("/api/v1/workloads/web/metric").status_code for _ in range(30)}

    assert codes == {401}


def test_another_target_turns_floors_into_its_load_and_is_shown(serve: Serve) -> None:
    served = serve(workloads=[workload("web", policy={"mode": "shadow", "min_pods": 10})])

    assert served.metric().json()["value"] == 800.0
    assert served.metric(query="?target=80").json()["value"] == 800.0
    assert 'mismatch{workload="web"} 0.0' in served.client.get("/metrics").text
    other = served.metric(query="?target=50").json()
    assert (other["value"], other["pods"], other["target"]) == (500.0, 10, 50)
    assert 'mismatch{workload="web"} 1.0' in served.client.get("/metrics").text


def test_within_a_second_the_answer_is_the_same_and_then_it_moves_on(served: Served) -> None:
    first = served.metric().json()
    served.clock.move(timedelta(milliseconds=900))
    same = served.metric().json()
    served.clock.move(timedelta(milliseconds=100))
    later = served.metric().json()

    assert first == same
    assert later["served_at"] == "2026-11-23T01:00:01Z"
    assert later["age_seconds"] == 3601


def test_a_change_is_served_at_once_even_within_the_second(served: Served) -> None:
    before = served.metric().json()["status"]
    served.client.put(
        "/api/v1/workloads/web/mode",
        headers={"X-API-Key": ADMIN},
        json={"mode": "shadow", "reason": "test"},
    )

    assert (before, served.metric().json()["status"]) == ("active", "neutral")


def test_a_defect_of_ours_is_a_500_and_never_a_number(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("prescaler.apps.api.metric.to_json", broken)
    answer = served.metric()

    assert answer.status_code == 500
    assert "value" not in answer.json()


def test_answers_are_counted_by_status_and_code(served: Served) -> None:
    served.metric()
    served.metric("api")
    served.metric("nope")

    text = served.client.get("/metrics").text
    for line in (
        'prescaler_answers_total{code="200",status="active"} 1.0',
        'prescaler_answers_total{code="200",status="neutral"} 1.0',
        'prescaler_answers_total{code="404",status="fault"} 1.0',
        "prescaler_answer_seconds_count 3.0",
    ):
        assert line in text
