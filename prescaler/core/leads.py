"""How leads are grouped: reaches, the grid on which they are learnt, and bands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import numpy as np

from prescaler.core.arrays import IntArray
from prescaler.core.calendar import DAY
from prescaler.core.scales import KINDS, Kind

_MINUTES: Final = (
    *(5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240),
    *(300, 360, 480, 600, 720, 840, 960, 1080, 1200, 1320, 1440),
)
"""Leads at which the first day is learnt; between them the correction is interpolated. It fades
with the logarithm of the lead, so they are dense at first."""

_LATER_HOURS: Final = (27, 30, 36, 42, 48)
_WEIGHT_EDGES: Final = tuple(timedelta(minutes=m) for m in (15, 60, 360, 720, 1440))
_SPREAD_EDGES: Final = tuple(timedelta(minutes=m) for m in (15, 60, 180, 360, 720, 1440))


@dataclass(frozen=True, eq=False)
class Reach:
    """A range of leads that is learnt in one go.

    gap: least age in days of what a curve may look at; leads: [L] in steps; covers: its part of
    the horizon; kinds: scales used; spacing: steps between two past origins.
    """

    gap: int
    leads: IntArray
    covers: slice
    kinds: tuple[Kind, ...]
    spacing: int

    @property
    def horizon(self) -> IntArray:
        """[covers] leads in steps, the first is covers.start + 1."""
        return np.arange(self.covers.start + 1, self.covers.stop + 1)

    @property
    def furthest(self) -> int:
        """The longest lead that is tried, in steps."""
        return int(self.leads[-1])


def reaches(step: timedelta, horizon: int, *, apart: bool = True) -> list[Reach]:
    """The first day, where targets are expected, and the rest, which is reported without one.

    Without `apart` (a history too short to learn the rest) the first reach covers all. The second
    serves leads beyond two days with what it learnt for two: the default horizon of 50 h has two
    such hours.
    """
    day = DAY // step
    first = min(day, horizon)
    leads = _grid([timedelta(minutes=m) for m in _MINUTES], step, 1, first)
    later_too = apart and horizon > day
    covers = slice(0, first if later_too else horizon)
    found = [Reach(1, leads, covers, KINDS, max(1, day // 48))]
    if later_too:
        furthest = min(2 * day, horizon)
        later = _grid([timedelta(hours=h) for h in _LATER_HOURS], step, day + 1, furthest)
        found.append(Reach(2, later, slice(day, horizon), ("log",), max(1, day // 12)))
    return found


def _grid(leads: Sequence[timedelta], step: timedelta, low: int, high: int) -> IntArray:
    steps = [round(lead / step) for lead in leads]
    return np.unique(np.clip(np.array(steps, dtype=np.int64), low, high))


def first_hour(reach: Reach, step: timedelta) -> Reach:
    """The leads of a reach up to an hour, at least one."""
    kept = reach.leads <= max(int(reach.leads[0]), timedelta(hours=1) // step)
    return replace(reach, leads=reach.leads[kept])


def weight_bands(reach: Reach, step: timedelta) -> list[int]:
    """Upper edges in steps of the bands that have weights of their own."""
    return _edges(reach, step, _WEIGHT_EDGES)


def spread_bands(reach: Reach, step: timedelta) -> list[int]:
    """Upper edges in steps of the bands that have a spread of their own."""
    return _edges(reach, step, _SPREAD_EDGES)


def _edges(reach: Reach, step: timedelta, edges: Sequence[timedelta]) -> list[int]:
    """Ascending upper edges of bands that hold at least one learnt lead each."""
    candidates = sorted({min(reach.furthest, max(1, edge // step)) for edge in edges})
    found, low = [], 0
    for edge in candidates:
        if np.any((reach.leads > low) & (reach.leads <= edge)):
            found.append(edge)
            low = edge
    return found or [reach.furthest]


def bands_in(leads: IntArray, edges: Sequence[int]) -> list[tuple[int, slice]]:
    """Each band that holds some of the ascending leads, and which; as `band_of`, but as views."""
    ends = np.searchsorted(leads, np.array(edges), "right")
    ends[-1] = len(leads)
    starts = np.append(0, ends[:-1])
    return [(b, slice(s, e)) for b, (s, e) in enumerate(zip(starts, ends, strict=True)) if e > s]


def band_of(leads: IntArray, edges: Sequence[int]) -> IntArray:
    """[...] which band each lead lies in; beyond the last edge it is the last band."""
    return np.minimum(np.searchsorted(np.array(edges), leads, "left"), len(edges) - 1)
