"""The way from one configuration to another."""

from dataclasses import replace
from datetime import timedelta

import pytest

from prescaler.core.policy import ActsAs, Mode
from prescaler.core.replay.ground import Arm, Setting
from prescaler.core.replay.objects import (
    Change,
    Place,
    changes,
    configured_for,
    object_for,
    settings_for,
)
from prescaler.core.scaledobject import ReactiveSource
from tests.support import builders as make

WEB = make.workload()
OURS = Setting(Arm.CALENDAR, 0.9, 0.99, timedelta(0))
TODAY = Setting(Arm.REACTIVE, 0.7)


def test_from_reactive_to_prescaler() -> None:
    before, after = (object_for(WEB, one, Place()) for one in (TODAY, OURS))
    paths = {one.path: one for one in changes(before, after)}

    assert paths["spec.advanced.scalingModifiers.formula"].after == "max(predicted ?? 0, reactive)"
    assert paths["spec.advanced.scalingModifiers.target"] == Change(
        "spec.advanced.scalingModifiers.target", None, "90"
    )
    assert paths["spec.triggers[reactive].metadata.threshold"] == Change(
        "spec.triggers[reactive].metadata.threshold", "70", "90"
    )
    assert "spec.fallback.replicas" in paths
    assert "metadata.name" not in paths


def test_reactive_alone_has_one_trigger_and_no_formula() -> None:
    steep = replace(WEB.policy, lead_time=make.lead_time(tolerance=_none()))
    plain, tolerant = (object_for(w, TODAY, Place()) for w in (WEB, replace(WEB, policy=steep)))

    assert [t["type"] for t in plain["spec"]["triggers"]] == ["prometheus"]
    assert "advanced" not in plain["spec"]
    assert "fallback" not in plain["spec"]
    assert list(tolerant["spec"]["advanced"]) == ["horizontalPodAutoscalerConfig"]


def _none() -> object:
    return make.lead_time().tolerance.__class__(0.0, 0.0)


def test_a_reactive_target_of_its_own_becomes_a_constant() -> None:
    apart = object_for(WEB, replace(OURS, reactive=0.6), Place())

    formula = apart["spec"]["advanced"]["scalingModifiers"]["formula"]
    assert formula == "max(predicted ?? 0, reactive * 1.5)"


def test_growth_has_triggers_of_its_own_and_reactive_scaling_has_none_of_them() -> None:
    grows = replace(OURS, growth=True)
    found = object_for(WEB, grows, Place())
    declared = configured_for(WEB, grows)
    back = object_for(declared, TODAY, Place())

    names = [trigger.get("name") for trigger in found["spec"]["triggers"]]
    assert names == ["predicted", "growth", "running", "reactive"]
    assert settings_for(WEB, grows)["policy.acts_as"] == "growth"
    assert [trigger["type"] for trigger in back["spec"]["triggers"]] == ["prometheus"]
    assert configured_for(declared, OURS).policy.acts_as is ActsAs.PLAN


def test_the_fields_of_the_file() -> None:
    paths = [one.path for one in changes(settings_for(WEB, TODAY), settings_for(WEB, OURS))]

    assert paths == [
        "capacity.utilisation",
        "policy.hold",
        "policy.mode",
        "policy.quantile",
        "reactive.target",
    ]
    kept = configured_for(WEB, Setting(Arm.PLAIN, 0.8)).policy
    assert (kept.quantile, kept.hold, kept.mode) == (0.95, timedelta(minutes=5), Mode.ACTIVE)
    assert configured_for(WEB, TODAY).policy.mode is Mode.SHADOW


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [Change("a.b", 1, 2)]),
        ({"a": [1, 2]}, {"a": [1]}, [Change("a[1]", 2, None)]),
        ({"a": None}, {}, [Change("a", None, None)]),
        ([{"type": "x"}], [{"type": "y"}], [Change("[0].type", "x", "y")]),
        ({"a": {}}, {"a": []}, [Change("a", {}, [])]),
        ({}, {"a": {}}, [Change("a", None, {})]),
        ({"a": {}}, {"a": {"b": 1}}, [Change("a", {}, None), Change("a.b", None, 1)]),
    ],
)
def test_what_differs(before: object, after: object, expected: list[Change]) -> None:
    assert changes(before, after) == expected


def trigger(query: str, **more: str) -> dict[str, object]:
    return {"type": "prometheus", **more, "metadata": {"query": query}}


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (({"name": "one"}, {"name": "two"}), ("one", "two")),
        (({}, {}), ("prometheus", "prometheus#1")),
        (({"name": "same"}, {"name": "same"}), ("same", "same#1")),
        (({"name": ""}, {"name": "prometheus"}), ("prometheus", "prometheus#1")),
        (
            ({"name": "x#2"}, {"name": "x"}, {"name": "x"}),
            ("x#2", "x", "x#2#2"),
        ),
    ],
)
def test_no_change_of_a_trigger_hides_behind_another(
    names: tuple[dict[str, str], ...], places: tuple[str, ...]
) -> None:
    before = [trigger("old", **one) for one in names]
    for number, place in enumerate(places):
        after = list(before)
        after[number] = trigger("new", **names[number])

        assert changes(before, after) == [Change(f"[{place}].metadata.query", "old", "new")]


def test_two_sources_change_apart() -> None:
    two = replace(WEB, demand=replace(WEB.demand, sources=("east", "west")))
    place = Place(sources=(ReactiveSource("east", "http://e"), ReactiveSource("west", "http://w")))
    before, after = (object_for(two, one, place) for one in (TODAY, OURS))
    found = {one.path: one.after for one in changes(before, after)}

    assert found["spec.triggers[reactive1].metadata.threshold"] == "90"
    assert found["spec.triggers[reactive2].metadata.threshold"] == "90"
    assert "spec.triggers[reactive2].metadata.serverAddress" not in found
