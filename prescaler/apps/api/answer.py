"""The answer to KEDA as bytes: one key `value`, at the top, finite, at most three decimals."""

import math
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

import orjson

from prescaler.core.decision import Decision
from prescaler.core.errors import BadParameter
from prescaler.core.instants import format_instant
from prescaler.core.policy import Unit

_LONGEST_DETAIL: Final = 200
_LARGEST_TARGET: Final = 1e15


@dataclass(frozen=True)
class Asked:
    """The parameters of a question. target: the one written in the ScaledObject."""

    unit: Unit | None
    prometheus: bool
    target: float | None


def asked(query: bytes) -> Asked:
    """Read the parameters; unknown ones are left alone.

    Raises:
        BadParameter: one that is known has a value without meaning.
    """
    found = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    unit, form = found.get("unit"), found.get("format", "json")
    if unit not in (None, "load", "pods"):
        raise BadParameter("unit must be load or pods")
    if form not in ("json", "prometheus"):
        raise BadParameter("format must be json or prometheus")
    return Asked(
        unit=Unit(unit) if unit else None,
        prometheus=form == "prometheus",
        target=_target(found["target"]) if "target" in found else None,
    )


def _target(text: str) -> float:
    try:
        target = float(text)
    except ValueError:
        target = math.nan
    if not 0 < target <= _LARGEST_TARGET:
        raise BadParameter("target must be a number above 0, as written in the ScaledObject")
    return target


def to_json(name: str, decision: Decision, unit: Unit) -> bytes:
    """The JSON answer.

    Raises:
        ValueError: the value is not a finite number >= 0; that is a defect, and must not be sent.
    """
    forecast, age = decision.forecast, decision.age
    body = {
        "value": _served(decision, unit),
        "status": decision.status.value,
        "reason": decision.reason,
        "detail": decision.detail[:_LONGEST_DETAIL] if decision.detail else None,
        "workload": name,
        "unit": unit.value,
        "pods": decision.pods,
        "target": _short(decision.target),
        "mode": decision.mode.value,
        "would_serve": decision.would_serve,
        "part": {
            "forecast": round(decision.forecast_part, 3),
            "floor": round(decision.floor_part, 3),
        },
        "growth": _growth(decision),
        "running": decision.running,
        "cutoff": format_instant(forecast.cutoff) if forecast else None,
        "issued_at": format_instant(forecast.issued_at) if forecast else None,
        "age_seconds": int(age.total_seconds()) if age is not None else None,
        "valid_until": format_instant(forecast.valid_until) if forecast else None,
        "served_at": format_instant(decision.at),
    }
    return orjson.dumps(body)


def to_prometheus(name: str, decision: Decision, unit: Unit) -> bytes:
    """The answer in the Prometheus text format, for `format: prometheus` triggers."""
    value = _served(decision, unit)
    return (
        "# HELP prescaler_value Demand to be ready for.\n"
        "# TYPE prescaler_value gauge\n"
        f'prescaler_value{{workload="{name}"}} {_short(value)}\n'
    ).encode()


def _served(decision: Decision, unit: Unit) -> float | int:
    value = decision.pods if unit is Unit.PODS else decision.value
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"a decision of {value!r} must not be served")
    return value


def _growth(decision: Decision) -> float:
    if not (math.isfinite(decision.growth) and decision.growth >= 1):
        raise ValueError(f"a growth of {decision.growth!r} must not be served")
    return decision.growth


def _short(number: float) -> float | int:
    """80 instead of 80.0."""
    return int(number) if number == int(number) else number
