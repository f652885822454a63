"""Small charts as SVG, drawn by the server: read without scripts, and printed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray

_STEPS: Final = (1.0, 2.0, 5.0, 10.0)
_LABEL_WIDTH: Final = 44.0
_LABEL_HEIGHT: Final = 18.0
_MARGIN: Final = 6.0

Values = Sequence[float] | FloatArray


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in pixels."""

    at: float
    text: str


@dataclass(frozen=True)
class Frame:
    """A box of `width` x `height` pixels that shows x in [x0, x1] and y in [y0, y1]."""

    x0: float
    x1: float
    y0: float
    y1: float
    width: float = 360.0
    height: float = 120.0

    @property
    def left(self) -> float:
        """Where the plot begins, right of its labels."""
        return _LABEL_WIDTH

    @property
    def right(self) -> float:
        """Where it ends."""
        return self.width - _MARGIN

    @property
    def top(self) -> float:
        """The upper edge of the plot."""
        return _MARGIN

    @property
    def bottom(self) -> float:
        """The lower edge, above its labels."""
        return self.height - _LABEL_HEIGHT

    def x(self, value: float) -> float:
        """The column of a value."""
        share = (value - self.x0) / ((self.x1 - self.x0) or 1.0)
        return round(self.left + share * (self.right - self.left), 1)

    def y(self, value: float) -> float:
        """The row of a value; what lies outside is drawn on the edge."""
        share = (value - self.y0) / ((self.y1 - self.y0) or 1.0)
        share = min(1.0, max(0.0, share))
        return round(self.bottom - share * (self.bottom - self.top), 1)

    def line(self, xs: Values, ys: Values) -> tuple[str, ...]:
        """Points of one polyline for each stretch of [N] without a hole."""
        runs: list[list[str]] = [[]]
        for x, y in zip(xs, ys, strict=True):
            if math.isfinite(y):
                runs[-1].append(f"{self.x(x)},{self.y(y)}")
            elif runs[-1]:
                runs.append([])
        return tuple(" ".join(run) for run in runs if run)

    def stairs(self, xs: Values, ys: Values) -> tuple[str, ...]:
        """The same for values that hold until the next one."""
        steps_x = np.repeat(np.asarray(xs, dtype=np.float64), 2)[1:]
        steps_y = np.repeat(np.asarray(ys, dtype=np.float64), 2)[:-1]
        return self.line(steps_x.tolist(), steps_y.tolist())

    def band(self, xs: Values, low: Values, high: Values) -> str:
        """Points of the area between two lines [N]; unknown ones are left out."""
        known = [
            (self.x(x), self.y(a), self.y(b))
            for x, a, b in zip(xs, low, high, strict=True)
            if math.isfinite(a) and math.isfinite(b)
        ]
        upper = [f"{x},{b}" for x, _, b in known]
        lower = [f"{x},{a}" for x, a, _ in reversed(known)]
        return " ".join(upper + lower)

    def rows(self, wanted: int = 4) -> tuple[Tick, ...]:
        """Round values on the vertical axis."""
        return tuple(
            Tick(self.y(value), f"{value:,.6g}") for value in round_values(self.y0, self.y1, wanted)
        )


def round_values(low: float, high: float, wanted: int) -> list[float]:
    """About so many values of 1, 2 or 5 times a power of ten, within [low, high]."""
    if not high > low:
        return [low]
    rough = (high - low) / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in _STEPS if power * times >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def highest(*columns: Values, least: float = 1.0) -> float:
    """The highest finite value of all columns, at least `least`."""
    known = [float(x) for column in columns for x in column if math.isfinite(x)]
    return max([least, *known])
