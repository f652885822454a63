"""How far demand will have grown by the time that pods asked for now are ready.

A forecast of a level that is a few minutes old errs by what has happened since; live demand does
not. What a forecast knows and live demand cannot know is the shape of the next minutes. Growth is
that shape alone: the highest forecast until then over the forecast of now, never below 1.
"""

from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray, IntArray

NO_GROWTH: Final = 1.0
"""What is served where nothing is known: live demand stays what it is."""

CARRIED_ON: Final = "live demand x "
"""How a note of the mode stage says growth, in tenths; the log keeps these notes."""

LIVE_AGE: Final = 60
"""Seconds by which the reactive signal is old: the mean of a minute that ended 30 s ago."""


def growth(
    load: FloatArray, at: IntArray, *, seconds: int, ahead: float, least: float
) -> FloatArray:
    """[F, J] growth at J instants in each of F forecasts, three decimals.

    load: [F, C] in cells of equal length `seconds`, a straight line between their middles. at:
    [F, J] seconds since the start of the first cell. ahead: seconds to look ahead. least: load
    below which ratios say nothing (one pod's), so that a quiet night knows no thousandfold growth.
    """
    place = at / seconds - 0.5
    until = place + ahead / seconds
    highest = np.maximum(_on_line(load, place), _on_line(load, until))
    first = np.floor(place).astype(np.int64) + 1
    for cell in range(int(ahead // seconds) + 1):
        inside = first + cell <= until
        found = _taken(load, first + cell)
        highest = np.where(inside, np.maximum(highest, found), highest)
    now = np.maximum(_on_line(load, place - LIVE_AGE / seconds), least)
    return np.asarray(np.round(np.maximum(highest / now, NO_GROWTH), 3))


def _on_line(load: FloatArray, place: FloatArray) -> FloatArray:
    """[F, J] between two middles a straight line; before the first and behind the last, level."""
    low = np.floor(place).astype(np.int64)
    share = place - low
    return np.asarray(_taken(load, low) * (1.0 - share) + _taken(load, low + 1) * share)


def _taken(load: FloatArray, cells: IntArray) -> FloatArray:
    """Not `take_along_axis` and `clip`: KEDA waits, and they take most of an answer's time."""
    last = load.shape[1] - 1
    rows = np.arange(len(load))[:, None]
    return np.asarray(load[rows, np.minimum(np.maximum(cells, 0), last)])
