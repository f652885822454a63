"""A plan with and without an event, as a small chart in pods."""

from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from prescaler.apps.pages.sketch import Frame, Tick, highest
from prescaler.core.instants import from_epoch
from prescaler.usecases.preview_event import Preview

_LABELS: Final = 6
_EVERY: Final = (300, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400, 7 * 86_400, 400 * 86_400)
"""Seconds between two labels."""


@dataclass(frozen=True)
class PlanSketch:
    """Two stairs of pods, and the hours below them."""

    frame: Frame
    columns: tuple[Tick, ...]
    with_it: tuple[str, ...]
    without: tuple[str, ...]


def plan_sketch(found: Preview, zone: ZoneInfo) -> PlanSketch | None:
    """Draw a preview; None where it covers nothing."""
    if len(found.stamps) < 2:  # noqa: PLR2004 - a line needs two points
        return None
    stamps = found.stamps.tolist()
    top = highest(found.pods_with.tolist(), found.pods_without.tolist(), least=2.0)
    frame = Frame(stamps[0], stamps[-1], 0.0, 1.05 * top, 420, 130)
    every = next(s for s in _EVERY if (stamps[-1] - stamps[0]) / s <= _LABELS)
    first = -(-stamps[0] // every) * every
    places = range(first, stamps[-1] + 1, every)
    return PlanSketch(
        frame,
        tuple(Tick(frame.x(at), f"{from_epoch(at).astimezone(zone):%H:%M}") for at in places),
        frame.stairs(stamps, found.pods_with.tolist()),
        frame.stairs(stamps, found.pods_without.tolist()),
    )
