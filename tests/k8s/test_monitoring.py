"""Alerts and dashboard speak of metrics that we really have, in expressions that really work."""

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.apps.conftest import Serve, Served, workload
from tests.apps.conftest import serve as _serve
from tests.k8s import crd_schemas
from tests.k8s.manifests import K8S, ROOT, read
from tests.support.prometheus import PrometheusServer

ALERTS = K8S / "monitoring" / "alerts.yaml"
DASHBOARD = K8S / "monitoring" / "dashboard.json"
(RULES,) = read(ALERTS)
PANELS: list[dict[str, Any]] = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
ALERTED = [rule["expr"] for group in RULES["spec"]["groups"] for rule in group["rules"]]

serve = _serve


@pytest.fixture
def scraped(serve: Serve, prometheus: PrometheusServer) -> PrometheusServer:
    """A Prometheus that holds what our /metrics says, four times in a minute."""
    grows = {"mode": "active", "acts_as": "growth"}
    served: Served = serve(workloads=[workload("grafana-web", policy=grows), workload("silent")])
    served.store("grafana-web")
    served.metric("grafana-web", "?target=81")
    served.telemetry.leader.set(1)
    served.telemetry.runs.labels("stored").inc()
    served.telemetry.feed_errors.labels("cup").inc()
    served.telemetry.guard_trips.labels("silent", "residuals").inc()
    now = int(time.time())
    text = served.client.get("/metrics").text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {"__name__": sample.name, "job": str(served.path), **sample.labels}
            values = [(now - ago, sample.value) for ago in (3600, 60, 45, 30, 15, 0)]
            if sample.value == sample.value:
                prometheus.write(labels, values)
    return prometheus


def ask(prometheus: PrometheusServer, expression: str) -> list[Any]:
    answer = requests.get(
        f"{prometheus.url}/api/v1/query", params={"query": expression}, timeout=10
    ).json()
    assert answer["status"] == "success", (expression, answer)
    found: list[Any] = answer["data"]["result"]
    return found


def test_every_panel_shows_something_from_our_own_metrics(scraped: PrometheusServer) -> None:
    empty = []
    for expression in EXPRESSIONS:
        asked = expression.replace("$workload", "grafana-web")
        if not ask(scraped, asked):
            empty.append(asked)

    assert empty == []


def test_every_metric_of_an_alert_is_there(scraped: PrometheusServer) -> None:
    names = {name for expr in ALERTED for name in re.findall(r"prescaler_\w+", expr)}

    assert {name for name in names if not ask(scraped, name)} == set()
    assert ask(scraped, "max by (workload) (prescaler_target_mismatch) == 1")


def promtool(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def rule_file(folder: Path) -> Path:
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump(RULES["spec"], sort_keys=False))
    return path


def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    done = promtool("check", "rules", str(rule_file(tmp_path)), cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert f"{len(ALERTED)} rules found" in done.stdout


CASES = [
    ("PrescalerNobodyLeads", {'prescaler_leader{instance="a"}': "0x20"}, {}),
    (
        "PrescalerSilent",
        {
            'prescaler_status{workload="web",status="neutral",instance="a"}': "1x20",
            'prescaler_mode{workload="web",mode="active",instance="a"}': "1x20",
        },
        {"workload": "web"},
    ),
    (
        "PrescalerReplicaGone",
        {
            'prescaler_store_up{instance="a"}': "1x20",
            'prescaler_store_up{instance="b"}': "1 1 1 stale",
        },
        {},
    ),
    (
        "PrescalerTooLate",
        {'prescaler_plan_unreachable{workload="web",instance="a"}': "0x5 180x20"},
        {"workload": "web"},
    ),
    (
        "PrescalerFeedBroken",
        {'prescaler_feed_errors_total{feed="cup",instance="a"}': "0 0 1 2 3x20"},
        {"feed": "cup"},
    ),
    (
        "PrescalerForecastOld",
        {'prescaler_forecast_age_seconds{workload="web",instance="a"}': "4000x20"},
        {"workload": "web"},
    ),
]


@pytest.mark.parametrize(("alert", "series", "labels"), CASES, ids=[case[0] for case in CASES])
def test_alerts_fire_when_they_should_and_name_the_workload(
    tmp_path: Path, alert: str, series: dict[str, str], labels: dict[str, str]
) -> None:
    rule_file(tmp_path)
    rule = next(r for g in RULES["spec"]["groups"] for r in g["rules"] if r["alert"] == alert)
    test = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": k, "values": v} for k, v in series.items()],
                "promql_expr_test": [
                    {
                        "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                        "eval_time": "15m",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    }
                ],
            }
        ],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))

    done = promtool("test", "rules", "test.yaml", cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert all(label in rule["annotations"]["summary"] for label in labels)


def test_a_shadowed_workload_may_be_silent(scraped: PrometheusServer) -> None:
    (rule,) = [expr for expr in ALERTED if 'status="neutral"' in expr]

    assert [found["metric"]["workload"] for found in ask(scraped, rule)] == ["silent"]
    assert ask(scraped, rule.replace("active|capped", "shadow")) == []


def test_the_alerts_are_an_object_of_the_operator() -> None:
    crd_schemas.check(RULES)


def test_every_alert_says_what_to_do_and_operations_know_its_metric() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text("utf-8")

    for group in RULES["spec"]["groups"]:
        for rule in group["rules"]:
            assert {"summary", "description"} <= set(rule["annotations"])
            assert any(name in operations for name in re.findall(r"prescaler_\w+", rule["expr"]))
