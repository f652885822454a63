"""What every forecaster of the pool is: one file, one line in the registry, one docs section."""

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from prescaler.core.arrays import FloatArray
from prescaler.core.day_table import DayTable

Parameters: TypeAlias = Mapping[str, FloatArray]
"""What a fit learnt, as named arrays: it is stored, so that a restart forgets nothing."""


class Forecaster(Protocol):
    """Draws the curve of a day that it would have drawn the day before.

    The engine corrects each curve by the level of the last minutes, hours and days, weighs it by
    its recent errors, and measures the spread around the mix: a forecaster only knows shapes.
    Both methods are deterministic and leave the table untouched.
    """

    @property
    def name(self) -> str:
        """Stable name; it is stored with weights and shown on pages."""
        ...

    @property
    def memory_days(self) -> int:
        """Days of history before the first curve that is worth learning from."""
        ...

    @property
    def plain(self) -> bool:
        """Whether the curve itself takes part too, beside the corrected ones."""
        ...

    def fit(self, table: DayTable) -> Parameters:
        """Learn from the whole table; empty where there is nothing to learn."""
        ...

    def curve(self, table: DayTable, parameters: Parameters) -> FloatArray:
        """[R, S] log demand of the rows asked for, from what is at least `gap` days older.

        NaN where this forecaster knows nothing; the engine falls back on the recent days.
        """
        ...


class NothingToLearn:
    """For forecasters whose curve needs no fit."""

    def fit(self, table: DayTable) -> Parameters:  # noqa: ARG002 - there is nothing to learn
        """Learn nothing."""
        return {}
