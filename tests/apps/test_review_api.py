"""The review API: what people and tools look at."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from prescaler.adapters.database import tables as t
from prescaler.usecases.log_decisions import log_decisions
from tests.apps.conftest import AS_ADMIN, HEAD, NOW, WEB_ONLY, Serve, Served, workload
from tests.support import browsing
from tests.support.builders import MINUTE, MONDAY, series

WEB = "/api/v1/workloads/web"


def test_workloads_are_listed_with_what_they_are_told(served: Served) -> None:
    found = served.get("/api/v1/workloads").json()

    assert [row["name"] for row in found["items"]] == ["api", "web"]
    assert found["next"] is None
    web = found["items"][1]
    assert (web["status"], web["pods"], web["mode"]) == ("active", 15, "active")
    assert web["run"]["outcome"] == "stored"


def test_a_list_can_be_searched_sorted_and_paged(serve: Serve) -> None:
    served = serve(workloads=[workload(f"w{n}", labels={"team": f"t{n % 2}"}) for n in range(7)])
    served.store("w3")

    def page(query: str) -> Any:
        return served.get(f"/api/v1/workloads?{query}").json()

    def names(query: str) -> list[str]:
        return [row["name"] for row in page(query)["items"]]

    first = page("limit=3")
    assert [r["name"] for r in first["items"]] == ["w0", "w1", "w2"]
    assert [r["name"] for r in page(f"limit=3&cursor={first['next']}")["items"]] == [
        "w3",
        "w4",
        "w5",
    ]
    assert names("search=W3") == ["w3"]
    assert names("search=t1") == ["w1", "w3", "w5"]
    assert names("label=team=t0") == ["w0", "w2", "w4", "w6"]
    assert names("status=active") == ["w3"]
    assert names("sort=-value")[0] == "w3"
    assert names("sort=-name")[0] == "w6"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "sort=color", "cursor=x", "cursor=-1", "search=" + "x" * 300]
)
def test_a_list_with_senseless_parameters_is_a_400(served: Served, query: str) -> None:
    answer = served.get(f"/api/v1/workloads?{query}")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_key_sees_only_its_workloads(served: Served) -> None:
    key = {"X-API-Key": WEB_ONLY}

    rows = served.client.get("/api/v1/workloads", headers=key).json()["items"]
    assert [row["name"] for row in rows] == ["web"]
    assert served.client.get("/api/v1/workloads/api", headers=key).status_code == 403
    assert served.client.get("/api/v1/workloads/api/plan", headers=key).status_code == 403
    assert served.client.get("/api/v1/status", headers=key).json()["workloads"] == 1


def test_one_workload_explains_its_answer(served: Served) -> None:
    answer = served.get(WEB)
    found = answer.json()

    assert answer.headers["etag"] == '"0"'
    stages = found["decision"]["stages"]
    assert [s["stage"] for s in stages] == [
        "median", "quantile", "event", "peak", "maximum", "mode", "floor", "override",
        "tolerance", "ceiling", "rounding",
    ]  # fmt: skip
    assert stages[-1]["pods"] == 15
    assert found["query"] == "sum(web)"


def test_demand_shows_holes_as_null(served: Served) -> None:
    one = served.keeper.settings.workloads[0]
    version = served.stores.workloads.ensure(one, MONDAY)
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, *[np.nan] * 5, 7.0, *[7.0] * 4])
    served.stores.demand.append(version, series(values, MONDAY, MINUTE))

    found = served.get(
        f"{WEB}/demand?from=2026-11-23T00:00:00Z&to=2026-11-23T00:15:00Z&step=5m"
    ).json()

    assert found["stamps"][0] == "2026-11-23T00:00:00Z"
    assert found["step"] == "5m"
    assert found["columns"] == {"mean": [3.0, None, 7.0], "max": [5.0, None, 7.0]}


def test_demand_of_a_workload_without_history_is_all_holes(served: Served) -> None:
    found = served.get("/api/v1/workloads/api/demand?step=1h").json()

    assert set(found["columns"]["mean"]) == {None}
    assert 24 <= len(found["stamps"]) <= 25


def test_the_plan_shows_every_stage(served: Served) -> None:
    found = served.get(f"{WEB}/plan?step=30m").json()

    assert set(found["columns"]) == {
        "load", "pods", "median", "quantile", "event", "peak", "maximum", "floor",
    }  # fmt: skip
    assert len(found["stamps"]) == 96
    assert found["columns"]["load"][0] == pytest.approx(1156.753, abs=1)


@pytest.mark.parametrize(
    "query",
    ["from=yesterday", "from=2026-11-23T00:00:00", "step=5", "step=0s",
     "from=2026-11-24T00:00:00Z&to=2026-11-23T00:00:00Z",
     "to=2999-01-01T00:00:00Z&step=1s", "from=1970-01-01T00:00:00Z", "from=%00"],
)  # fmt: skip
@pytest.mark.parametrize("what", ["plan", "demand"])
def test_a_senseless_span_is_a_400(served: Served, what: str, query: str) -> None:
    answer = served.get(f"{WEB}/{what}?{query}")

    assert answer.status_code == 400
    assert answer.json()["status"] == 400


def test_forecasts_are_found_by_cutoff_as_of_and_latest(served: Served) -> None:
    cutoffs = served.get(f"{WEB}/forecasts?from=2026-11-22T00:00:00Z").json()["items"]
    latest = served.get(f"{WEB}/forecasts/latest").json()
    then = served.get(f"{WEB}/forecasts?as_of=2026-11-23T00:30:00Z").json()
    before = served.get(f"{WEB}/forecasts?as_of=2026-11-22T00:30:00Z").json()

    assert cutoffs == ["2026-11-22T23:55:00Z"]
    assert latest == then
    assert set(latest["series"]["columns"]) >= {"q0.05", "q0.5", "q0.99", "naive", "peak_ratio"}
    assert before["cutoff"] is None


def test_decisions_are_found_by_span_and_by_instant(served: Served) -> None:
    now = served.clock.now()
    log_decisions(served.keeper.table, {}, served.stores.decisions, served.stores.controls, now)

    listed = served.get(f"{WEB}/decisions").json()["items"]
    at = served.get(f"{WEB}/decisions?at=2026-11-23T01:07:00Z").json()["items"]
    before = served.get(f"{WEB}/decisions?at=2026-11-22T01:07:00Z").json()["items"]

    words = at[0].pop("words")
    assert words[0].startswith("2026-11-23 02:07:00 Europe/Paris (2026-11-23T01:07:00Z): 15 pods")
    assert listed == at
    assert at[0]["stages"][-1]["pods"] == 15
    assert before == []


@pytest.mark.parametrize("variant", ["formula", "carry-on", "two-triggers"])
def test_the_scaledobject_is_yaml_to_paste(served: Served, variant: str) -> None:
    answer = served.get(f"{WEB}/scaledobject?variant={variant}")

    scaled, authentication = yaml.safe_load_all(answer.text)
    assert scaled["kind"] == "ScaledObject"
    assert authentication["kind"] == "TriggerAuthentication"
    assert scaled["spec"]["triggers"][0]["metadata"]["url"].startswith("http://prescaler:8080/api")


def change(served: Served, what: str, body: dict[str, Any], **more: str) -> Any:
    return served.client.put(f"{WEB}/{what}", headers={**AS_ADMIN, **more}, json=body)


def test_people_take_the_wheel_and_give_it_back(served: Served) -> None:
    until = "2026-11-23T03:00:00Z"
    put = change(served, "override", {"pods": 125, "reason": "final", "until": until})

    assert put.status_code == 200
    assert put.headers["etag"] == '"1"'
    assert put.json()["override"]["author"] == "ada"
    assert served.metric().json()["value"] == 10_000.0
    assert served.metric().json()["detail"] == "ada: final"
    status = served.get("/api/v1/status").json()["differs_from_file"]
    assert [(s["workload"], s["override"]["pods"]) for s in status] == [("web", 125)]

    served.clock.move(timedelta(hours=2))
    assert served.metric().json()["status"] == "active"
    gone = served.client.delete(f"{WEB}/override?reason=over", headers=AS_ADMIN)
    assert gone.json()["override"] is None
    audit = served.get("/api/v1/audit").json()["items"]
    assert [entry["action"] for entry in audit] == ["clear override", "override"]
    assert all(entry["author"] == "ada" for entry in audit)
    first = served.get("/api/v1/audit?limit=1").json()
    second = served.get(f"/api/v1/audit?limit=1&cursor={first['next']}").json()
    assert [*first["items"], *second["items"]] == audit
    assert second["next"] is None

    def found(query: str) -> list[str]:
        answer = served.get(f"/api/v1/audit?{query}")
        assert answer.status_code == 200, answer.text
        return [entry["action"] for entry in answer.json()["items"]]

    assert found("search=CLEAR") == ["clear override"]
    assert found("subject=web&author=ada") == ["clear override", "override"]
    assert found("subject=api") == found("author=nobody") == []
    since = audit[0]["at"]
    assert (found(f"from={since}"), found(f"to={since}")) == (["clear override"], ["override"])
    for wrong in ("cursor=x", "cursor=2026-11-23T05:00:00Z_x", "from=yesterday", "limit=0"):
        assert served.get(f"/api/v1/audit?{wrong}").status_code == 400


def test_freezing_keeps_the_value(served: Served) -> None:
    before = served.metric().json()["value"]
    change(served, "freeze", {"reason": "looking at it"})
    served.clock.move(timedelta(hours=5))

    assert (served.metric().json()["status"], served.metric().json()["value"]) == ("frozen", before)
    served.client.delete(f"{WEB}/freeze?reason=done", headers=AS_ADMIN)
    assert served.metric().json()["status"] == "active"


def test_of_two_who_read_the_same_the_second_is_told(served: Served) -> None:
    etag = served.get(WEB).headers["etag"]
    first = change(served, "mode", {"mode": "shadow", "reason": "one"}, **{"If-Match": etag})
    second = change(served, "mode", {"mode": "off", "reason": "two"}, **{"If-Match": etag})

    assert (first.status_code, second.status_code) == (200, 412)
    assert second.json()["kind"] == "changed_meanwhile"
    assert served.get(WEB).json()["control"]["mode"]["mode"] == "shadow"


BAD_BODIES: list[tuple[str, Any]] = [
    ("mode", {"mode": "maybe", "reason": "x"}),
    ("mode", {"mode": "off"}),
    ("mode", {"mode": "off", "reason": ""}),
    ("mode", {"mode": "off", "reason": "x", "surprise": 1}),
    ("mode", {"mode": "off", "reason": "x", "until": "tomorrow"}),
    ("mode", {"mode": "off", "reason": "x", "until": "2026-11-23T03:00:00"}),
    ("mode", {"mode": "off", "reason": "x", "until": "1999-01-01T00:00:00Z"}),
    ("mode", []),
    ("mode", "off"),
    ("freeze", {"reason": "x" * 3000}),
    ("override", {"reason": "x"}),
    ("override", {"reason": "x", "pods": -1}),
    ("override", {"reason": "x", "pods": 1.5}),
    ("override", {"reason": "x", "pods": 1, "load": 1}),
    ("override", {"reason": "x", "load": 1e300}),
    ("override", {"reason": "x", "load": "NaN"}),
]


@pytest.mark.parametrize(("what", "body"), BAD_BODIES)
def test_a_senseless_change_is_a_400_and_changes_nothing(
    served: Served, what: str, body: Any
) -> None:
    answer = served.client.put(f"{WEB}/{what}", headers=AS_ADMIN, json=body)

    assert answer.status_code == 400
    assert served.get(WEB).json()["control"]["revision"] == 0


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"reason": "x", "load": NaN}', b"{" * 5000])
def test_a_body_that_is_no_json_is_a_400(served: Served, body: bytes) -> None:
    answer = served.client.put(
        f"{WEB}/override", headers={**AS_ADMIN, "content-type": "application/json"}, content=body
    )

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "mode", {"reason": "x", "mode": "off"}),
        ("PUT", "freeze", {"reason": "x"}),
        ("DELETE", "freeze", None),
        ("PUT", "override", {"reason": "x", "pods": 1}),
        ("DELETE", "override", None),
    ],
)
def test_changes_need_the_admin_scope(served: Served, method: str, path: str, body: Any) -> None:
    url = f"{WEB}/{path}?reason=x"
    send = served.client.request

    assert send(method, url, json=body).status_code == 401
    assert send(method, url, json=body, headers=HEAD).status_code == 403
    assert send(method, url, json=body, headers=AS_ADMIN).status_code == 200


@pytest.mark.parametrize("etag", ["1", '"x"', '"-1"', "*x"])
def test_a_senseless_etag_is_refused(served: Served, etag: str) -> None:
    answer = change(served, "mode", {"mode": "off", "reason": "x"}, **{"If-Match": etag})

    assert answer.status_code in (400, 412)


def test_hostile_text_is_kept_as_text(served: Served) -> None:
    text = "<script>alert(1)</script>'; DROP TABLE audit; -- \x07 🏟"
    change(served, "freeze", {"reason": text})

    assert served.get("/api/v1/audit").json()["items"][0]["reason"] == text
    assert served.metric().json()["detail"].startswith("ada: <script>")
    assert served.metric().headers["content-type"] == "application/json"


@pytest.mark.parametrize("text", ["a\x00b", "half \ud800"])
def test_text_that_no_database_holds_is_refused(served: Served, text: str) -> None:
    content, head = json.dumps({"reason": text}), {**AS_ADMIN, "Content-Type": "application/json"}
    control = served.client.put(f"{WEB}/freeze", content=content, headers=head)
    event = {
        "name": "x",
        "start": "2027-01-01T00:00:00Z",
        "end": "2027-01-01T01:00:00Z",
        "workloads": "all",
        "reason": text,
    }
    planned = served.client.post("/api/v1/events", content=json.dumps(event), headers=head)

    for answer in (control, planned):
        assert answer.status_code == 400, answer.text
        assert answer.json()["detail"].startswith("reason: ")


@pytest.mark.parametrize(
    "path",
    [
        "audit?cursor=9999-12-31T23:59:59Z_99999999999999999999999",
        "audit?cursor=2026-11-23T05:00:00Z_-1",
        "audit?search=%00",
        "events?kind=%00",
        "events/upcoming?from=9999-12-31T23:59:59Z",
        "events/upcoming?to=9999-12-31T23:59:59Z",
    ],
)
def test_ends_of_the_calendar_and_zero_bytes_are_refused(served: Served, path: str) -> None:
    answer = served.get(f"/api/v1/{path}")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b'{"name": "\xff"}', b"[" * 50_000, b"9" * 5000])
def test_a_body_that_is_no_json_is_a_problem_document(served: Served, body: bytes) -> None:
    head = {**AS_ADMIN, "Content-Type": "application/json"}
    answer = served.client.post("/api/v1/events", content=body, headers=head)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_status_says_how_we_are(served: Served) -> None:
    found = served.get("/api/v1/status").json()

    assert found["store"] == {"ok": True, "error": None}
    assert found["configuration"]["ok"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"])


def test_health_needs_no_key_and_shows_nothing(served: Served) -> None:
    assert served.client.get("/livez").json() == {"status": "ok"}
    assert served.client.get("/readyz").text == "ok\n"
    assert served.client.get("/metrics").status_code == 200


def test_metrics_may_be_behind_a_key(serve: Serve, tmp_path: Path) -> None:
    served = serve(server={"snapshot_dir": str(tmp_path / "s"), "metrics_key": True})

    assert served.client.get("/metrics").status_code == 401
    assert served.get("/metrics").status_code == 200


def test_metrics_show_every_workload(served: Served) -> None:
    text = served.client.get("/metrics").text

    for line in (
        'prescaler_value{workload="web"} 1156.753',
        'prescaler_plan_pods{workload="web"} 15.0',
        'prescaler_status{status="active",workload="web"} 1.0',
        'prescaler_mode{mode="active",workload="web"} 1.0',
        'prescaler_forecast{lead="0",quantile="0.5",workload="web"}',
        'prescaler_forecast{lead="1h",quantile="0.95",workload="web"}',
        'prescaler_forecast_age_seconds{workload="web"} 3600.0',
        'prescaler_demand_age_seconds{workload="web"} 0.0',
        'prescaler_error_ratio{bucket="1h",workload="web"} 0.42',
        'prescaler_coverage{bucket="1h",quantile="0.95",workload="web"} 0.943',
        'prescaler_value{workload="api"} 0.0',
        "prescaler_store_up 1.0",
        "prescaler_config_valid 1.0",
    ):
        assert line in text
    assert 'forecast_age_seconds{workload="api"}' not in text


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/nothing", "/api/v2/workloads", "/admin", "/..%2f"]
)
def test_what_is_not_there_is_a_problem_too(served: Served, path: str) -> None:
    answer = served.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_route_of_the_review_api_needs_a_key(served: Served) -> None:
    for path, item in served.client.get("/api/v1/openapi.json").json()["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method in item:
            url = path.replace("{name}", "web")
            assert served.client.request(method.upper(), url).status_code == 401, (method, path)


def test_the_documentation_page_needs_nothing_from_elsewhere(served: Served) -> None:
    page = served.client.get("/docs").text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert addresses
    assert all(a.startswith("/") for a in addresses)
    assert all(served.client.get(a).status_code == 200 for a in addresses)
    schema = served.client.get("/api/v1/openapi.json").json()
    assert "/api/v1/workloads/{name}/metric" in schema["paths"]
    used = schema["paths"]["/api/v1/workloads/{name}/metric"]["get"]["security"]
    assert {name for way in used for name in way} <= set(schema["components"]["securitySchemes"])


def test_a_dead_store_is_a_503_for_pages_and_nothing_for_keda(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.stores.database.close()
    (served.path.parent / "store.sqlite").unlink()
    for leftover in served.path.parent.glob("store.sqlite-*"):
        leftover.unlink()
    (served.path.parent / "store.sqlite").mkdir()

    answer = served.get(f"{WEB}/demand")
    served.keeper.refresh()

    assert answer.status_code == 503
    assert answer.json()["kind"] == "store_unreachable"
    assert served.metric().json()["status"] == "active"
    assert not served.get("/api/v1/status").json()["store"]["ok"]
    assert "prescaler_store_up 0.0" in served.client.get("/metrics").text


def test_every_route_that_the_dashboard_page_names_is_there(served: Served) -> None:
    text = (Path(__file__).parents[2] / "docs" / "dashboard.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(/api/v1/[^`]+)`", text))

    assert len(named) > 25
    assert named <= set(served.get("/api/v1/openapi.json").json()["paths"])


def test_the_steepest_rises_come_first(served: Served) -> None:
    found = served.get("/api/v1/rises?limit=5").json()

    assert [one["workload"] for one in found["items"]] == ["web"]
    (one,) = found["items"]
    assert one["more"] == one["peak"]["pods"] - one["pods"] > 0
    assert served.get("/api/v1/rises?search=api").json()["items"] == []


def test_a_workload_explains_itself_in_words(served: Served) -> None:
    words = served.get(WEB).json()["words"]

    assert "pods" in words[0]
    assert len(words) > 1


def test_a_key_for_few_workloads_goes_on_behind_what_it_may_not_see(served: Served) -> None:
    others = {"author": "ada", "action": "override", "reason": "", "before": None, "after": "{}"}
    rows = [
        {"at": NOW + n * timedelta(seconds=1), "subject": "api" if n else "web", **others}
        for n in range(10_001)
    ]
    with served.stores.database.write() as connection:
        connection.execute(t.audit.insert(), rows)
    head = {"X-API-Key": WEB_ONLY}

    first = served.client.get("/api/v1/audit", headers=head).json()
    address = f"/api/v1/audit?cursor={first['next']}"
    second = served.client.get(address, headers=head).json()

    assert first["items"] == []
    assert [entry["subject"] for entry in second["items"]] == ["web"]
    assert second["next"] is None
    browsing.enter(served, WEB_ONLY)
    assert "Look at earlier ones" in browsing.text(served, "/audit")
