"""The printed objects, rule by rule; tests/k8s proves what they do."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from prescaler.core.errors import BadParameter
from prescaler.core.policy import Capacity, PolicyType, ScalingPolicy, Tolerance, Unit
from prescaler.core.scaledobject import (
    ReactiveSource,
    Variant,
    default_variant,
    formula,
    remarks,
    scaled_object,
    trigger_authentications,
)
from prescaler.core.workload import DemandQuery, Reactive, ScaleTarget, Workload
from tests.support.builders import MINUTE, lead_time, policy, workload

MAIN = ReactiveSource("main", "http://prom:9090")
TWO_SOURCES = DemandQuery(("blue", "green"), "sum(x)", MINUTE, MINUTE)
IN_PODS = policy(capacity=Capacity(0.5, 0.5, Unit.PODS))


def printed(one: Workload, variant: Variant = Variant.FORMULA, **more: Any) -> dict[str, Any]:
    sources = more.pop("sources", [MAIN])
    return scaled_object(one, variant, public_url="http://p:8080/", sources=sources, **more)


def test_the_default_formula_carries_nothing_on_the_reactive_side() -> None:
    spec = printed(workload())["spec"]

    assert spec["advanced"]["scalingModifiers"] == {
        "formula": "max(predicted ?? 0, reactive)",
        "target": "80",
        "metricType": "AverageValue",
    }
    assert spec["fallback"] == {
        "failureThreshold": 0,
        "replicas": 2,
        "behavior": "scalingModifiers",
    }
    predicted, reactive = spec["triggers"]
    assert predicted["metadata"]["url"] == "http://p:8080/api/v1/workloads/web/metric?target=80"
    assert predicted["metadata"]["valueLocation"] == "value"
    assert reactive["metadata"]["ignoreNullValues"] == "false"
    assert reactive["metadata"]["threshold"] == "80"


CARRY_ON = "{nil} ? ((predicted ?? 0) > 0 ? predicted : nil) : max(predicted ?? 0, {term})"


@pytest.mark.parametrize(
    ("changes", "nil", "term"),
    [
        ({}, "reactive == nil", "reactive"),
        ({"reactive": Reactive(None, 40)}, "reactive == nil", "reactive * 2"),
        (
            {"demand": TWO_SOURCES},
            "reactive1 == nil || reactive2 == nil",
            "reactive1 + reactive2",
        ),
        (
            {"demand": TWO_SOURCES, "reactive": Reactive(None, 160)},
            "reactive1 == nil || reactive2 == nil",
            "(reactive1 + reactive2) * 0.5",
        ),
        ({"policy": IN_PODS}, "reactive == nil", "reactive * 4"),
    ],
)
def test_reality_is_brought_into_our_units_by_a_constant(
    changes: dict[str, Any], nil: str, term: str
) -> None:
    one = workload(**changes)

    assert formula(one, Variant.FORMULA) == f"max(predicted ?? 0, {term})"
    assert formula(one, Variant.CARRY_ON) == CARRY_ON.format(nil=nil, term=term)


def test_pods_are_asked_for_in_pods() -> None:
    spec = printed(workload(policy=IN_PODS))["spec"]

    assert spec["triggers"][0]["metadata"]["url"].endswith("metric?unit=pods")
    assert spec["advanced"]["scalingModifiers"]["target"] == "1"


def test_two_triggers_have_no_formula_no_fallback_and_no_names() -> None:
    spec = printed(workload(), Variant.TWO_TRIGGERS)["spec"]

    assert set(spec) == {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "triggers"}
    assert all("name" not in trigger for trigger in spec["triggers"])


def test_two_triggers_in_pods_divide_the_load_in_the_query() -> None:
    reactive = printed(workload(policy=IN_PODS), Variant.TWO_TRIGGERS)["spec"]["triggers"][1]

    assert reactive["metadata"]["query"] == "(sum(rate(requests[1m]))) / 0.25"
    assert reactive["metadata"]["threshold"] == "1"


def test_two_triggers_cannot_add_up_sources() -> None:
    with pytest.raises(BadParameter, match="cannot add them up"):
        printed(workload(demand=TWO_SOURCES), Variant.TWO_TRIGGERS, sources=[MAIN, MAIN])


SLEEPER = replace(workload(), scale_target=ScaleTarget("Deployment", "web", "prod", 0, 10))


def test_a_workload_that_scales_to_zero_gets_two_triggers_and_no_formula() -> None:
    assert default_variant(SLEEPER) is Variant.TWO_TRIGGERS
    assert default_variant(workload()) is Variant.FORMULA
    with pytest.raises(BadParameter, match="use --variant two-triggers"):
        printed(SLEEPER)


def test_a_workload_that_sleeps_says_when_and_how_often_keda_looks() -> None:
    idle = replace(SLEEPER.scale_target, min_pods=3, idle_pods=0, cooldown=timedelta(minutes=2))
    plain = printed(SLEEPER, Variant.TWO_TRIGGERS)["spec"]
    found = printed(replace(SLEEPER, scale_target=idle), Variant.TWO_TRIGGERS)["spec"]
    awake = printed(workload(), Variant.TWO_TRIGGERS)["spec"]

    assert (plain["pollingInterval"], plain["cooldownPeriod"]) == (30, 300)
    assert "idleReplicaCount" not in plain
    assert (found["minReplicaCount"], found["idleReplicaCount"]) == (3, 0)
    assert found["cooldownPeriod"] == 120
    assert default_variant(replace(SLEEPER, scale_target=idle)) is Variant.TWO_TRIGGERS
    assert not {"pollingInterval", "cooldownPeriod", "idleReplicaCount"} & set(awake)


@pytest.mark.parametrize(
    ("wake_at", "in_pods", "asleep", "written"),
    [(0.1, False, True, "8"), (0.25, False, True, "20"), (0.0, False, True, None),
     (1e-9, False, True, "0.00000008"), (0.1, True, True, None), (0.1, False, False, None)],
)  # fmt: skip
def test_a_plan_of_next_to_nothing_wakes_nobody(
    wake_at: float, in_pods: bool, asleep: bool, written: str | None
) -> None:
    target = replace(SLEEPER.scale_target, wake_at=wake_at, min_pods=0 if asleep else 1)
    found = workload(**({"policy": IN_PODS} if in_pods else {}))
    triggers = printed(replace(found, scale_target=target), Variant.TWO_TRIGGERS)["spec"][
        "triggers"
    ]

    assert triggers[0]["metadata"].get("activationTargetValue") == written
    assert "activationThreshold" not in triggers[1]["metadata"]


def test_a_name_that_kubernetes_would_refuse_is_refused() -> None:
    long = replace(workload(), scale_target=ScaleTarget("Deployment", "w" * 55, "prod", 1, 10))
    with pytest.raises(BadParameter, match="longer than 54"):
        printed(long)


def test_without_behavior_none_is_printed() -> None:
    assert "horizontalPodAutoscalerConfig" not in printed(workload())["spec"]["advanced"]


@pytest.mark.parametrize(
    ("changes", "up", "down"),
    [
        ({"tolerance": Tolerance(up=0.0)}, "0", None),
        ({"tolerance": Tolerance(down=0.05)}, None, "0.05"),
        ({"tolerance": Tolerance(0.02, 0.2)}, "0.02", "0.2"),
    ],
)
def test_any_behavior_brings_policies_that_keep_the_ramp(
    changes: dict[str, Any], up: str | None, down: str | None
) -> None:
    one = workload(policy=policy(lead_time=lead_time(**changes)))
    behavior = printed(one)["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]

    assert behavior["scaleUp"]["policies"] == [
        {"type": "Percent", "value": 100, "periodSeconds": 10},
        {"type": "Pods", "value": 4, "periodSeconds": 10},
    ]
    assert behavior["scaleUp"].get("tolerance") == up
    assert behavior.get("scaleDown", {}).get("tolerance") == down


def test_written_policies_are_printed_as_written() -> None:
    own = (ScalingPolicy(PolicyType.PERCENT, 900, timedelta(seconds=15)),)
    one = workload(policy=policy(lead_time=lead_time(behavior=own)))
    config = printed(one)["spec"]["advanced"]["horizontalPodAutoscalerConfig"]

    assert config["behavior"]["scaleUp"]["policies"] == [
        {"type": "Percent", "value": 900, "periodSeconds": 15}
    ]


def test_headers_and_credentials_of_prometheus_are_passed_on() -> None:
    source = ReactiveSource("mimir", "http://mimir", (("X-Scope-OrgID", "a"),), "bearer")
    reactive = printed(workload(), sources=[source])["spec"]["triggers"][1]

    assert reactive["metadata"]["customHeaders"] == "X-Scope-OrgID=a"
    assert reactive["metadata"]["authModes"] == "bearer"
    assert reactive["authenticationRef"] == {"name": "prometheus-mimir"}


def test_a_query_of_its_own_may_stand_on_the_reactive_side() -> None:
    one = workload(reactive=Reactive("sum(cpu)", None))

    assert printed(one)["spec"]["triggers"][1]["metadata"]["query"] == "sum(cpu)"


def test_the_fallback_may_be_set() -> None:
    assert printed(workload(), fallback_pods=9)["spec"]["fallback"]["replicas"] == 9


def test_the_key_comes_from_a_secret() -> None:
    (ours,) = trigger_authentications(workload(), [MAIN])

    assert ours["metadata"] == {"name": "prescaler", "namespace": "prod"}
    assert ours["spec"]["secretTargetRef"] == [
        {"parameter": "apiKey", "name": "prescaler-keda", "key": "api-key"}
    ]


@pytest.mark.parametrize(
    ("mode", "parameters"), [("bearer", ["bearerToken"]), ("basic", ["username", "password"])]
)
def test_credentials_of_prometheus_are_printed_too(mode: str, parameters: list[str]) -> None:
    source = ReactiveSource("blue", "http://blue", (), mode)
    _, theirs = trigger_authentications(workload(), [source, MAIN])

    assert theirs["metadata"]["name"] == "prometheus-blue"
    assert [ref["parameter"] for ref in theirs["spec"]["secretTargetRef"]] == parameters


def test_a_header_that_keda_would_cut_is_refused() -> None:
    source = ReactiveSource("main", "http://x", (("X-Scope-OrgID", "a,b"),))
    with pytest.raises(BadParameter, match="holds a comma"):
        printed(workload(), sources=[source])


def test_a_private_authority_is_remarked() -> None:
    private = ReactiveSource("main", "https://x", private_tls=True)

    assert len(remarks(workload(), [private, MAIN])) == 1


def test_a_workload_that_sleeps_in_whole_pods_is_told_that_any_plan_wakes_it() -> None:
    whole = replace(SLEEPER, policy=IN_PODS)

    assert "keeps it awake" in remarks(whole, [MAIN])[0]
    assert remarks(SLEEPER, [MAIN]) == []
    assert remarks(workload(policy=IN_PODS), [MAIN]) == []


def test_other_kinds_carry_their_api_version() -> None:
    rollout = ScaleTarget("Rollout", "web", "prod", 1, 10, "argoproj.io/v1alpha1")
    found = printed(replace(workload(), scale_target=rollout))["spec"]["scaleTargetRef"]

    assert found == {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web"}
    assert "apiVersion" not in printed(workload())["spec"]["scaleTargetRef"]
