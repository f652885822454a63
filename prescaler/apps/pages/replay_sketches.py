"""Charts of a replay: what pods cost against what was dropped, and the days themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from prescaler.apps.pages.sketch import Frame, Tick, highest, round_values
from prescaler.core.instants import parse_instant, to_epoch

_PERCENT: Final = 100.0
_LEAST: Final = 0.05
_ROOM: Final = 1.08
_DAYS: Final = 8
_DAY_SECONDS: Final = 86_400
_SIDES: Final = ("reactive", "prescaler")


@dataclass(frozen=True)
class Dot:
    """A configuration in the frontier: where it lies, and what it is."""

    x: float
    y: float
    text: str
    kind: str


@dataclass(frozen=True)
class Frontier:
    """Pod-hours across, dropped percent up. lines: of each side, what none of its runs beats."""

    frame: Frame
    columns: tuple[Tick, ...]
    lines: tuple[tuple[str, tuple[str, ...]], ...]
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Days:
    """Pods needed and ready over the period, one line an arm."""

    frame: Frame
    columns: tuple[Tick, ...]
    needed: tuple[str, ...]
    arms: tuple[tuple[str, tuple[str, ...]], ...]


def frontier_sketch(
    result: Mapping[str, Any], other: Mapping[str, Any] | None = None
) -> Frontier | None:
    """Draw one result, or two over each other; None where no sweep was asked for."""
    both = [one for one in (result, other) if one is not None]
    edges = [(one, side, _edge(one, side)) for one in both for side in _SIDES]
    points = [point for _, _, edge in edges for point in edge]
    if not points:
        return None
    own = [(_point(one["present"]), one) for one in both]
    xs = [x for x, _ in points] + [x for (x, _), _ in own]
    ys = [y for _, y in points] + [y for (_, y), _ in own]
    frame = Frame(
        min(xs) / _ROOM, max(xs) * _ROOM, 0.0, _ROOM * highest(ys, least=_LEAST), 560, 260
    )
    lines = tuple(
        (_kind(side, one is result), _stairs(frame, edge)) for one, side, edge in edges if edge
    )
    dots = tuple(
        Dot(frame.x(x), frame.y(y), one["present"]["setting"]["text"], "mark")
        for (x, y), one in own
    )
    columns = tuple(Tick(frame.x(x), f"{x:,.6g}") for x in round_values(frame.x0, frame.x1, 5))
    return Frontier(frame, columns, lines, dots + _advised(frame, result))


def _advised(frame: Frame, result: Mapping[str, Any]) -> tuple[Dot, ...]:
    best = (result["advice"] or {}).get("best")
    if best is None:
        return ()
    row = next((r for r in result["sweep"] if r["setting"] == best["setting"]), None)
    if row is None:
        return ()
    x, y = _point(row)
    return (Dot(frame.x(x), frame.y(y), best["setting"]["text"], "best"),)


def _kind(side: str, first: bool) -> str:  # noqa: FBT001 - first or second result
    colour = {"reactive": "actual", "prescaler": "plan"}[side]
    return colour if first else f"{colour} second"


def _edge(result: Mapping[str, Any], side: str) -> list[tuple[float, float]]:
    return [_point(result["sweep"][number]) for number in result["frontier"].get(side, ())]


def _point(row: Mapping[str, Any]) -> tuple[float, float]:
    return row["all"]["pod_hours"], _PERCENT * (row["all"]["dropped"] or 0.0)


def _stairs(frame: Frame, edge: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    """What fewer pods drop: from each run level to the next; a single one is a short bar."""
    xs, ys = [x for x, _ in edge], [y for _, y in edge]
    return frame.stairs([*xs, frame.x1], [*ys, ys[-1]])


def days_sketch(result: Mapping[str, Any], arms: Sequence[str], zone: ZoneInfo) -> Days | None:
    """Draw the pods of some arms; None where there is no demand."""
    series, per_pod = result["series"], result["assumptions"]["per_pod"]
    stamps = [float(to_epoch(parse_instant(text))) for text in series["stamps"]]
    if len(stamps) < 2 or not per_pod:  # noqa: PLR2004 - a line needs two points
        return None
    needed = [_pods(x, per_pod) for x in series["columns"]["demand"]]
    ready = {arm: [_pods(x, 1.0) for x in series["columns"][f"ready:{arm}"]] for arm in arms}
    top = _ROOM * highest(needed, *ready.values(), least=2.0)
    frame = Frame(stamps[0], stamps[-1], 0.0, top, 1100, 240)
    parts = max(1, min(_DAYS, round((stamps[-1] - stamps[0]) / _DAY_SECONDS)))
    every = (stamps[-1] - stamps[0]) / parts
    places = [stamps[0] + number * every for number in range(parts + 1)]
    return Days(
        frame,
        tuple(Tick(frame.x(at), _day(at, zone)) for at in places),
        frame.line(stamps, needed),
        tuple((arm, frame.stairs(stamps, values)) for arm, values in ready.items()),
    )


def _pods(value: float | None, per_pod: float) -> float:
    return float("nan") if value is None else value / per_pod


def _day(at: float, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%a %d %b}"
