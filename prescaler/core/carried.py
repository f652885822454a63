"""Live demand carried on: what growth makes of the demand that the median expects.

Live demand of the hours to come is unknown, so that what is shown of them stands on the median:
reactive scaling would ask for its pods, growth for those of the median times growth.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray
from prescaler.core.growth import LIVE_AGE, NO_GROWTH
from prescaler.core.instants import from_epoch, to_epoch
from prescaler.core.plan import Requirement, growth_at
from prescaler.core.policy import Policy

_DAY: Final = 86_400
_SPACING: Final = 60
"""Seconds between two looks: growth stands on a straight line between cells of a minute or more."""


@dataclass(frozen=True)
class Outlook:
    """Growth now and the highest of the next day, as mode `active` would serve it.

    at: when first it is that high; None where it is never higher than now.
    """

    now: float
    highest: float
    at: datetime | None


@dataclass(frozen=True, eq=False)
class Carried:
    """[T] each; load units, NaN (growth: 1) where the forecast says nothing.

    expected: the median with its events, on the line of growth and as late as KEDA reads it.
    asked: that times growth, floors not among it.
    """

    expected: FloatArray
    growth: FloatArray
    asked: FloatArray


def outlook(cells: Requirement, policy: Policy, now: datetime, most: float = math.inf) -> Outlook:
    """How far live demand is carried on within a day, minute by minute; at most `most` times."""
    first = to_epoch(now)
    found = np.minimum(growth_at(cells, policy, np.arange(first, first + _DAY, _SPACING)), most)
    top = int(np.argmax(found))
    at = from_epoch(first + top * _SPACING) if top else None
    return Outlook(float(found[0]), float(found[top]), at)


def carried(cells: Requirement, policy: Policy, instants: IntArray) -> Carried:
    """The median and what growth makes of it, at instants [T] (epoch seconds)."""
    middles = (cells.starts + cells.ends) / 2
    line = np.interp(instants - LIVE_AGE, middles, cells.expected)
    inside = (instants >= cells.starts[0]) & (instants < cells.ends[-1])
    expected = np.where(inside, line, np.nan)
    grown = growth_at(cells, policy, instants)
    return Carried(expected, grown, carried_load(expected, grown, policy))


def carried_load(live: FloatArray, grown: FloatArray, policy: Policy) -> FloatArray:
    """[T] demand times growth, under the policy's ceiling, which does not lower demand itself."""
    most = math.inf if policy.max_pods is None else policy.max_pods * policy.target
    return np.asarray(np.maximum(live, np.minimum(live * np.maximum(grown, NO_GROWTH), most)))


def carried_cells(cells: Requirement, policy: Policy) -> Requirement:
    """The cells as growth asks for them: the load that the median expects, a look ahead before.

    Both `due` and `lead` are that look (`Policy.growth_ahead`): a hold is part of it.
    """
    ahead = policy.growth_ahead.total_seconds()
    return replace(
        cells,
        due=cells.starts - math.ceil(ahead),
        lead=np.full(len(cells.starts), ahead),
        parts=np.column_stack([cells.parts[:, :-1], cells.expected]),
    )
