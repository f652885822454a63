"""KEDA 2.20.2 and the HPA of Kubernetes 1.36 in small: from an answer to a number of pods.

Written from the observed behaviour of that code, and tested against those observations. Quantities
are whole thousandths ("milli"), as Kubernetes keeps them.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.k8s.keda_expr import FormulaError, composite

_MIN_INT64: Final = -(2**63)
_MAX_INT64: Final = 2**63 - 1
_QUANTITY: Final = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+))(?P<suffix>[numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?"
)
_SUFFIXES: Final = {
    **{s: 10.0**p for s, p in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)},
    **{f"{s}i": 1024.0**p for p, s in enumerate("KMGTPE", start=1)},
}


class ScalerError(Exception):
    """The trigger gives KEDA no value."""


@dataclass(frozen=True)
class Fallback:
    threshold: int
    replicas: int
    behavior: str


@dataclass(frozen=True)
class Scaled:
    """What counts of a ScaledObject. formula_target: as written."""

    names: tuple[str | None, ...]
    targets: tuple[float, ...]
    formula: str | None
    formula_target: str
    fallback: Fallback | None
    least: int
    most: int
    tolerance_up: float
    tolerance_down: float


@dataclass(frozen=True)
class Metric:
    """What the HPA gets for one metric. milli: None where it gets an error, or nothing."""

    milli: int | None
    target_milli: int


def read_scaled_object(document: Mapping[str, Any]) -> Scaled:
    """A printed ScaledObject, with KEDA's defaults."""
    spec = document["spec"]
    advanced = spec.get("advanced", {})
    modifiers = advanced.get("scalingModifiers", {})
    behavior = advanced.get("horizontalPodAutoscalerConfig", {}).get("behavior", {})
    metadata = [trigger["metadata"] for trigger in spec["triggers"]]
    return Scaled(
        names=tuple(trigger.get("name") for trigger in spec["triggers"]),
        targets=tuple(float(m.get("targetValue") or m["threshold"]) for m in metadata),
        formula=modifiers.get("formula"),
        formula_target=modifiers.get("target", ""),
        fallback=_read_fallback(spec.get("fallback")),
        least=max(1, spec.get("minReplicaCount", 0)),
        most=spec.get("maxReplicaCount", 100),
        tolerance_up=float(behavior.get("scaleUp", {}).get("tolerance", "0.1")),
        tolerance_down=float(behavior.get("scaleDown", {}).get("tolerance", "0.1")),
    )


def _read_fallback(section: Mapping[str, Any] | None) -> Fallback | None:
    if section is None:
        return None
    behavior = section.get("behavior", "static")
    return Fallback(section["failureThreshold"], section["replicas"], behavior)


def read_value(body: bytes, location: str) -> object:
    """What `valueLocation` finds in a JSON body: keys and indices with dots between.

    The first of equal keys counts, and what is not there is null.
    """
    found = json.loads(body, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    for step in location.split("."):
        if isinstance(found, list):
            found = found[int(step)] if step.isdigit() and int(step) < len(found) else None
        else:
            found = found.get(step) if isinstance(found, dict) else None
    return found


def metric_of(value: object) -> tuple[int, bool]:
    """Milli-quantity and activity of a value from a JSON body.

    Raises:
        ScalerError: neither a number nor a string that is a Kubernetes quantity.
    """
    if isinstance(value, str):
        number = _quantity(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    else:
        raise ScalerError(f"must point to a numeric value, got {value!r}")
    active = number > 0
    if not math.isfinite(number) or number < 0:
        return 0, active
    return int(f"{number:.3f}".replace(".", "")), active


def _quantity(text: str) -> float:
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise ScalerError(f"{text!r} is not parseable as a Quantity")
    number, suffix = float(found["number"]), found["suffix"]
    if suffix is None:
        return number
    return number * _SUFFIXES[suffix] if suffix in _SUFFIXES else float(text)


def metrics_for_hpa(
    scaled: Scaled, readings: Sequence[float | None], failures: int = 1
) -> list[Metric]:
    """What KEDA answers the HPA.

    readings: by trigger, None = the scaler failed. failures: of a failing trigger in a row, this
    one included.
    """
    if scaled.formula is None:
        return [
            _plain(scaled, reading, target, failures)
            for reading, target in zip(readings, scaled.targets, strict=True)
        ]
    value = _composite(scaled, scaled.formula, readings, failures)
    return [Metric(value, round(float(scaled.formula_target) * 1000))]


def _plain(scaled: Scaled, reading: float | None, target: float, failures: int) -> Metric:
    fallback, target_milli = scaled.fallback, round(target * 1000)
    if reading is not None:
        return Metric(metric_of(reading)[0], target_milli)
    if fallback is None or failures <= fallback.threshold:
        return Metric(None, target_milli)
    return Metric(int(target) * fallback.replicas * 1000, target_milli)


def _composite(
    scaled: Scaled, formula: str, readings: Sequence[float | None], failures: int
) -> int | None:
    whole = int(scaled.formula_target) if scaled.formula_target.isdecimal() else 0
    fallback = scaled.fallback if whole > 0 else None
    static = fallback.replicas * whole * 1000 if fallback else None
    if None in readings:
        if fallback is None or failures <= fallback.threshold:
            return None
        if fallback.behavior == "static":
            return static
    values = {
        str(name): metric_of(reading)[0] / 1000
        for name, reading in zip(scaled.names, readings, strict=True)
        if reading is not None
    }
    try:
        result = composite(formula, values)
    except FormulaError:
        return None
    return static if result is None else milli(result)


def milli(result: float) -> int:
    """A formula's result as KEDA converts it: cut off, and MinInt64 where it does not fit."""
    scaled = result * 1000
    if not (math.isfinite(scaled) and _MIN_INT64 <= scaled < 2.0**63):
        return _MIN_INT64
    return int(scaled)


def wanted_pods(scaled: Scaled, metrics: Sequence[Metric], pods: int) -> int:
    """The pods that the HPA asks for when `pods` run, before its ramp."""
    if pods == 0:
        return 0
    if not scaled.least <= pods <= scaled.most:
        return min(max(pods, scaled.least), scaled.most)
    proposals = [
        _proposal(scaled, metric.milli, metric.target_milli, pods)
        for metric in metrics
        if metric.milli is not None
    ]
    if not proposals or (len(proposals) < len(metrics) and max(proposals) < pods):
        return pods
    return min(max(*proposals, scaled.least), scaled.most)


def _proposal(scaled: Scaled, usage: int, target: int, pods: int) -> int:
    """From Kubernetes 1.34 on, a negative sum is taken for an overflow: as much as there can be."""
    usage = _MAX_INT64 if usage < 0 else usage
    ratio = usage / (target * pods)
    if 1.0 - scaled.tolerance_down <= ratio <= 1.0 + scaled.tolerance_up:
        return pods
    return math.ceil(usage / target)


def next_pods(wanted: int, pods: int) -> int:
    """Pods after one sync under the built-in ramp, which is for growth only."""
    return min(wanted, max(2 * pods, 4))
