"""What `prescaler keda` prints: formulas of the truth table, and the rules KEDA holds it to."""

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.k8s import crd_schemas
from tests.k8s.manifests import EXAMPLES
from tests.k8s.printed import (
    CASES,
    FORMULAS,
    LEAST,
    VARIANTS,
    Case,
    print_keda,
    print_objects,
    write_configuration,
)

every_printed = pytest.mark.parametrize(
    ("case", "variant"), [(case, variant) for case in CASES for variant in case.variants], ids=str
)
every_formula = pytest.mark.parametrize("variant", FORMULAS)
with_behavior = pytest.mark.parametrize(
    "lead_time",
    [
        {"tolerance": {"up": 0.02}},
        {"tolerance": {"up": 0.02, "down": 0.05}},
        {"tolerance": {"down": 0.05}},
        {"behavior": [{"type": "Percent", "value": 900, "period": "15s"}]},
    ],
    ids=str,
)


def behavior_of(folder: Path, lead_time: dict[str, Any]) -> dict[str, Any]:
    section = {"name": "web", "lead_time": lead_time}
    configuration = write_configuration(folder / "prescaler.yaml", section)
    scaled, _ = print_objects(configuration, "web", "formula")
    crd_schemas.check(scaled)
    behavior: dict[str, Any] = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]
    return behavior["behavior"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_examples_are_what_is_printed_for_the_base(
    base_configuration: Path, variant: str
) -> None:
    printed = print_keda(base_configuration, "web", "--variant", variant)

    assert printed == (EXAMPLES / f"{variant}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_formula_is_that_of_the_truth_table(configuration: Path, case: Case) -> None:
    formulas = {
        variant: print_objects(configuration, case.name, variant)[0]["spec"]["advanced"]
        for variant in FORMULAS
    }

    assert formulas["formula"]["scalingModifiers"]["formula"] == case.formula
    assert formulas["carry-on"]["scalingModifiers"]["formula"] == case.carry_on


@every_printed
def test_printed_objects_have_the_fields_of_their_kinds_and_no_others(
    configuration: Path, case: Case, variant: str
) -> None:
    for document in print_objects(configuration, case.name, variant):
        crd_schemas.check(document)


@every_printed
def test_metadata_are_strings_and_references_hold(
    configuration: Path, case: Case, variant: str
) -> None:
    scaled, authentication = print_objects(configuration, case.name, variant)
    ours, *theirs = scaled["spec"]["triggers"]

    assert ours["authenticationRef"]["name"] == authentication["metadata"]["name"]
    assert scaled["metadata"]["namespace"] == authentication["metadata"]["namespace"]
    assert len(theirs) == case.sources
    for trigger in (ours, *theirs):
        assert all(isinstance(value, str) for value in trigger["metadata"].values())


@pytest.mark.parametrize("case", CASES, ids=str)
@every_formula
def test_a_formula_comes_with_its_fallback_and_at_least_one_pod(
    configuration: Path, case: Case, variant: str
) -> None:
    spec = print_objects(configuration, case.name, variant)[0]["spec"]

    assert spec["minReplicaCount"] >= 1
    assert spec["fallback"] == {
        "failureThreshold": 0,
        "replicas": LEAST,
        "behavior": "scalingModifiers",
    }
    assert len({trigger["name"] for trigger in spec["triggers"]}) == 1 + case.sources


@pytest.mark.parametrize("case", [case for case in CASES if case.sources == 1], ids=str)
def test_two_triggers_carry_neither_fallback_nor_formula(configuration: Path, case: Case) -> None:
    spec = print_objects(configuration, case.name, "two-triggers")[0]["spec"]

    assert "fallback" not in spec
    assert "advanced" not in spec


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_url_asks_for_pods_or_tells_the_target(configuration: Path, case: Case) -> None:
    trigger = print_objects(configuration, case.name, "formula")[0]["spec"]["triggers"][0]
    target = trigger["metadata"]["targetValue"]
    query = trigger["metadata"]["url"].partition("?")[2]

    assert query == ("unit=pods" if case.in_pods else f"target={target}")
    assert float(target) == case.predicted


def test_the_number_of_carry_on_can_be_chosen(configuration: Path) -> None:
    printed = print_keda(configuration, "plain", "--variant", "carry-on", "--fallback-pods", "9")

    assert "replicas: 9" in printed


@with_behavior
def test_behavior_comes_with_policies_that_keep_the_ramp(
    tmp_path: Path, lead_time: dict[str, Any]
) -> None:
    scale_up = behavior_of(tmp_path, lead_time)["scaleUp"]
    asked = lead_time.get("behavior")
    built_in = [
        {"type": "Percent", "value": 100, "periodSeconds": 10},
        {"type": "Pods", "value": 4, "periodSeconds": 10},
    ]
    own = [{"type": "Percent", "value": 900, "periodSeconds": 15}]

    assert scale_up["policies"] == (own if asked else built_in)
    assert scale_up["stabilizationWindowSeconds"] == 0


def test_a_workload_that_scales_to_zero_gets_two_triggers(tmp_path: Path) -> None:
    section = {"name": "web", "scale_target": {"name": "web", "min_pods": 0}}
    configuration = write_configuration(tmp_path / "prescaler.yaml", section)

    assert "variant two-triggers" in print_keda(configuration, "web")


@pytest.mark.parametrize("bounds", [{"min_pods": 0}, {"min_pods": 2, "idle_pods": 0}], ids=str)
def test_a_workload_that_sleeps_says_so_in_fields_of_its_kind(
    tmp_path: Path, bounds: dict[str, Any]
) -> None:
    target = {"name": "web", "cooldown": "2m", "wake_at": 0.25, **bounds}
    section = {"name": "web", "scale_target": target, "lead_time": {"polling": "10s"}}
    configuration = write_configuration(tmp_path / "prescaler.yaml", section)
    scaled, _ = print_objects(configuration, "web", "two-triggers")
    ours = scaled["spec"]["triggers"][0]["metadata"]

    crd_schemas.check(scaled)
    assert (scaled["spec"]["pollingInterval"], scaled["spec"]["cooldownPeriod"]) == (10, 120)
    assert float(ours["activationTargetValue"]) == 0.25 * int(ours["targetValue"])
    assert scaled["spec"].get("idleReplicaCount") == bounds.get("idle_pods")


def test_the_schema_sees_a_misspelt_field(configuration: Path) -> None:
    scaled, _ = print_objects(configuration, "plain", "formula")
    scaled["spec"]["fallback"]["behaviour"] = scaled["spec"]["fallback"].pop("behavior")

    with pytest.raises(jsonschema.ValidationError, match="behaviour"):
        crd_schemas.check(scaled)
