"""Moving in: every line taken over or refused with a reason, every difference said."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prescaler.core.moving_in import Filling, move_in, report
from tests.support.builders import PARIS

KEYS = {
    "start": "annotations.scaling.exporter.time.start",
    "end": "annotations.scaling.exporter.time.end",
    "pods": "annotations.scaling.exporter.replica.min",
}
PLAIN = Filling(PARIS)


def hpa(name: str = "web", **changes: Any) -> dict[str, Any]:
    told = {"start": "19:30:00", "end": "23:30:00", "pods": "40", **changes}
    notes = {KEYS[key]: told[key] for key in KEYS if told[key] is not None}
    return {
        "kind": told.get("kind", "HorizontalPodAutoscaler"),
        "metadata": {"name": name, "namespace": told.get("ns", "prod"), "annotations": notes},
        "spec": {
            "minReplicas": told.get("least", "25"),
            "maxReplicas": told.get("most", "200"),
            "scaleTargetRef": {"kind": "Deployment", "name": name},
        },
    }


def event(name: str = "final", **changes: Any) -> dict[str, Any]:
    spec = {
        "date": "2026-11-28", "start_time": "20:00:00", "end_time": "23:30:00", "multiplier": "3",
        "description": "x", **changes,
    }  # fmt: skip
    return {"kind": "PrescalingEvent", "metadata": {"name": name}, "spec": spec}


def test_a_window_and_an_event_are_taken_over_as_they_are() -> None:
    moved = move_in([hpa()], [event()], PLAIN)

    assert moved.workloads[0]["windows"] == [{"start": "19:30", "end": "23:30", "min_pods": 40}]
    assert moved.workloads[0]["policy"] == {"mode": "shadow"}
    (final,) = moved.events
    assert (final.start, final.end) == (
        datetime(2026, 11, 28, 19, tzinfo=UTC), datetime(2026, 11, 28, 22, 30, tzinfo=UTC)
    )  # fmt: skip
    assert final.effect.min_pods_factor == 3.0
    assert final.selection.names == {"web"}
    assert (moved.differences, moved.refused) == ([], [])


def test_what_annotations_do_not_say_is_filled_in_or_named() -> None:
    filled = Filling(PARIS, "main", 'sum(x{ns="{namespace}",app="{name}"})', 100.0)
    moved = move_in([hpa()], [], filled)

    assert moved.workloads[0]["demand"] == {
        "source": ["main"], "query": 'sum(x{ns="prod",app="web"})'
    }  # fmt: skip
    assert moved.workloads[0]["capacity"] == {"per_pod": 100.0}
    assert "do not say" not in report(moved, filled)
    assert "demand.source, demand.query, capacity.per_pod" in report(moved, PLAIN)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (hpa(end="02:00:00"), "of the next day"),
        (hpa(start="19:30:10"), "whole minutes"),
        (hpa(most="30"), "30 pods instead of 40"),
    ],
)
def test_windows_that_differ_are_said(found: dict[str, Any], text: str) -> None:
    moved = move_in([found], [], PLAIN)

    assert any(text in what for _, what, _ in moved.differences)
    assert moved.workloads[0]["windows"][0]["min_pods"] <= int(found["spec"]["maxReplicas"])


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([event(end_time="01:00:00")], "until 01:00:00 of the next day"),
        ([event(multiplier="1.5")], "x1.5 is kept"),
        ([event(multiplier="9")], "gets 200 of 360 pods"),
        ([event(), event("show", start_time="21:00:00", multiplier="2")], "x3 while both last"),
    ],
)
def test_events_that_differ_are_said(events: list[dict[str, Any]], text: str) -> None:
    moved = move_in([hpa()], events, PLAIN)

    assert [what for _, what, _ in moved.differences if text in what]
    assert text in report(moved, PLAIN)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (hpa(start=None), "no annotation"),
        (hpa(start="soon"), "no time of day"),
        (hpa(pods="many"), "no whole number"),
        (hpa(pods="0"), "no whole number"),
        (hpa(end="19:30:00"), "never on"),
        (hpa(most=None), "maxReplicas None"),
        (hpa(kind="Deployment"), "not a HorizontalPodAutoscaler"),
        ({"kind": "HorizontalPodAutoscaler"}, "has no `metadata`"),
        ({"kind": "HorizontalPodAutoscaler", "metadata": {}}, "has no `spec`"),
    ],
)
def test_what_cannot_be_taken_over_is_refused_with_its_reason(
    found: dict[str, Any], text: str
) -> None:
    moved = move_in([found, hpa("api")], [], PLAIN)

    assert len(moved.workloads) == 1
    assert text in moved.refused[0][1]
    assert "What was not taken over" in report(moved, PLAIN)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (event(date="2026-02-30"), "date 2026-02-30"),
        (event(date=None), "date None"),
        (event(multiplier="0"), "above 0"),
        (event(multiplier="nan"), "above 0"),
        (event(multiplier="x"), "above 0"),
        (event(start_time="25:00:00"), "no time of day"),
        (event(date="1969-01-01"), "start"),
        ({"spec": {}}, "date None"),
    ],
)
def test_an_event_that_cannot_be_is_refused(found: dict[str, Any], text: str) -> None:
    moved = move_in([hpa()], [found], PLAIN)

    assert moved.events == []
    assert text in moved.refused[0][1]


def test_their_api_gives_flat_events_and_a_second_one_of_a_name_is_refused() -> None:
    flat = {"name": "final", **event()["spec"]}
    moved = move_in([hpa()], [flat, flat], PLAIN)

    assert [e.name for e in moved.events] == ["final"]
    assert moved.refused == [("final", "stands twice in the file; the first one was taken")]
    assert "that it could act on" in move_in([], [event()], PLAIN).refused[0][1]


def test_hpas_of_one_name_in_two_namespaces_keep_apart() -> None:
    moved = move_in([hpa(), hpa(ns="blue"), hpa()], [], PLAIN)

    assert [w["name"] for w in moved.workloads] == ["prod.web", "blue.web"]
    assert moved.refused[0][0] == "prod/web"


_JSON = st.recursive(
    st.none() | st.text(max_size=8) | st.integers(-5, 99).map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(["kind", "metadata", "spec", "date"]), _JSON)),
    st.dictionaries(st.sampled_from(["start", "end", "pods", "least", "most", "ns"]), st.text()),
)
def test_nothing_is_lost_and_nothing_breaks(
    strange: list[Mapping[str, Any]], odd: dict[str, str]
) -> None:
    hpas = [*strange, hpa("odd", **odd), hpa()]
    moved = move_in(hpas, strange, PLAIN)

    assert len(moved.workloads) + len(moved.events) + len(moved.refused) == 2 * len(strange) + 2
    assert report(moved, PLAIN)
