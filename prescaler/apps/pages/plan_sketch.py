"""A plan with and without an event, as a small chart in pods."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from prescaler.apps.pages.sketch import Frame, Tick, highest
from prescaler.core.instants import from_epoch
from prescaler.usecases.preview_event import Preview

_LABELS: Final = 4


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
    every = (stamps[-1] - stamps[0]) / _LABELS
    places = [stamps[0] + number * every for number in range(_LABELS + 1)]
    return PlanSketch(
        frame,
        tuple(Tick(frame.x(at), _clock(at, found.step, zone)) for at in places),
        frame.stairs(stamps, found.pods_with.tolist()),
        frame.stairs(stamps, found.pods_without.tolist()),
    )


def _clock(at: float, step: timedelta, zone: ZoneInfo) -> str:
    seconds = int(step.total_seconds())
    return f"{from_epoch(int(at) // seconds * seconds).astimezone(zone):%H:%M}"
