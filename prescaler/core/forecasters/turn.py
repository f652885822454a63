"""Yesterday, and what usually changes from its weekday to this one."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from prescaler.core.arrays import FloatArray
from prescaler.core.averages import weighted_median
from prescaler.core.day_table import DayTable
from prescaler.core.forecasters.base import NothingToLearn, Parameters

_WEEKS: Final = 4
_DAYS: Final = 3
_HALF_LIFE_WEEKS: Final = 2.0
"""As for the weekday itself: the same four weeks tell how the days before it differed."""


@dataclass(frozen=True)
class WeekdayTurn(NothingToLearn):
    """The newest day plus the weighted median of how this weekday differed from it in four weeks.

    A new shape is there a day later, as in a copy of yesterday, and Mondays are no Sundays.
    """

    name: str = "turn"
    plain: bool = False
    memory_days: int = 8

    def curve(self, table: DayTable, parameters: Parameters) -> FloatArray:  # noqa: ARG002
        """Where yesterday is a hole, the day before it; without weeks, the day as it was."""
        curve = np.full((len(table.rows), table.slots), np.nan)
        for back in range(table.gap, table.gap + _DAYS):
            if not np.isnan(curve).any():
                break
            curve = np.where(np.isnan(curve), table.lagged(back) + _turn(table, back), curve)
        return curve


def _turn(table: DayTable, back: int) -> FloatArray:
    """[R, S] median difference between this weekday and the day `back` days before it."""
    weeks = [7 * k for k in range(1, _WEEKS + 1)]
    turns = np.stack([table.lagged(days) - table.lagged(days + back) for days in weeks])
    turn = weighted_median(turns, 0.5 ** (np.arange(_WEEKS) / _HALF_LIFE_WEEKS))
    return np.where(np.isfinite(turn), turn, 0.0)
