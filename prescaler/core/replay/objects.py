"""The way to an advised configuration: what changes in prescaler.yaml and in the ScaledObject."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from prescaler.core.durations import format_duration
from prescaler.core.policy import ActsAs, Mode
from prescaler.core.replay.ground import FORECAST_ARMS, Setting
from prescaler.core.scaledobject import ReactiveSource, default_variant, scaled_object
from prescaler.core.workload import Workload

_NOTHING: Final = object()


@dataclass(frozen=True)
class Place:
    """Where prescaler and the reactive side are found; a trace has none but these."""

    public_url: str = "http://prescaler:8080"
    sources: tuple[ReactiveSource, ...] = (ReactiveSource("main", "http://prometheus:9090"),)


@dataclass(frozen=True)
class Change:
    """One place that differs; None: it is not there."""

    path: str
    before: Any
    after: Any


def configured_for(workload: Workload, setting: Setting) -> Workload:
    """The workload as a setting would have it declared."""
    policy = workload.policy
    capacity = replace(policy.capacity, utilisation=setting.utilisation)
    reactive = workload.reactive
    if setting.arm not in FORECAST_ARMS:
        load = capacity.per_pod * setting.utilisation
        return replace(
            workload,
            policy=replace(policy, capacity=capacity, mode=Mode.SHADOW, acts_as=ActsAs.PLAN),
            reactive=replace(reactive, target=load),
        )
    own = capacity.per_pod * setting.reactive if setting.reactive is not None else None
    changed = replace(
        policy,
        capacity=capacity,
        mode=Mode.ACTIVE,
        quantile=policy.quantile if setting.quantile is None else setting.quantile,
        hold=policy.hold if setting.hold is None else setting.hold,
        acts_as=ActsAs.GROWTH if setting.growth else ActsAs.PLAN,
    )
    return replace(workload, policy=changed, reactive=replace(reactive, target=own))


def object_for(workload: Workload, setting: Setting, place: Place) -> dict[str, Any]:
    """The ScaledObject of a setting; a reactive one has no trigger of ours and no formula."""
    own = configured_for(workload, setting)
    whole = scaled_object(
        own, default_variant(own), public_url=place.public_url, sources=place.sources
    )
    if setting.arm in FORECAST_ARMS:
        return whole
    spec = {name: part for name, part in whole["spec"].items() if name != "fallback"}
    spec["triggers"] = [
        {**trigger, "metadata": {**trigger["metadata"], "threshold": f"{own.reactive.target:.12g}"}}
        for trigger in whole["spec"]["triggers"][1:]
    ]
    rest = {n: part for n, part in spec.pop("advanced", {}).items() if n != "scalingModifiers"}
    if rest:
        spec["advanced"] = rest
    return {**whole, "spec": spec}


def settings_for(workload: Workload, setting: Setting) -> dict[str, Any]:
    """The fields of prescaler.yaml that a setting is about."""
    own = configured_for(workload, setting)
    return {
        "capacity.utilisation": own.policy.capacity.utilisation,
        "policy.acts_as": own.policy.acts_as.value,
        "policy.hold": format_duration(own.policy.hold),
        "policy.mode": own.policy.mode.value,
        "policy.quantile": own.policy.quantile,
        "reactive.target": own.reactive.target,
    }


def changes(before: Any, after: Any) -> list[Change]:
    """What differs between two plain documents, by path."""
    old, new = dict(_leaves("", before)), dict(_leaves("", after))
    return [
        Change(path, old.get(path), new.get(path))
        for path in dict.fromkeys((*old, *new))
        if old.get(path, _NOTHING) != new.get(path, _NOTHING)
    ]


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Whatever holds nothing is a leaf too, or its coming and going would not be seen."""
    if isinstance(value, dict) and (value or not path):
        for name, part in value.items():
            yield from _leaves(f"{path}.{name}" if path else name, part)
    elif isinstance(value, list) and (value or not path):
        for place, part in _placed(value):
            yield from _leaves(f"{path}[{place}]", part)
    else:
        yield path, value


def _placed(items: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Triggers go by their name, or their kind; other entries, and all that repeat, by number.

    Two entries must never share a place: a change of one would hide behind the other.
    """
    taken: set[str] = set()
    for number, item in enumerate(items):
        place = _label(item) or str(number)
        while place in taken:
            place = f"{place}#{number}"
        taken.add(place)
        yield place, item


def _label(item: Any) -> str | None:
    trigger = isinstance(item, dict) and "metadata" in item
    return item.get("name") or item.get("type") if trigger else None
