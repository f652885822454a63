"""Charts of a replay as SVG, drawn by hand: a report must need nothing but itself."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any, Final

from prescaler.core.instants import parse_instant, to_epoch

WIDTH, HEIGHT = 1000, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 10, 12, 28
_TICKS: Final = 5
_LEAST_DROPPED: Final = 1e-7


@dataclass(frozen=True)
class Line:
    """One curve: its CSS class, what it is called, and a value for each stamp."""

    name: str
    title: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Dot:
    """One configuration: pod-hours, dropped share, what it is; mark: a name beside it."""

    name: str
    title: str
    x: float
    y: float
    kept: bool
    mark: str = ""


def lines_chart(stamps: Sequence[str], lines: Sequence[Line], unit: str) -> str:
    """Curves over time; holes stay holes."""
    known = [v for line in lines for v in line.values if v is not None]
    top = _nice(max(known, default=1.0))
    times = [to_epoch(parse_instant(text)) for text in stamps]
    first, last = times[0], max(times[-1], times[0] + 1)

    def x(at: float) -> float:
        return _LEFT + (at - first) / (last - first) * (WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - value / top * (HEIGHT - _TOP - _BOTTOM)

    parts = [_y_axis(top, y, unit), _time_axis(first, last, x)]
    for line in lines:
        path = _path([(x(t), y(v)) if v is not None else None for t, v in _pairs(times, line)])
        title = f"<title>{escape(line.title)}</title>"
        parts.append(f'<path class="line {line.name}" d="{path}">{title}</path>')
    return _svg(parts)


def frontier_chart(dots: Sequence[Dot]) -> str:
    """Pod-hours against dropped demand on a logarithmic axis; none at all is at its foot."""
    xs, ys = [dot.x for dot in dots], [max(dot.y, _LEAST_DROPPED) for dot in dots]
    low, high = min(xs), max(*xs, min(xs) + 1)
    bottom = math.floor(math.log10(min(ys)))
    top = max(math.ceil(math.log10(max(ys))), bottom + 1)

    def x(value: float) -> float:
        return _LEFT + 10 + (value - low) / (high - low) * (WIDTH - _LEFT - _RIGHT - 20)

    def y(value: float) -> float:
        share = (math.log10(max(value, _LEAST_DROPPED)) - bottom) / (top - bottom)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    parts = [_grid(y(10.0**power), f"{100 * 10.0**power:g} %") for power in range(bottom, top + 1)]
    parts += [_label(x(at), f"{at:,.10g}") for at in _round_marks(low, high)]
    for dot in dots:
        kept = (" kept" if dot.kept else "") + (" named" if dot.mark else "")
        text = f"{dot.title}: {dot.x:,.0f} pod-hours, {100 * dot.y:.4g} % dropped"
        parts.append(
            f'<circle class="dot {dot.name}{kept}" cx="{x(dot.x):.1f}" cy="{y(dot.y):.1f}" r="4">'
            f"<title>{escape(text)}</title></circle>"
        )
        if dot.mark:
            at, side = x(dot.x), "end" if dot.x > (low + high) / 2 else "start"
            parts.append(
                f'<text class="name" x="{at + (-8 if side == "end" else 8):.1f}" '
                f'y="{y(dot.y) - 8:.1f}" text-anchor="{side}">{escape(dot.mark)}</text>'
            )
    return _svg(parts)


def _round_marks(low: float, high: float) -> list[float]:
    """A few round numbers in between."""
    step = _nice((high - low) / _TICKS)
    return [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _pairs(times: Sequence[int], line: Line) -> list[tuple[int, float | None]]:
    return list(zip(times, line.values, strict=True))


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    parts, pen_down = [], False
    for point in points:
        if point is None:
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{point[0]:.1f} {point[1]:.1f}")
        pen_down = True
    return "".join(parts)


def _y_axis(top: float, y: Any, unit: str) -> str:
    values = [top * n / _TICKS for n in range(_TICKS + 1)]
    labels = [_grid(y(v), f"{v:,.4g}{' ' + unit if v == top else ''}") for v in values]
    return "".join(labels)


def _time_axis(first: int, last: int, x: Any) -> str:
    days = (last - first) / 86400
    form = "%d %b" if days > 2 else "%d %b %H:%M"  # noqa: PLR2004 - two days
    marks = [first + (last - first) * n / 6 for n in range(7)]
    return "".join(_label(x(at), f"{datetime.fromtimestamp(at, _UTC):{form}}") for at in marks)


_UTC: Final = parse_instant("1970-01-01T00:00:00Z").tzinfo


def _grid(at: float, text: str) -> str:
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{escape(text)}</text>'
    )


def _label(at: float, text: str) -> str:
    side = "end" if at > WIDTH - _RIGHT - 30 else "middle"
    return f'<text x="{at:.1f}" y="{HEIGHT - 8}" text-anchor="{side}">{escape(text)}</text>'


def _svg(parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}</svg>'


def _nice(value: float) -> float:
    """A round number at or above a value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)
